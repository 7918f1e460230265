"""Entries as rows of named columns: the columns of a source file, so that ``vigil edition build`` reads an export back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vigil.base.clock import text_of
from vigil.editions.model import EditionContents, ListInfo
from vigil.editions.source import URL
from vigil.match.hashing import algorithm_named
from vigil.match.urls import EntryFlag

COLUMNS: Final = (
    "signal",
    "value",
    "list",
    "kind",
    "entry",
    "scope",
    "flags",
    "labels",
    "jurisdictions",
    "max_distance",
    "expires",
)


def rows_of(contents: EditionContents) -> Iterator[dict[str, Any]]:
    """Addresses, then hashes of each list; several flags, labels or jurisdictions stand as tuples."""
    for info in contents.lists:
        described = _of_list(info)
        for url in contents.urls:
            if url.list == info.name:
                names = tuple(flag.name.lower() for flag in EntryFlag if flag.name and flag & url.flags)
                own = {"signal": URL, "value": url.url.text(), "scope": url.scope.value, "flags": names}
                yield {**described, **own, "entry": url.entry, "labels": url.labels, "expires": _when(url.expires)}
        for each in contents.hashes:
            if each.list == info.name:
                value = algorithm_named(each.algorithm).text(each.value)
                own = {"signal": each.algorithm, "value": value, "scope": "", "flags": ()}
                yield {**described, **own, "entry": each.entry, "labels": each.labels, "expires": _when(each.expires)}


def _of_list(info: ListInfo) -> dict[str, Any]:
    return {
        "list": info.name,
        "kind": info.kind,
        "jurisdictions": info.jurisdictions,
        "max_distance": info.max_distance,
    }


def _when(instant: Any) -> str:
    return "" if instant is None else text_of(instant)

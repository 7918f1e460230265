"""Entries as rows of named columns: the columns of a source file, so that ``vigil edition build`` reads an export back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vigil.base.clock import text_of
from vigil.editions.export.model import by_list
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
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
    for info, entries in by_list(contents):
        described = _of_list(info)
        for entry in entries:
            own = _of_url(entry) if isinstance(entry, UrlEntry) else _of_hash(entry)
            expires = "" if entry.expires is None else text_of(entry.expires)
            yield {**described, **own, "entry": entry.entry, "labels": entry.labels, "expires": expires}


def _of_url(entry: UrlEntry) -> dict[str, Any]:
    names = tuple(flag.name.lower() for flag in EntryFlag if flag.name and flag & entry.flags)
    return {"signal": URL, "value": entry.url.text(), "scope": entry.scope.value, "flags": names}


def _of_hash(entry: HashEntry) -> dict[str, Any]:
    value = algorithm_named(entry.algorithm).text(entry.value)
    return {"signal": entry.algorithm, "value": value, "scope": "", "flags": ()}


def _of_list(info: ListInfo) -> dict[str, Any]:
    return {
        "list": info.name,
        "kind": info.kind,
        "jurisdictions": info.jurisdictions,
        "max_distance": info.max_distance,
    }

"""``keywords.json``: words of a list, in the form that a screening node reads. It leaves the house encrypted only.

A file beside a partner's edition, in the one form that :func:`encode_terms` writes; the matcher is
:class:`vigil.match.index.keyword.KeywordMatcher`. Words cannot be compared as digests, since they are met inside texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from vigil.base.redaction import Sealed
from vigil.editions.cipher import SUFFIX, Identity
from vigil.editions.folder import CURRENT, sealed_files
from vigil.editions.limits import EXTRA_BYTES

TERMS_NAME: Final = "keywords.json"
OTHER_TERMS: Final = "keywords-*.json"


@dataclass(frozen=True, slots=True)
class KeywordEntry:
    """One word of one list, as an edition hands it out. ``group``: it counts only beside a word of another group."""

    entry: int
    list: str
    text: Sealed[str]
    whole_word: bool = True
    language: str = ""
    evasions: bool = True
    group: str = ""
    labels: tuple[str, ...] = ()


def encode_terms(name: str, entries: Iterable[KeywordEntry], *, window: int = 200) -> bytes:
    """The file of one list. Groups count in pairs, at most ``window`` characters apart; a pair reports its first word."""
    terms = sorted(entries, key=lambda each: each.entry)
    groups = sorted({each.group for each in terms} - {""})
    together = [
        {"entry": min(each.entry for each in terms if each.group == one), "first": one, "second": other, "window": window}
        for place, one in enumerate(groups)
        for other in groups[place + 1 :]
    ]
    document: dict[str, Any] = {"list": name, "terms": [_term(each) for each in terms], "together": together, "allowed": []}
    return msgspec.json.encode(document, order="sorted")


def terms_in(folder: Path, identity: Identity | None) -> list[bytes]:
    """The files of words beside a partner's edition in ``folder`` (or in a client's state), decrypted; none in a plain one."""
    current = (folder / CURRENT).resolve()
    place = current if current.is_dir() else folder
    names = [path.name.removesuffix(SUFFIX) for path in sorted(place.glob(f"keywords*.json{SUFFIX}"))]
    if not names:
        return []
    read = sealed_files(place, identity).read
    return [read(name, EXTRA_BYTES.value) for name in names]


def _term(entry: KeywordEntry) -> dict[str, Any]:
    return {
        "entry": entry.entry, "text": entry.text.open(), "whole_word": entry.whole_word, "language": entry.language,
        "evasions": entry.evasions, "group": entry.group, "labels": list(entry.labels),
    }  # fmt: skip

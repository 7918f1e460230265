"""Match before view: is this address or this file listed already? Answers name entries by number, never by content."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np
from django.conf import settings

from vigil.base.errors import VigilError
from vigil.editions.load import load_edition
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.proposals import LEAST_QUALITY, of_media
from vigil.hotline.lists.queries import entries_covering, entries_with, last_published
from vigil.hotline.reports.models import Media, Url
from vigil.match.index.hamming_twin import HammingTwin

EXACT, NEAR = "exact", "near"


@dataclass(frozen=True, slots=True)
class Known:
    """An entry that was met: its number, the list, by what (a scope or an algorithm), how (``exact`` or ``near``), and at
    what distance in bits."""

    entry: int
    list: str
    by: str
    strength: str
    distance: int = 0
    imported: bool = False
    """Met in what a partner sent, which ``list`` names; it has no number of ours."""
    origin: UUID | None = None
    """The entry of the partner that was met."""


def known_address(url: Url) -> list[Known]:
    """Entries in force that cover a reported address."""
    covering = entries_covering(url.canonical.open())
    return [Known(entry.number, entry.list.name, entry.scope, EXACT) for entry in covering]


def known_files(files: Iterable[Media]) -> dict[UUID, list[Known]]:
    """Entries in force that each file meets: by its digests, and by PDQ within the distance of the list.

    Near matches are looked for in the edition in force, so an entry that is not published yet is met exactly only.
    """
    media = list(files)
    found, near = _exact(media), _near(media)
    for key, known in found.items():
        met = {each.entry for each in known}
        known += [each for each in near.get(key, []) if each.entry not in met]
    return found


def _exact(media: list[Media]) -> dict[UUID, list[Known]]:
    """For each file the entries that have one of its digests, by their numbers: one question for all files."""
    named = {row.pk: {proposal.digest(): proposal.algorithm for proposal in of_media([row])} for row in media}
    wanted = sorted({digest for digests in named.values() for digest in digests})
    entries = entries_with(wanted)
    return {
        key: [Known(each.number, each.list.name, digests[each.digest], EXACT) for each in entries if each.digest in digests]
        for key, digests in named.items()
    }


def _near(media: list[Media]) -> dict[UUID, list[Known]]:
    """For each file the entries whose PDQ is near: one search and one question for all files."""
    listed = _listed_pictures() if media else None
    if listed is None:
        return {}
    codes = {row.pk: code for row in media if (code := _code(row)) is not None}
    if not codes:
        return {}
    offsets, places, distances = listed.codes.search(np.stack(list(codes.values())))
    found = {
        key: [
            Known(int(listed.entries[place]), listed.names[listed.lists[place]], "pdq", NEAR, int(distance))
            for place, distance in zip(places[start:end], distances[start:end], strict=True)
            if distance <= listed.distances[listed.lists[place]]
        ]
        for key, start, end in zip(codes, offsets[:-1], offsets[1:], strict=True)
    }
    entries = {known.entry for near in found.values() for known in near}
    alive = set(ListEntry.objects.filter(pk__in=entries, tombstone=False).values_list("pk", flat=True)) if entries else set()
    return {key: [known for known in near if known.entry in alive] for key, near in found.items()}


def _code(media: Media) -> np.ndarray[tuple[int], np.dtype[np.uint8]] | None:
    """The PDQ of a file, where it is good enough to be compared."""
    row = next((row for row in media.hashes.all() if row.algorithm == "pdq"), None)
    if row is None or (row.quality or 0) < LEAST_QUALITY:
        return None
    return np.frombuffer(bytes.fromhex(row.value.open()), np.uint8)


@dataclass(frozen=True, slots=True)
class _Listed:
    """The PDQ column of the edition in force."""

    number: int
    codes: HammingTwin
    entries: np.ndarray[tuple[int], np.dtype[np.uint64]]
    lists: np.ndarray[tuple[int], np.dtype[np.uint16]]
    names: tuple[str, ...]
    distances: tuple[int, ...]


_lock: Final = threading.Lock()
_kept: dict[str, _Listed | None] = {}


def _listed_pictures() -> _Listed | None:
    """The edition's PDQ column, read once for each edition; None where there is none or it cannot be read."""
    published = last_published()
    if published is None or published.number is None:
        return None
    key = f"{settings.EDITIONS}#{published.number}"
    with _lock:
        if key not in _kept:
            _kept.clear()
            _kept[key] = _read(Path(settings.EDITIONS), published.number)
        return _kept[key]


def _read(folder: Path, number: int) -> _Listed | None:
    try:
        edition = load_edition(folder)
    except (VigilError, OSError):
        return None
    column = edition.hashes.get("pdq")
    if column is None:
        return None
    places = np.arange(len(column.values), dtype=np.uint64)
    return _Listed(
        number, HammingTwin(column.values, places), column.entries, column.lists,
        tuple(info.name for info in edition.lists), tuple(info.max_distance for info in edition.lists),
    )  # fmt: skip

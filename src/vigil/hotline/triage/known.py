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
from vigil.hotline.lists.queries import entries_covering, last_published
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
    found = {row.pk: _exact(row) for row in media}
    for row in media:
        met = {known.entry for known in found[row.pk]}
        found[row.pk] += [known for known in _near(row) if known.entry not in met]
    return found


def _exact(media: Media) -> list[Known]:
    digests = {proposal.digest(): proposal.algorithm for proposal in of_media([media])}
    entries = ListEntry.objects.filter(digest__in=list(digests), tombstone=False).select_related("list")
    return [Known(entry.number, entry.list.name, digests[entry.digest], EXACT) for entry in entries.order_by("number")]


def _near(media: Media) -> list[Known]:
    listed = _listed_pictures()
    row = next((row for row in media.hashes.all() if row.algorithm == "pdq"), None)
    if listed is None or row is None or (row.quality or 0) < LEAST_QUALITY:
        return []
    query = np.frombuffer(bytes.fromhex(row.value.open()), np.uint8)[None, :]
    _, places, distances = listed.codes.search(query)
    near = [
        Known(int(listed.entries[place]), listed.names[listed.lists[place]], "pdq", NEAR, int(distance))
        for place, distance in zip(places, distances, strict=True)
        if distance <= listed.distances[listed.lists[place]]
    ]
    alive = set(ListEntry.objects.filter(pk__in=[known.entry for known in near], tombstone=False).values_list("pk", flat=True))
    return [known for known in near if known.entry in alive]


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

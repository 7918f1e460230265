"""The hashes of an edition as a folder of files that every worker maps, and the verdict on a file by them.

The rules are those of an enforcement node: strongest evidence first, a distance within that of the entry's list, ``unknown``
with a reason where a signal could not be had and nothing else hits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vigil.editions.model import Edition, HashColumns
from vigil.match.hashing import ALGORITHMS, Kind
from vigil.match.index import DigestTable, HammingIndex
from vigil.match.verdict import Outcome, Verdict
from vigil.media.model import Flag, ImageHashes, Unhashable, VideoHashes

EXACT: Final = ("sha256", "sha1", "md5")
NEAR: Final = "pdq"
MEDIA: Final = "media"
LEAST_QUALITY: Final = 50
SUPPORTED: Final = (*EXACT, NEAR)


def write_listed(edition: Edition, folder: Path) -> None:
    """Write the hashes of ``edition`` into an empty folder."""
    for name, columns in edition.hashes.items():
        if name in SUPPORTED and len(columns.entries):
            _write(name, columns, edition, folder)
    about = {
        "number": edition.number, "lists": [info.name for info in edition.lists],
        "labels": {name: columns.labels.sets for name, columns in edition.hashes.items()},
        "unsupported": sorted(set(edition.hashes) - set(SUPPORTED)),
    }  # fmt: skip
    (folder / "about.json").write_text(json.dumps(about))


def _write(name: str, columns: HashColumns, edition: Edition, folder: Path) -> None:
    ids = np.arange(len(columns.entries), dtype=np.uint64)
    DigestTable.build(columns.values, ids, folder / f"{name}.exact")
    near = ALGORITHMS[name].kind is Kind.PERCEPTUAL
    if near:
        HammingIndex.build(columns.values, ids, folder / f"{name}.near")
    furthest = np.array([info.max_distance for info in edition.lists] or [0], np.int64)[columns.lists]
    columns_of: dict[str, npt.NDArray[Any]] = {
        "entries": columns.entries, "lists": columns.lists, "expires": columns.expires, "labels": columns.labels.codes,
        "furthest": furthest if near else np.zeros(len(ids), np.int64),
    }  # fmt: skip
    for column, values in columns_of.items():
        np.save(folder / f"{name}.{column}.npy", values)


@dataclass(frozen=True, slots=True)
class _Table:
    exact: DigestTable
    near: HammingIndex | None
    rows: dict[str, npt.NDArray[Any]]
    reach: int


class Listed:
    """The folder, opened: shared by all processes of a machine through the page cache."""

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "about.json").read_text())
        self.number: int = about["number"]
        self._lists: list[str] = about["lists"]
        self._labels: dict[str, list[list[str]]] = about["labels"]
        self._tables = {name: _open(folder, name) for name in SUPPORTED if (folder / f"{name}.exact").exists()}

    def verdict(self, found: ImageHashes | VideoHashes | Unhashable, now: datetime) -> Verdict:
        """The verdict on a file by its hashes."""
        seconds = int(now.timestamp())
        for name in EXACT:
            if (hit := self._hit(name, getattr(found, name), seconds, near=False)) is not None:
                return hit
        looks, reasons = _looks(found)
        for code, near in looks:
            if (hit := self._hit(NEAR, code, seconds, near=near)) is not None:
                return hit
        if reasons:
            return Verdict(Outcome.UNKNOWN, self.number, MEDIA, reason=reasons[0])
        return Verdict(Outcome.NOT_LISTED, self.number, MEDIA)

    def _hit(self, name: str, value: bytes, seconds: int, *, near: bool) -> Verdict | None:
        table = self._tables.get(name)
        if table is None:
            return None
        code = np.frombuffer(value, np.uint8).reshape(1, -1)
        if near and table.near is not None:
            _, ids, distances = table.near.search(code, table.reach, threads=1)
        else:
            _, ids = table.exact.search(code)
            distances = np.zeros(len(ids), np.uint8)
        return self._best(name, table, zip(ids.tolist(), distances.tolist(), strict=True), seconds)

    def _best(self, name: str, table: _Table, pairs: Iterable[tuple[int, int]], seconds: int) -> Verdict | None:
        rows = table.rows
        alive = [
            (int(rows["lists"][row]), distance, int(rows["entries"][row]), row)
            for row, distance in pairs
            if distance <= rows["furthest"][row] and (rows["expires"][row] == 0 or rows["expires"][row] > seconds)
        ]
        if not alive:
            return None
        place, distance, entry, row = min(alive)
        labels = tuple(self._labels[name][int(rows["labels"][row])])
        return Verdict(Outcome.LISTED, self.number, name, self._lists[place], entry, distance, labels)


def _open(folder: Path, name: str) -> _Table:
    rows = {
        column: np.load(folder / f"{name}.{column}.npy", mmap_mode="r")
        for column in ("entries", "lists", "expires", "labels", "furthest")
    }
    near = HammingIndex.open(folder / f"{name}.near") if (folder / f"{name}.near").exists() else None
    return _Table(DigestTable.open(folder / f"{name}.exact"), near, rows, int(rows["furthest"].max(initial=0)))


def _looks(found: ImageHashes | VideoHashes | Unhashable) -> tuple[list[tuple[bytes, bool]], list[str]]:
    """PDQ values with whether each is compared by distance, and why there are fewer than there should be."""
    if isinstance(found, Unhashable):
        return [], [found.reason.value]
    if isinstance(found, VideoHashes):
        good = [(frame.pdq, True) for frame in found.frames if frame.quality >= LEAST_QUALITY]
        cut = ["frames_cut"] if Flag.FRAMES_CUT in found.flags else []
        return good, ["low_quality"] if not good else cut
    looks = [(found.pdq, not found.low_quality), *((each.pdq, each.quality >= LEAST_QUALITY) for each in found.extras)]
    return looks, ["low_quality"] if found.low_quality else []

"""Hamming search the slow, obvious way: compare with every code. It stays beside the index for life."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Found = tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint8]]


@dataclass
class HammingTwin:
    """``codes`` (n, 32) uint8 and ``ids`` (n,) uint64, in memory."""

    codes: NDArray[np.uint8]
    ids: NDArray[np.uint64]
    _live: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self._live = np.ones(len(self.ids), bool)

    def append(self, codes: NDArray[np.uint8], ids: NDArray[np.uint64]) -> None:
        """Add codes; an id that was removed before may come back."""
        self.codes = np.concatenate([self.codes, codes])
        self.ids = np.concatenate([self.ids, ids])
        self._live = np.concatenate([self._live, np.ones(len(ids), bool)])

    def remove(self, ids: NDArray[np.uint64]) -> None:
        """Forget every code stored so far under one of ``ids``."""
        self._live &= ~np.isin(self.ids, ids)

    def search(self, queries: NDArray[np.uint8], max_distance: int = 31) -> Found:
        """Offsets (q + 1,), ids and distances; the hits of a query are sorted by distance, then id."""
        offsets = [0]
        ids: list[NDArray[np.uint64]] = []
        distances: list[NDArray[np.uint8]] = []
        for query in queries:
            apart = np.bitwise_count(self.codes ^ query).sum(axis=1, dtype=np.int64)
            near = np.flatnonzero((apart <= max_distance) & self._live)
            order = near[np.lexsort((self.ids[near], apart[near]))]
            ids.append(self.ids[order])
            distances.append(apart[order].astype(np.uint8))
            offsets.append(offsets[-1] + len(order))
        return (
            np.array(offsets, np.int64),
            np.concatenate(ids) if ids else np.empty(0, np.uint64),
            np.concatenate(distances) if distances else np.empty(0, np.uint8),
        )

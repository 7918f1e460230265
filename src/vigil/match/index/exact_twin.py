"""Exact look-up the slow, obvious way: a dictionary. It stays beside the table for life."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class DigestTwin:
    """``digests`` (n, size) uint8 and ``ids`` (n,) uint64, in memory."""

    def __init__(self, digests: NDArray[np.uint8], ids: NDArray[np.uint64]) -> None:
        self._ids: dict[bytes, list[int]] = {}
        for digest, number in zip(digests, ids, strict=True):
            self._ids.setdefault(digest.tobytes(), []).append(int(number))

    def search(self, digests: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Offsets (q + 1,) and ids; the hits of a query are sorted."""
        offsets, ids = [0], []
        for digest in digests:
            ids.extend(sorted(self._ids.get(digest.tobytes(), [])))
            offsets.append(len(ids))
        return np.array(offsets, np.int64), np.array(ids, np.uint64)

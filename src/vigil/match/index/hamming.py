"""Exact search for codes of 256 bits within a Hamming distance."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vigil.base.files import write_atomically
from vigil.match.index.hamming_twin import Found, HammingTwin


class HammingIndex:
    """An index file, mapped into memory."""

    def __init__(self, twin: HammingTwin) -> None:
        self._twin = twin

    @classmethod
    def build(cls, codes: NDArray[np.uint8], ids: NDArray[np.uint64], path: Path | str) -> HammingIndex:
        """Write the index of ``codes`` (n, 32) uint8 with ``ids`` (n,) uint64 to ``path``, and open it."""
        stream = io.BytesIO()
        np.savez(stream, codes=codes, ids=ids)
        write_atomically(Path(path), stream.getvalue())
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str) -> HammingIndex:
        """Open an index file."""
        with np.load(Path(path)) as stored:
            return cls(HammingTwin(stored["codes"], stored["ids"]))

    def __len__(self) -> int:
        return len(self._twin.ids)

    def search(self, queries: NDArray[np.uint8], max_distance: int = 31) -> Found:
        """``queries`` (q, 32) uint8 -> offsets (q + 1,) int64, ids uint64, distances uint8."""
        return self._twin.search(queries, max_distance)

    def close(self) -> None:
        """Let go of the file."""

"""Exact look-up of digests of one width in a sorted table."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vigil.base.files import write_atomically
from vigil.match.index.exact_twin import DigestTwin


class DigestTable:
    """A table of digests, in memory or mapped from a file."""

    def __init__(self, digests: NDArray[np.uint8], ids: NDArray[np.uint64]) -> None:
        self._twin = DigestTwin(digests, ids)
        self._shape = digests.shape

    @classmethod
    def build(
        cls, digests: NDArray[np.uint8], ids: NDArray[np.uint64], path: Path | str | None = None
    ) -> DigestTable:
        """Sort ``digests`` (n, size) uint8 with ``ids`` (n,) uint64; write to ``path`` unless None."""
        if path is not None:
            stream = io.BytesIO()
            np.savez(stream, digests=digests, ids=ids)
            write_atomically(Path(path), stream.getvalue())
        return cls(digests, ids)

    @classmethod
    def open(cls, path: Path | str) -> DigestTable:
        """Open a table file."""
        with np.load(Path(path)) as stored:
            return cls(stored["digests"], stored["ids"])

    def __len__(self) -> int:
        return self._shape[0]

    def search(self, digests: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """``digests`` (q, size) uint8 -> offsets (q + 1,) int64 and ids uint64, sorted within a query."""
        return self._twin.search(digests)

    def close(self) -> None:
        """Let go of the file."""

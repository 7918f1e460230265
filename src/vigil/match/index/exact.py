"""Exact look-up of digests of one width (MD5, SHA-1, SHA-256, keys of opaque signals) in a sorted table.

docs/spec/index-format.md describes the file. ``exact_twin`` beside it is the slow, obvious form.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vigil.base.errors import InputError
from vigil.match import _kernel
from vigil.match.index.storage import (
    aligned_zeros,
    checked_ids,
    checked_rows,
    demand,
    mapped,
    new_file,
    threads_here,
)


class DigestTable:
    """A table of digests, in memory or mapped from a file; safe to search from several threads."""

    def __init__(self, view: _kernel.DigestView, name: str) -> None:
        self._view = view
        self._name = name

    @classmethod
    def build(cls, digests: NDArray[np.uint8], ids: NDArray[np.uint64], path: Path | str | None = None) -> DigestTable:
        """Sort ``digests`` (n, size) uint8, size 1 to 256, with ``ids`` (n,) uint64.

        Written to ``path`` in one step, or kept in memory where that is None. Each digest was looked up again before
        the table is handed out. Raises InputError for other shapes and types.
        """
        digests, ids = checked_rows(digests, None, "Digests"), checked_ids(ids, len(digests))
        size = _kernel.digests_length(*digests.shape)
        if path is None:
            room = aligned_zeros(size)
            demand(_kernel.digests_build(digests, ids, threads_here(), room))
            return cls(_open(room, "memory"), "memory")
        with new_file(Path(path), size) as made:
            demand(_kernel.digests_build(digests, ids, threads_here(), made.bytes), Path(path).name)
            made.finish(size)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str) -> DigestTable:
        """Open a table file; its head is checked, not its body. Raises InputError for anything else."""
        path = Path(path)
        with mapped(path) as content:
            return cls(_open(content, path.name), path.name)

    def search(self, digests: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """``digests`` (q, size) uint8 -> offsets (q + 1,) int64 and ids uint64, sorted within a query."""
        status, offsets, ids = self._view.search(checked_rows(digests, self.width, "Digests"))
        demand(status, self._name)
        return offsets, ids

    def holds(self, digest: bytes) -> bool:
        """Whether ``digest`` (``width`` bytes) is stored."""
        status, found = self._view.holds(digest)
        if status:
            demand(status, self._name)
        return found

    def verify(self) -> None:
        """Read the whole table: its checksum, and that each stored digest is found. Raises InputError otherwise."""
        demand(self._view.verify(), self._name)

    @property
    def width(self) -> int:
        """Bytes of a digest."""
        return self._view.width

    def __len__(self) -> int:
        return self._view.rows


def _open(content: NDArray[np.uint8], name: str) -> _kernel.DigestView:
    status, view = _kernel.digests_open(content)
    demand(status, name)
    if view is None:
        raise InputError("index_corrupt", "The table cannot be read.", where=name)
    return view

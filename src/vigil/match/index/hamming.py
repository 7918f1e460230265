"""Exact search for codes of 256 bits within a Hamming distance of at most 31.

The kernel holds the index (native/kernel/hamming.h); docs/explain/matching.md says why it misses nothing, and
docs/spec/index-format.md describes the file. ``hamming_twin`` beside it is the slow, obvious form.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vigil.base.errors import InputError
from vigil.match import _kernel
from vigil.match.index.storage import (
    ISA,
    aligned_zeros,
    checked_ids,
    checked_rows,
    demand,
    mapped,
    new_file,
    threads_here,
    unreadable,
)

CODE_BYTES: Final = 32
LARGEST_DISTANCE: Final = 31
QUERIES_PER_THREAD: Final = 32  # below it a second thread costs more than it saves

Found = tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint8]]
Progress = Callable[[int, int], None]  # steps done, steps in all


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """What one segment of the file holds. ``loads``: mean size of a stored code's bucket, one a band."""

    kind: str  # "codes" or "removals"
    rows: int
    codes: int
    length: int  # bytes
    widths: tuple[int, ...]  # bits, one a band
    loads: tuple[float, ...]


def _quiet(done: int, total: int) -> None:
    """No progress is shown."""


class HammingIndex:
    """An index file, mapped into memory and shared between processes through the page cache.

    Searching is safe from several threads; so is one writer (:meth:`append`, :meth:`remove`) beside any number of
    readers. A reader sees the state of the file when it was opened or last refreshed.
    """

    def __init__(self, path: Path | None, view: _kernel.HammingView) -> None:
        self._path = path
        self._view = view

    @classmethod
    def build(
        cls,
        codes: NDArray[np.uint8],
        ids: NDArray[np.uint64],
        path: Path | str | None = None,
        *,
        threads: int | None = None,
        progress: Progress = _quiet,
        bands: int | None = None,
    ) -> HammingIndex:
        """Write the index of ``codes`` (n, 32) uint8 with ``ids`` (n,) uint64 to ``path``, and open it.

        The file replaces an older one in one step; without a path the index is kept in memory. Before it gets its
        name, each stored code was found through every band. ``bands`` (0, or 10 to 32) overrides the layout that is
        chosen by size. Raises InputError for other shapes and types, RefusedError if the check fails.
        """
        codes, ids = checked_rows(codes, CODE_BYTES, "Codes"), checked_ids(ids, len(codes))
        running = _start(codes, ids, threads, bands)
        size = _kernel.HEAD_BYTES + running.bound
        if path is None:
            room = aligned_zeros(size)
            return cls(None, _view(room[: _fill(running, room, progress)], "memory"))
        with new_file(Path(path), size) as made:
            made.finish(_fill(running, made.bytes, progress))
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str) -> HammingIndex:
        """Open an index file in a time that does not depend on its size: heads and sizes are checked, not the body.

        Raises InputError for a file that is cut, altered in its heads, of another version or no index at all.
        """
        path = Path(path)
        return cls(path, _open(path))

    def search(self, queries: NDArray[np.uint8], max_distance: int = 31, *, threads: int | None = None) -> Found:
        """All stored codes within ``max_distance`` (0 to 31 bits) of ``queries`` (q, 32) uint8.

        Returns offsets (q + 1,) int64, ids uint64 and distances uint8: the hits of query k are at
        ``offsets[k]:offsets[k + 1]``, sorted by distance, then id; an id stored with several near codes stands there
        as often. Exact. The GIL is released; a batch uses ``threads`` (all cores, unless told otherwise).
        """
        return self._search(queries, max_distance, threads, ISA)

    def holds(self, code: bytes, max_distance: int = LARGEST_DISTANCE) -> bool:
        """Whether :meth:`search` would find anything for the one code in ``code`` (32 bytes), at less cost; GIL released."""
        status, found = self._view.holds(code, max_distance, ISA)
        if status:
            demand(status, self._name)
        return found

    def _search(self, queries: NDArray[Any], max_distance: int, threads: int | None, isa: _kernel.Isa) -> Found:
        queries = checked_rows(queries, CODE_BYTES, "Queries")
        if isinstance(max_distance, bool) or not isinstance(max_distance, int | np.integer):
            raise InputError("index_distance", "The largest distance is a whole number of bits.")
        if not 0 <= max_distance <= LARGEST_DISTANCE:
            raise InputError("index_distance", f"The largest distance is 0 to {LARGEST_DISTANCE} bits.")
        hands = threads_here() if threads is None else threads
        hands = max(1, min(hands, len(queries) // QUERIES_PER_THREAD))
        status, offsets, ids, distances = self._view.search(queries, int(max_distance), hands, isa)
        demand(status, self._name)
        return offsets, ids, distances

    def append(self, codes: NDArray[np.uint8], ids: NDArray[np.uint64], *, bands: int | None = None) -> None:
        """Add codes to the file without rebuilding it. They are found by whoever opens or refreshes it afterwards.

        Atomic: the new segment is durable before one sector is rewritten to make it count.
        """
        codes, ids = checked_rows(codes, CODE_BYTES, "Codes"), checked_ids(ids, len(codes))
        running = _start(codes, ids, None, bands)
        segment = aligned_zeros(running.bound)
        self._commit(segment[: _run(running, segment, _quiet)])

    def remove(self, ids: NDArray[np.uint64]) -> None:
        """Forget everything stored so far under ``ids`` (n,) uint64, without rebuilding. Atomic, like ``append``.

        Ids that are not stored are passed over. A code appended later under the same id is found again.
        """
        gone = np.unique(checked_ids(ids))
        segment = aligned_zeros(_kernel.hamming_removals_length(len(gone)))
        demand(_kernel.hamming_removals(gone, segment))
        self._commit(segment)

    def _commit(self, segment: NDArray[np.uint8]) -> None:
        path = self._file()
        try:
            stream = path.open("r+b", buffering=0)
        except OSError as error:
            raise unreadable(path, error) from error
        with stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            current = _open(path, writing=True)
            status, commit, at = current.next_commit(segment)
            demand(status, path.name)
            _write_all(stream.fileno(), segment.tobytes(), current.length)
            os.fsync(stream.fileno())
            _write_all(stream.fileno(), commit, at)
            os.fsync(stream.fileno())
        self.refresh()

    def refresh(self) -> bool:
        """Take up what was appended, removed or replaced since; True if there was anything."""
        before = (self._view.sequence, self._view.length, self._view.rows)
        self._view = _open(self._file())
        return before != (self._view.sequence, self._view.length, self._view.rows)

    def compact(self, path: Path | str, *, progress: Progress = _quiet) -> HammingIndex:
        """Build a new file of one segment from what is stored and not removed. ``path`` may be the file itself."""
        codes, ids = self.rows()
        return HammingIndex.build(codes, ids, path, progress=progress)

    def rows(self) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
        """Codes (n, 32) and ids (n,) that are stored and not removed, in the order of the file."""
        status, codes, ids = self._view.export_rows()
        demand(status, self._name)
        return codes.reshape(-1, CODE_BYTES), ids

    def verify(self, *, threads: int | None = None) -> None:
        """Read the whole file: every checksum, and that each stored code is found through every band.

        Raises InputError or RefusedError at the first fault. Takes about a second for each million codes.
        """
        demand(self._view.verify(threads_here() if threads is None else threads, ISA), self._name)

    def segments(self) -> tuple[SegmentInfo, ...]:
        """The segments of the file, oldest first."""
        names = {1: "codes", 2: "removals"}
        return tuple(
            SegmentInfo(names[kind], rows, codes, length, widths, loads)
            for kind, rows, codes, length, widths, loads in self._view.layout()
        )

    def _file(self) -> Path:
        if self._path is None:
            raise InputError("index_in_memory", "An index in memory cannot be changed.", mend="Build it to a file.")
        return self._path

    @property
    def _name(self) -> str:
        return "memory" if self._path is None else self._path.name

    def __len__(self) -> int:
        """Rows stored, those removed later included."""
        return self._view.rows

    @property
    def file_bytes(self) -> int:
        """Size of the part of the file that counts: what it takes in memory when wholly resident."""
        return self._view.length


def _start(codes: NDArray[np.uint8], ids: NDArray[np.uint64], threads: int | None, bands: int | None) -> _kernel.HammingBuild:
    hands = threads_here() if threads is None else max(1, threads)
    status, running = _kernel.hamming_build(codes, ids, -1 if bands is None else bands, hands, ISA)
    demand(status)
    if running is None:
        raise InputError("index_input", "The index could not be laid out.")
    return running


def _run(running: _kernel.HammingBuild, room: NDArray[np.uint8], progress: Progress) -> int:
    """All steps of a build; the length of the segment."""
    steps = running.steps
    for step in range(steps):
        progress(step, steps)
        demand(running.run(step, room))
    progress(steps, steps)
    return running.length


def _fill(running: _kernel.HammingBuild, room: NDArray[np.uint8], progress: Progress) -> int:
    """A whole file in ``room``: its head and one segment. Returns its length."""
    head = _kernel.HEAD_BYTES
    length = head + _run(running, room[head:], progress)
    status, content = _kernel.hamming_first_commit(room[:length])
    demand(status)
    room[:head] = np.frombuffer(content, np.uint8)
    return length


def _open(path: Path, *, writing: bool = False) -> _kernel.HammingView:
    with mapped(path, writing=writing) as content:
        return _view(content, path.name)


def _view(content: NDArray[np.uint8], name: str) -> _kernel.HammingView:
    status, view = _kernel.hamming_open(content)
    demand(status, name)
    if view is None:
        raise InputError("index_corrupt", "The index file cannot be read.", where=name)
    return view


def _write_all(descriptor: int, content: bytes, at: int) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, memoryview(content)[written:], at + written)

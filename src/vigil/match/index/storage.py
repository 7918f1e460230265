"""Index files on disk: mapped for reading, written whole or not at all, and what the kernel's answers mean."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vigil.base.errors import InputError, RefusedError, UnavailableError, VigilError
from vigil.base.files import sync_folder
from vigil.match import _kernel

Status = _kernel.Status
ISA: Final = _kernel.best_isa()
_REBUILD: Final = "Fetch or build it again."
_SAYS: Final[dict[int, tuple[type[VigilError], str, str, str]]] = {
    Status.BAD_ARGUMENT: (InputError, "index_input", "The index was handed something of the wrong shape.", ""),
    Status.OUT_OF_MEMORY: (UnavailableError, "out_of_memory", "There is not enough memory.", "Free some."),
    Status.NOT_A_NUMBER: (InputError, "index_input", "The index was handed something that is no number.", ""),
    Status.TRUNCATED: (InputError, "index_truncated", "The index file is shorter than it says.", _REBUILD),
    Status.WRONG_MAGIC: (InputError, "index_not_an_index", "This is not an index file of that kind.", _REBUILD),
    Status.WRONG_VERSION: (InputError, "index_version", "The index file is of another version.", _REBUILD),
    Status.WRONG_CHECKSUM: (InputError, "index_checksum", "The index file was altered: a checksum is wrong.", _REBUILD),
    Status.CORRUPT: (InputError, "index_corrupt", "The index file contradicts itself.", _REBUILD),
    Status.UNREACHABLE: (
        RefusedError,
        "index_unreachable",
        "The index does not find every code that it stores, so it must not be used.",
        _REBUILD,
    ),
    Status.TOO_LARGE: (InputError, "index_too_large", "That is more than one index holds.", "Rebuild or split it."),
}


def demand(status: int, where: str = "") -> None:
    """Raise what ``status`` stands for, unless it is OK."""
    if status != Status.OK:
        kind, code, what, mend = _SAYS[status]
        raise kind(code, what, where=where, mend=mend)


def threads_here() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def mapped(path: Path, *, writing: bool = False) -> Iterator[NDArray[np.uint8]]:
    """The bytes of ``path``, mapped read-only and shared between processes; raises InputError where it cannot be.

    Inside the block no append is under way, so that head and length fit together; the writer itself is ``writing``.
    The bytes stay mapped as long as something refers to them.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with stream:
        if not writing:
            fcntl.flock(stream, fcntl.LOCK_SH)
        try:
            yield np.frombuffer(_mapping(stream.fileno(), path), np.uint8)
        finally:
            if not writing:  # the mapping keeps the file open, and would keep the lock
                fcntl.flock(stream, fcntl.LOCK_UN)


def _mapping(descriptor: int, path: Path) -> mmap.mmap:
    if os.fstat(descriptor).st_size == 0:
        demand(Status.TRUNCATED, path.name)
    try:
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> InputError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a plain file"
    return InputError("index_unreadable", f"The index file cannot be opened: {reason}.", where=path.name)


class NewFile:
    """A file in the making, mapped for writing; it takes its name only when :meth:`finish` is called.

    Its room on the disk is taken first: where a mapped page finds none, the system ends the process. Raises InputError for
    a path that cannot be, OSError where there is no room.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        try:
            self._descriptor, self._temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        except OSError as error:
            raise unreadable(path, error) from error
        try:
            os.posix_fallocate(self._descriptor, 0, size)
            self._mapped = mmap.mmap(self._descriptor, size)
        except BaseException:
            os.close(self._descriptor)
            Path(self._temporary).unlink(missing_ok=True)
            raise
        self.bytes: NDArray[np.uint8] = np.frombuffer(self._mapped, np.uint8)

    def finish(self, length: int) -> None:
        """Cut to ``length`` bytes, make durable, and give it its name."""
        self._release()
        os.ftruncate(self._descriptor, length)
        os.fchmod(self._descriptor, 0o644)
        os.fsync(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        Path(self._temporary).replace(self._path)
        sync_folder(self._path.parent)

    def discard(self) -> None:
        """Leave nothing behind, unless it was finished."""
        if self._descriptor < 0:
            return
        self._release()
        os.close(self._descriptor)
        self._descriptor = -1
        Path(self._temporary).unlink(missing_ok=True)

    def _release(self) -> None:
        self.bytes = np.empty(0, np.uint8)
        with contextlib.suppress(BufferError):  # still seen by a traceback; the mapping goes with its last reader
            self._mapped.close()


@contextlib.contextmanager
def new_file(path: Path, size: int) -> Iterator[NewFile]:
    """A :class:`NewFile` of ``size`` bytes, all zero; discarded unless it was finished."""
    made = NewFile(path, size)
    try:
        yield made
    finally:
        made.discard()


def aligned_zeros(size: int) -> NDArray[np.uint8]:
    """``size`` zero bytes at an address that is a multiple of 8."""
    return np.zeros((size + 7) // 8, np.uint64).view(np.uint8)[:size]


def checked_rows(rows: NDArray[Any], width: int | None, what: str) -> NDArray[np.uint8]:
    """``rows`` as contiguous (n, width) uint8, or InputError; nothing is converted in silence."""
    right = isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype == np.uint8
    if not right or (width is not None and rows.shape[1] != width):
        shape = f"(n, {width if width is not None else 'bytes'})"
        raise InputError("index_input", f"{what} are an array {shape} of uint8.")
    return np.ascontiguousarray(rows)


def checked_ids(ids: NDArray[Any], count: int | None = None) -> NDArray[np.uint64]:
    """``ids`` as contiguous (n,) uint64, or InputError."""
    right = isinstance(ids, np.ndarray) and ids.ndim == 1 and ids.dtype == np.uint64
    if not right or (count is not None and ids.shape[0] != count):
        raise InputError("index_input", "Ids are an array (n,) of uint64, one for each row.")
    return np.ascontiguousarray(ids)

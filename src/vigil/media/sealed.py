"""An anonymous file in memory that is filled once and then lent to a confined child: nothing touches a disk."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Sealed:
    """Bytes that are written piece by piece, sealed, and read by whoever is lent ``descriptor``.

    The memory is the kernel's: when the last descriptor is closed its pages go back, and nobody gets them unwiped.
    """

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("vigil-media", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.size = 0
        self._closed = False

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``. Raises OSError where there is no memory for it."""
        left = memoryview(data)
        while left:
            written = os.write(self.descriptor, left)
            self.size += written
            left = left[written:]

    def seal(self) -> None:
        """From now on nobody can change it, this process included."""
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, SEALS)

    @contextmanager
    def mapped(self) -> Iterator[memoryview]:
        """The bytes, where they are; there must be at least one."""
        with mmap.mmap(self.descriptor, self.size, prot=mmap.PROT_READ) as mapping, memoryview(mapping) as view:
            yield view

    def close(self) -> None:
        """Give the memory back; a second time does nothing."""
        if not self._closed:
            self._closed = True
            os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

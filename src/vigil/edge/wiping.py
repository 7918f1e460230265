"""Freed memory is overwritten, so that a memory dump of a node shows nothing of the requests that it has answered."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import sys
from typing import Final

# Python's own pools keep the bytes of freed objects, and so do the C library's caches of each thread: neither is used here,
# and what the C library is given back it fills with this byte (glibc manual, "Memory Allocation Tunables").
FREED_BYTE: Final = 0xA5
ALLOCATOR: Final = "PYTHONMALLOC"
TUNABLES: Final = "GLIBC_TUNABLES"
WHOLE_TUNABLES: Final = "VIGIL_EDGE_TUNABLES"
WIPING: Final = f"glibc.malloc.perturb={FREED_BYTE}:glibc.malloc.tcache_count=0"
# The event loop reads everything it receives into one buffer of its own, at most this large (uvloop: 256,000 bytes).
RINSING: Final = bytes(256 * 1024)
RINSE_SECONDS: Final = 1.0


class Rinse(asyncio.Protocol):
    """Fills the buffer into which the loop reads with zeros once a second: what was received last does not stay in it.

    Nobody can reach that buffer but by being read: the zeros come through a pipe that holds as much as the buffer does.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="rinse")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        inlet, outlet = os.pipe()
        os.set_blocking(outlet, False)
        try:
            fcntl.fcntl(outlet, fcntl.F_SETPIPE_SZ, len(RINSING))
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: self, os.fdopen(inlet, "rb", 0))
            with contextlib.closing(transport):
                while True:
                    await asyncio.sleep(RINSE_SECONDS)
                    with contextlib.suppress(BlockingIOError):  # the last zeros are not read yet: the loop has other work
                        os.write(outlet, RINSING)
        finally:
            os.close(outlet)


def begin_with_wiping() -> None:
    """Begin this program anew, under the same process number, with memory that is overwritten when it is freed.

    An allocator can be chosen only before the interpreter starts. Where PYTHONMALLOC is set the choice was made: by this
    call, or by an operator who would rather have the tenth of the processor time that it costs. Other C libraries than
    glibc have no such setting; there a freed buffer keeps its bytes until it is used again.
    """
    if WHOLE_TUNABLES in os.environ:  # glibc cuts its variable at the first colon while it reads it; workers shall have all
        os.environ[TUNABLES] = os.environ[WHOLE_TUNABLES]
    if ALLOCATOR in os.environ or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return
    tunables = ":".join(filter(None, (os.environ.get(TUNABLES), WIPING)))
    environment = os.environ | {ALLOCATOR: "malloc", TUNABLES: tunables, WHOLE_TUNABLES: tunables}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606  our own program again

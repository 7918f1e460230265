"""One confined child as its parent sees it: start, ask, end. What it says is not believed before it is checked."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

from vigil.base.errors import InputError, UnavailableError
from vigil.media.limits import START_SECONDS
from vigil.media.protocol import LENGTH, Layer, Request, answer_length, decode_ready

COMMAND: Final = (sys.executable, "-I", "-m", "vigil.media.child")
# One thread for linear algebra, few arenas: threads and arenas would only eat the address space that is allowed.
ENVIRONMENT: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "LC_ALL": "C.UTF-8"}
KEPT: Final = ("LD_LIBRARY_PATH", "SYSTEMROOT")


class WorkerGoneError(Exception):
    """The child ended or spoke out of turn; it is of no use any more."""


class WorkerLateError(WorkerGoneError):
    """The child did not answer in time."""


class Worker:
    """A child process and the socket to it. Not thread-safe: the pool lends it to one caller at a time."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """Start the child and wait until it has locked itself in; UnavailableError if it cannot."""
        self.files = 0
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = _start(command, theirs)
        try:
            self.layers: tuple[Layer, ...] = decode_ready(self._receive(START_SECONDS.value))
        except (WorkerGoneError, InputError) as error:
            self.kill()
            raise UnavailableError(
                "decoder_unavailable",
                "The confined decoder could not be started.",
                where=error.where if isinstance(error, InputError) else "",
                mend="Check that Pillow, simplejpeg, pillow-heif and av are installed, and run: vigil doctor.",
            ) from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: Request, descriptor: int) -> None:
        """Hand one file over. Raises WorkerGoneError."""
        self.files += 1
        try:
            socket.send_fds(self._channel, [request.encode()], [descriptor])
        except OSError as error:
            raise WorkerGoneError from error

    def answer(self, seconds: float) -> bytes:
        """The answer within ``seconds``. Raises WorkerLateError or WorkerGoneError; the child is then to be killed."""
        return self._receive(seconds)

    def kill(self) -> None:
        """End the child now and take its exit status, so that nothing of it is left."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def is_quiet(self) -> bool:
        """Alive and silent. An answer that waits before its question was asked would be taken for the next file's."""
        self._channel.setblocking(False)
        try:
            self._channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._channel.setblocking(True)
        return False

    def _receive(self, seconds: float) -> bytes:
        ends = time.monotonic() + seconds
        try:
            length = answer_length(self._exactly(LENGTH.size, ends))
        except InputError as error:
            raise WorkerGoneError from error
        return self._exactly(length, ends)

    def _exactly(self, count: int, ends: float) -> bytes:
        data = bytearray()
        while len(data) < count:
            self._channel.settimeout(max(ends - time.monotonic(), 0.001))
            try:
                piece = self._channel.recv(count - len(data))
            except TimeoutError as error:
                raise WorkerLateError from error
            except OSError as error:
                raise WorkerGoneError from error
            if not piece:
                raise WorkerGoneError
            data += piece
        return bytes(data)


def _start(command: Sequence[str], channel: socket.socket) -> subprocess.Popen[bytes]:
    """A fresh program, not a copy of this process: it inherits no memory, no descriptor but its channel."""
    number = channel.fileno()
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.Popen(  # noqa: S603 - the command is ours, nothing of a stranger's is in it
        [*command, str(os.getpid()), str(number)],
        pass_fds=(number,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=ENVIRONMENT | kept,
    )

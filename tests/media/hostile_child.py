"""A child that was taken over: it is confined as the real one, and then does what its file tells it to.

Run by the tests in place of ``vigil.media.child``. It answers with the error number of what it tried as the width.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from vigil.media import child, pictures, protocol, warm_up
from vigil.media.model import Decoded, Flag, Mode, PdqHash, View
from vigil.media.protocol import Wish

library = ctypes.CDLL(None, use_errno=True)


def hostile(data: memoryview, mode: Mode, wishes: Wish, limit: int) -> Decoded:
    name, _, argument = bytes(data).decode().partition(":")
    number = 0
    try:
        DEEDS[name](argument)
    except OSError as error:
        number = error.errno or 0
    return Decoded(number + 1, 1, 0, "png", Flag(0), (PdqHash(View.PLAIN, bytes(32), 100),))


def crash(argument: str) -> None:
    ctypes.string_at(0)


def loop(argument: str) -> None:
    while True:
        pass


def sleep(argument: str) -> None:
    library.sleep(3600)


def fill_memory(argument: str) -> None:
    held = []
    while True:
        held.append(bytes(64 * 1024 * 1024))


def write_file(argument: str) -> None:
    os.close(os.open(argument, os.O_WRONLY | os.O_CREAT, 0o600))


def read_file(argument: str) -> None:
    os.close(os.open(argument, os.O_RDONLY))


def remove_file(argument: str) -> None:
    Path(argument).unlink()


def open_socket(argument: str) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def execute(argument: str) -> None:
    os.execv("/bin/true", ["true"])


def fork(argument: str) -> None:
    if os.fork() == 0:
        os._exit(0)


def trace_parent(argument: str) -> None:
    if library.ptrace(16, os.getppid(), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def signal_parent(argument: str) -> None:
    os.kill(os.getppid(), signal.SIGTERM)


def executable_memory(argument: str) -> None:
    library.mmap.restype = ctypes.c_void_p
    if library.mmap(None, 4096, 7, 0x22, -1, 0) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")


def raise_limits(argument: str) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def lie(argument: str) -> None:
    bodies = {
        "length": b"\xff\xff\xff\xff",
        "nonsense": b"\x03\x00\x00\x00zzz",
        "size": claim(10**6, 10**6),
        "twice": claim(1, 1),  # and the honest one follows: an answer to a question that was not asked yet
    }
    os.write(child.CHANNEL, bodies[argument])


def claim(width: int, height: int) -> bytes:
    body = protocol.encode_decoded(Decoded(width, height, 0, "png", Flag(0), (PdqHash(View.PLAIN, bytes(32), 1),)))
    return protocol.LENGTH.pack(len(body)) + body


DEEDS: dict[str, Callable[[str], None]] = {
    deed.__name__: deed
    for deed in (
        crash, loop, sleep, fill_memory, write_file, read_file, remove_file, open_socket, execute, fork, trace_parent,
        signal_parent, executable_memory, raise_limits, lie,
    )
}  # fmt: skip

if __name__ == "__main__":
    print(warm_up.__name__, file=sys.stderr)
    pictures.hash_picture = hostile
    child.main()

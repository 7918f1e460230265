"""Squid's external ACL helper: lines in, lines out, over a node or over an edition of its own.

Squid writes many lines at once where ``concurrency`` is set; all that have come are asked in one request. Whatever goes wrong
becomes ``BH``, on which Squid refuses the request: a helper never opens the filter by itself.
"""

from __future__ import annotations

import fcntl
import http.client
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vigil.base.errors import InputError, UnavailableError
from vigil.edge.forward_auth.routes import squid_words
from vigil.edge.squid_lines import BROKEN, ERR, LINE_BYTES, LINES, OK, UNKNOWN, answer_lines

__all__ = ["NodeAsker", "alone_in", "serve", "squid_words"]

PATH: Final = "/auth/squid"
READ_BYTES: Final = 65536
WORDS: Final = frozenset({OK, UNKNOWN, ERR, BROKEN})
Ask = Callable[[list[bytes]], list[bytes]]


class NodeAsker:
    """Asks a node over one kept connection; a broken one is opened again once."""

    def __init__(self, address: str, seconds: float = 2.0) -> None:
        parts = urlsplit(address)
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
            raise InputError("node_address", "This is not the address of a node.", mend="Give one such as http://127.0.0.1:8470.")
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=seconds)

    def __call__(self, lines: list[bytes]) -> list[bytes]:
        """One word a line, in order. Raises UnavailableError."""
        for attempt in (1, 2):
            try:
                return self._ask(lines)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if attempt == 2 or isinstance(error, TimeoutError):
                    raise UnavailableError("node_unreachable", "The node does not answer.") from error
        raise UnavailableError("node_unreachable", "The node does not answer.")

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _ask(self, lines: list[bytes]) -> list[bytes]:
        self._connection.request("POST", PATH, b"".join(line + b"\n" for line in lines))
        answer = self._connection.getresponse()
        words = answer.read(len(lines) * 64 + 4096).splitlines()
        if answer.status != 200 or len(words) != len(lines) or not WORDS.issuperset(words):
            self._connection.close()
            raise UnavailableError("node_refused", "The node did not answer as a node does.", where=f"status {answer.status}")
        return words


@contextmanager
def alone_in(state: Path) -> Iterator[None]:
    """Hold the state folder: two helpers over one would spoil each other's counts. Raises UnavailableError."""
    descriptor = os.open(state / "helper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise UnavailableError(
            "state_taken", "Another helper uses this state folder.", mend="Set children-max=1, or ask a node with --node."
        ) from error
    finally:
        os.close(descriptor)


def batches(descriptor: int) -> Iterator[list[bytes]]:
    """Whole lines as they come, all that are there at once; a line beyond any bound is answered as broken, not kept."""
    rest = b""
    while data := os.read(descriptor, READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        for start in range(0, len(lines), LINES):
            yield lines[start : start + LINES]
        if len(rest) > LINE_BYTES:
            raise InputError("helper_line", "A line of the helper has no end.")


def serve(source: int, target: int, ask: Ask) -> None:
    """Answer until ``source`` ends. Descriptors, because Squid's pipes must not be buffered."""
    for lines in batches(source):
        write_all(target, answer_lines(lines, lambda asked: words_or_broken(ask, asked)))


def words_or_broken(ask: Ask, lines: list[bytes]) -> list[bytes]:
    """``BH`` for all where nobody can answer."""
    try:
        return ask(lines)
    except UnavailableError:
        return [BROKEN] * len(lines)


def write_all(target: int, data: bytes) -> None:
    """Every byte, however small the pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]

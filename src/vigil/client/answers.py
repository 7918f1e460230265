"""Reading an HTTP/1.1 answer (RFC 9112) from a side that may lie: bytes in, a whole answer out. Pure.

A body has the length it declares, is chunked, or ends with the connection. Both at once, a length that is no number, a chunk
that is not as long as it says, heads and bodies beyond their bounds: all refused, because nobody knows where they end.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from vigil.base.errors import InputError
from vigil.base.limits import Limit

T = TypeVar("T")
HEAD_BYTES: Final = Limit(32 * 1024, "bytes", "an answer that never gets to its body must end")
BODY_BYTES: Final = Limit(8 * 1024 * 1024, "bytes", "the answer to the longest batch, with room; no more is held in memory")
CHUNK_LINE: Final = Limit(256, "bytes", "extensions of chunks are not used by anybody")
STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*")
LENGTH: Final = re.compile(rb"[0-9]{1,12}")
CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
NO_BODY: Final = frozenset({204, 304})
SINGLE: Final = frozenset({b"content-length", b"transfer-encoding"})
Steps = Generator[None, None, T]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer. ``reusable``: the connection may carry another question."""

    status: int
    headers: dict[bytes, bytes] = field(repr=False)
    body: bytes = field(repr=False)
    reusable: bool


class AnswerBroken(InputError):  # noqa: N818  named as the other refusals are
    """What came back is no HTTP answer."""

    def __init__(self, what: str) -> None:
        super().__init__("answer_broken", what)


class AnswerReader:
    """Feed bytes as they come; ``answer`` is there once it is whole."""

    def __init__(self) -> None:
        self.answer: HttpAnswer | None = None
        self.started = False
        self._data = bytearray()
        self._ended = False
        self._steps = self._read()

    def feed(self, data: bytes) -> None:
        """More bytes; none at all means that the other side ended."""
        self.started = self.started or bool(data)
        self._data += data
        self._ended = not data
        if self.answer is None:
            next(self._steps, None)

    def _read(self) -> Steps[None]:
        status, minor, headers = yield from self._head()
        while status < 200:
            status, minor, headers = yield from self._head()
        body, bounded = yield from self._body(status, headers)
        options = {option.strip() for option in headers.get(b"connection", b"").lower().split(b",")}
        stays = bounded and minor == 1 and b"close" not in options and not self._data and not self._ended
        self.answer = HttpAnswer(status, headers, body, stays)

    def _head(self) -> Steps[tuple[int, int, dict[bytes, bytes]]]:
        room = HEAD_BYTES.value
        line = yield from self._line(room)
        found = STATUS.fullmatch(line)
        if found is None:
            raise AnswerBroken("What came back does not begin as HTTP.")
        headers: dict[bytes, bytes] = {}
        while line := (yield from self._line(room)):
            room -= len(line) + 2
            _keep(line, headers)
        return int(found[2]), int(found[1]), headers

    def _body(self, status: int, headers: dict[bytes, bytes]) -> Steps[tuple[bytes, bool]]:
        coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
        if status in NO_BODY:
            return b"", True
        if coding is not None:
            if coding.lower() != b"chunked" or length is not None:
                raise AnswerBroken("The length of an answer is not clear.")
            return (yield from self._chunks()), True
        if length is None:
            return (yield from self._rest()), False
        if LENGTH.fullmatch(length) is None or int(length) > BODY_BYTES.value:
            raise AnswerBroken("The length of an answer is not usable.")
        return (yield from self._take(int(length))), True

    def _chunks(self) -> Steps[bytes]:
        body = bytearray()
        while True:
            found = CHUNK.fullmatch((yield from self._line(CHUNK_LINE.value)))
            if found is None or len(body) + int(found[1], 16) > BODY_BYTES.value:
                raise AnswerBroken("A chunk of an answer is not usable.")
            if int(found[1], 16) == 0:
                break
            body += yield from self._take(int(found[1], 16))
            if (yield from self._take(2)) != b"\r\n":
                raise AnswerBroken("A chunk of an answer is not as long as it says.")
        room = HEAD_BYTES.value
        while line := (yield from self._line(room)):
            room -= len(line) + 2
        return bytes(body)

    def _rest(self) -> Steps[bytes]:
        while not self._ended:
            if len(self._data) > BODY_BYTES.value:
                raise AnswerBroken("An answer is too long.")
            yield
        body = bytes(self._data)
        self._data.clear()
        return body

    def _take(self, size: int) -> Steps[bytes]:
        while len(self._data) < size:
            yield from self._more()
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    def _line(self, most: int) -> Steps[bytes]:
        while (end := self._data.find(b"\r\n", 0, max(0, most) + 2)) < 0:
            if len(self._data) > most:
                raise AnswerBroken("A line of an answer is too long.")
            yield from self._more()
        line = bytes(self._data[:end])
        del self._data[: end + 2]
        return line

    def _more(self) -> Steps[None]:
        if self._ended:
            raise AnswerBroken("An answer ended before it was whole.")
        yield


def _keep(line: bytes, headers: dict[bytes, bytes]) -> None:
    found = FIELD.fullmatch(line)
    if found is None:
        raise AnswerBroken("A header of an answer is malformed.")
    name = found[1].lower()
    if name in SINGLE and name in headers:
        raise AnswerBroken("The length of an answer is given twice.")
    headers[name] = found[2]

"""Reads ICAP requests from a stream that may be cut anywhere. Pull: feed bytes, take events; nothing is read ahead.

After the end of a preview the parser waits until it is told what was answered: :meth:`IcapParser.proceed` after
``100 Continue``, :meth:`IcapParser.finish` after any other answer. Held at most: one head, or one line of a body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from vigil.edge.icap.wire import HEAD_END, Head, IcapRefused, Part, read_head, split_sections

CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;[^\r\n]*)?")
IEOF: Final = re.compile(rb";[ \t]*ieof[ \t]*(?:;|$)", re.IGNORECASE)
LINE_BYTES: Final = 4096
TRAILER_BYTES: Final = 8192
BLANK: Final = b"\r\n"


class Mark(Enum):
    """Events without a value."""

    PREVIEW_END = auto()
    END = auto()


@dataclass(slots=True)
class Request:
    """A whole head with the heads it encapsulates; where ``head.has_body``, data and marks follow."""

    head: Head
    sections: dict[Part, bytes] = field(repr=False)


class _State(Enum):
    HEAD = auto()
    SECTIONS = auto()
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    ANSWER = auto()


Event = Request | Mark | bytes


class IcapParser:
    """One connection's requests, in order. Any error is an IcapRefused, after which the parser must not be used."""

    __slots__ = ("_at", "_data", "_ended", "_head", "_left", "_most", "_preview", "_searched", "_state", "_trailer")

    def __init__(self, head_bytes: int) -> None:
        self._data = b""
        self._at = 0
        self._searched = 0
        self._state = _State.HEAD
        self._head: Head | None = None
        self._left = 0
        self._preview: int | None = None
        self._trailer = 0
        self._ended = False
        self._most = head_bytes

    def feed(self, data: bytes) -> None:
        """More bytes of the stream."""
        if self._at < len(self._data):
            self._data = self._data[self._at :] + data
        else:
            self._data = data
        self._searched = max(0, self._searched - self._at)
        self._at = 0

    @property
    def held(self) -> int:
        """Bytes fed and not yet given out."""
        return len(self._data) - self._at

    @property
    def between(self) -> bool:
        """True between two requests, with nothing of the next one read."""
        return self._state is _State.HEAD and self._at >= len(self._data)

    @property
    def in_head(self) -> bool:
        """True while a head is being read."""
        return self._state is _State.HEAD or self._state is _State.SECTIONS

    def next(self) -> Event | None:
        """The next event, or None until more is fed (or, after a preview, until it is answered)."""
        while True:
            state = self._state
            if state is _State.HEAD:
                if not self._read_head():
                    return None
            elif state is _State.SECTIONS:
                return self._read_sections()
            elif state is _State.SIZE:
                if not self._read_size():
                    return None
            elif state is _State.DATA:
                return self._read_data()
            elif state is _State.DATA_END:
                if not self._read_data_end():
                    return None
            elif state is _State.TRAILER:
                return self._read_trailer()
            else:
                return None

    def proceed(self) -> None:
        """The preview was answered with 100: the rest of the body comes."""
        self._require_answer()
        self._preview = None
        self._state = _State.SIZE

    def finish(self) -> None:
        """The preview was answered finally: the next request comes."""
        self._require_answer()
        self._state = _State.HEAD

    def _require_answer(self) -> None:
        if self._state is not _State.ANSWER:
            raise ValueError("no preview waits for an answer")

    def _read_head(self) -> bool:
        data = self._data
        while data[self._at : self._at + 1] in (b"\r", b"\n") and self._at < len(data):
            self._at += 1
        found = HEAD_END.search(data, max(self._at, self._searched - 3))
        if found is None:
            self._searched = len(data)
            if len(data) - self._at > self._most:
                raise IcapRefused(400, "head_too_large", "The head of the request is too large.")
            return False
        if found.end() - self._at > self._most:
            raise IcapRefused(400, "head_too_large", "The head of the request is too large.")
        block = data[self._at : found.start()]
        self._head = read_head(block[:-1] if block.endswith(b"\r") else block)
        self._at, self._searched = found.end(), 0
        if self._head.size > self._most:
            raise IcapRefused(400, "head_too_large", "The encapsulated heads are too large.")
        self._state = _State.SECTIONS
        return True

    def _read_sections(self) -> Request | None:
        head = self._head
        if head is None or len(self._data) - self._at < head.size:
            return None
        block = self._data[self._at : self._at + head.size]
        self._at += head.size
        request = Request(head, split_sections(head, block))
        self._state = _State.SIZE if head.has_body else _State.HEAD
        self._preview = head.preview
        return request

    def _read_size(self) -> bool:
        line = self._line(LINE_BYTES, "chunk_line")
        if line is None:
            return False
        found = CHUNK_LINE.fullmatch(line)
        if found is None:
            raise IcapRefused(400, "chunk_malformed", "The size of a chunk cannot be read.")
        self._left = int(found[1], 16)
        if self._left:
            self._take_from_preview(self._left)
            self._state = _State.DATA
            return True
        self._ended = self._preview is None or (found[2] is not None and IEOF.search(found[2]) is not None)
        self._trailer = 0
        self._state = _State.TRAILER
        return True

    def _take_from_preview(self, size: int) -> None:
        if self._preview is None:
            return
        self._preview -= size
        if self._preview < 0:
            raise IcapRefused(400, "preview_false", "The preview is longer than its header says.")

    def _read_data(self) -> bytes | None:
        part = self._data[self._at : self._at + self._left]
        if not part:
            return None
        self._at += len(part)
        self._left -= len(part)
        if not self._left:
            self._state = _State.DATA_END
        return part

    def _read_data_end(self) -> bool:
        line = self._line(0, "chunk_end")
        if line is None:
            return False
        self._state = _State.SIZE
        return True

    def _read_trailer(self) -> Mark | None:
        while True:
            line = self._line(TRAILER_BYTES, "trailer")
            if line is None:
                return None
            self._trailer += len(line) + len(BLANK)
            if self._trailer > TRAILER_BYTES:
                raise IcapRefused(400, "trailer_too_large", "The trailer is too large.")
            if not line:
                self._state = _State.HEAD if self._ended else _State.ANSWER
                return Mark.END if self._ended else Mark.PREVIEW_END

    def _line(self, most: int, what: str) -> bytes | None:
        """The next line without its ending, at most ``most`` bytes; None until it is whole."""
        end = self._data.find(b"\n", self._at, self._at + most + 2)
        if end < 0:
            if len(self._data) - self._at >= most + 2:
                raise IcapRefused(400, f"{what}_malformed", "A line of the body is too long or has no end.")
            if most == 0 and self._data[self._at : self._at + 1] not in (b"", b"\r"):
                raise IcapRefused(400, f"{what}_malformed", "A chunk is not as long as it says.")
            return None
        line = self._data[self._at : end]
        self._at = end + 1
        if line.endswith(b"\r"):
            line = line[:-1]
        if len(line) > most or b"\r" in line:
            raise IcapRefused(400, f"{what}_malformed", "A line of the body is malformed.")
        return line

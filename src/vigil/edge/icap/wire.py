"""ICAP on the wire: heads read, answers written (RFC 3507). Pure: bytes in, values or bytes out.

Tolerated: bare LF, any case and order of header names, sections listed out of order, a path for an address. Refused with 400:
what has two readings, above all an ``Encapsulated`` header whose offsets lie about where a section ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Final

from vigil.base.errors import InputError

TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,20}) (\S{1,2000}) ICAP/(\d{1,3}\.\d{1,3})")
SERVICE: Final = re.compile(rb"(?:icaps?://[^/?#]*)?/?([^?#]*)(?:[?#].*)?", re.IGNORECASE)
PART: Final = re.compile(rb"(req-hdr|res-hdr|req-body|res-body|opt-body|null-body)[ \t]*=[ \t]*(\d{1,9})", re.IGNORECASE)
HEAD_END: Final = re.compile(rb"\n\r?\n")
VERSION: Final = b"1.0"
SINGLE: Final = frozenset({b"encapsulated", b"preview", b"connection"})
REASONS: Final = {
    100: b"Continue",
    200: b"OK",
    204: b"No Content",
    400: b"Bad Request",
    404: b"Service Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    500: b"Server Error",
    503: b"Service Unavailable",
    505: b"Version Not Supported",
}
HTTP_REASONS: Final = {
    400: b"Bad Request",
    403: b"Forbidden",
    451: b"Unavailable For Legal Reasons",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}
CONTINUE: Final = b"ICAP/1.0 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
IMPERSONAL: Final = frozenset({b"host", b"date", b"encapsulated", b"preview", b"allow", b"connection"})
KEPT_HEADS: Final = 4096
KEPT_BYTES: Final = 1024
Headers = tuple[tuple[bytes, bytes], ...]


class IcapRefused(InputError):  # noqa: N818  named as the other refusals are
    """A request that is answered with ``status`` and the end of the connection: where the next one begins is not known."""

    def __init__(self, status: int, code: str, what: str) -> None:
        super().__init__(code, what)
        self.status = status


class Part(Enum):
    """Sections of an encapsulated message."""

    REQUEST_HEAD = b"req-hdr"
    RESPONSE_HEAD = b"res-hdr"
    REQUEST_BODY = b"req-body"
    RESPONSE_BODY = b"res-body"
    OPTIONS_BODY = b"opt-body"
    NO_BODY = b"null-body"


_PARTS: Final = {part.value: part for part in Part}
_HEADS: Final = (Part.REQUEST_HEAD, Part.RESPONSE_HEAD)


@dataclass(slots=True)
class Head:
    """The head of one request. ``sections`` in order of their offsets, in bytes after the head; the body's comes last.

    ``has_body``: chunks follow the sections. ``size``: bytes of the encapsulated heads. Shared by equal heads: never changed.
    """

    method: bytes
    service: bytes
    headers: dict[bytes, bytes] = field(repr=False)
    sections: tuple[tuple[Part, int], ...]
    preview: int | None
    allow_204: bool
    close: bool
    has_body: bool = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.has_body = bool(self.sections) and self.sections[-1][0] is not Part.NO_BODY
        self.size = self.sections[-1][1] if self.sections else 0


def read_head(block: bytes) -> Head:
    """The head in ``block``, which ends before its empty line. Raises IcapRefused.

    A client says the same few heads again and again. Those are kept that hold nothing but the headers of :data:`IMPERSONAL`:
    not one that names who asks.
    """
    head = _KEPT.get(block)
    if head is None:
        head = _read_head(block)
        if len(block) <= KEPT_BYTES and head.headers.keys() <= IMPERSONAL:
            if len(_KEPT) >= KEPT_HEADS:
                _KEPT.clear()
                _PLAIN.clear()
            _KEPT[block] = head
            if _is_plain(head):
                _PLAIN[block] = head.size
    return head


def _is_plain(head: Head) -> bool:
    """Almost all traffic: a request of HTTP without a body, by a client that takes 204 and goes on."""
    asks = (head.method, head.service) == (b"REQMOD", b"reqmod") and head.allow_204 and not head.close
    return asks and not head.has_body and len(head.sections) == 2 and head.sections[0][0] is Part.REQUEST_HEAD


def plain_size(block: bytes) -> int:
    """Bytes that follow the head in ``block`` where it is plain and was read before; -1 for any other."""
    return _PLAIN.get(block, -1)


def _read_head(block: bytes) -> Head:
    block = block.replace(b"\r\n", b"\n")
    if b"\r" in block or b"\0" in block:
        raise IcapRefused(400, "head_malformed", "A line of the head has a control character.")
    lines = block.split(b"\n")
    method, service = _request_line(lines[0])
    headers = _fields(lines[1:])
    sections = read_encapsulated(headers.get(b"encapsulated"), method)
    allow = headers.get(b"allow", b"")
    return Head(
        method,
        service,
        headers,
        sections,
        _preview(headers.get(b"preview")),
        b"204" in allow and b"204" in [item.strip() for item in allow.split(b",")],
        headers.get(b"connection", b"").lower() == b"close",
    )


_KEPT: Final[dict[bytes, Head]] = {}
_PLAIN: Final[dict[bytes, int]] = {}


@lru_cache(maxsize=64)  # a client says the same line each time: its service, never what it asks about
def _request_line(line: bytes) -> tuple[bytes, bytes]:
    found = REQUEST_LINE.fullmatch(line.rstrip(b" \t"))
    if found is None:
        raise IcapRefused(400, "request_line", "This is not the first line of an ICAP request.")
    if found[3] != VERSION:
        raise IcapRefused(505, "version", "This version of ICAP is not spoken here.")
    service = SERVICE.fullmatch(found[2])
    return found[1], service[1].strip(b"/").lower() if service else b""


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    """Names in small letters; a header that is a list may come in several lines."""
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or TOKEN.fullmatch(name) is None:
            raise IcapRefused(400, "header_malformed", "A header line cannot be read.")
        name, value = name.lower(), value.strip(b" \t")
        if name in fields:
            if name in SINGLE:
                raise IcapRefused(400, "header_twice", "A header that has one value came twice.")
            value = fields[name] + b", " + value
        fields[name] = value
    return fields


def _preview(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > 9:
        raise IcapRefused(400, "preview_malformed", "The preview is not a number.")
    return int(value)


@lru_cache(maxsize=2048)  # a few hundred lengths of heads make up almost all traffic
def read_encapsulated(value: bytes | None, method: bytes) -> tuple[tuple[Part, int], ...]:
    """Sections by offset. Raises IcapRefused where they cannot be true: no body last, no 0 first, two at one place, one twice."""
    if value is None:
        if method in (b"REQMOD", b"RESPMOD"):
            raise IcapRefused(400, "encapsulated_missing", "The request does not say what it encapsulates.")
        return ()
    found = []
    for item in value.split(b","):
        matched = PART.fullmatch(item.strip(b" \t"))
        if matched is None:
            raise _lie()
        found.append((_PARTS[matched[1].lower()], int(matched[2])))
    found.sort(key=_by_offset)
    parts, offsets = [part for part, _ in found], [offset for _, offset in found]
    if offsets[0] or len(set(offsets)) < len(offsets) or len(set(parts)) < len(parts):
        raise _lie()
    if parts[-1] in _HEADS or any(part not in _HEADS for part in parts[:-1]):
        raise _lie()
    return tuple(found)


def _by_offset(item: tuple[Part, int]) -> int:
    return item[1]


def split_sections(head: Head, block: bytes) -> dict[Part, bytes]:
    """The encapsulated heads, each with its empty line, which must be where the offsets say and nowhere before."""
    heads = {}
    for (part, start), (_, end) in zip(head.sections, head.sections[1:], strict=False):
        section = block[start:end]
        ending = HEAD_END.search(section)
        if ending is None or ending.end() != len(section):
            raise _lie()
        heads[part] = section
    return heads


def _lie() -> IcapRefused:
    return IcapRefused(400, "encapsulated_false", "The Encapsulated header does not fit what follows.")


def status(code: int, istag: bytes, *, close: bool = False, more: bytes = b"") -> bytes:
    """An answer without a message in it; ``more`` are whole header lines."""
    ending = b"Connection: close\r\n" if close else b""
    return b"ICAP/1.0 %d %s\r\nISTag: %s\r\n%s%sEncapsulated: null-body=0\r\n\r\n" % (code, REASONS[code], istag, more, ending)


@lru_cache(maxsize=8)
def no_content(istag: bytes, *, close: bool = False) -> bytes:
    """204: go on with what you have."""
    ending = b"Connection: close\r\n" if close else b""
    return b"ICAP/1.0 204 No Content\r\nISTag: %s\r\n%s\r\n" % (istag, ending)


def options(istag: bytes, method: bytes, preview: int, connections: int, seconds: int, *, close: bool = False) -> bytes:
    """What a service can do."""
    lines = (
        b"Methods: %s\r\nService: Vigil edge node\r\nAllow: 204\r\nPreview: %d\r\nTransfer-Preview: *\r\n"
        b"Max-Connections: %d\r\nOptions-TTL: %d\r\n" % (method, preview, connections, seconds)
    )
    return status(200, istag, close=close, more=lines)


def answer(istag: bytes, code: int, headers: Headers, body: bytes, *, close: bool = False) -> bytes:
    """200 with an HTTP answer in it, which the client shows in place of what was asked for."""
    rows = b"".join(b"%s: %s\r\n" % row for row in headers)
    head = b"HTTP/1.1 %d %s\r\n%s\r\n" % (code, HTTP_REASONS.get(code, b"Refused"), rows)
    start = modified(istag, ((b"res-hdr", head),), b"res-body" if body else None, close=close)
    return start + chunk(body) + LAST_CHUNK if body else start


def modified(istag: bytes, heads: Headers, body: bytes | None, *, close: bool = False) -> bytes:
    """The start of a 200: heads by the name of their section; chunks follow where ``body`` names a section."""
    places, at = [], 0
    for name, head in heads:
        places.append(b"%s=%d" % (name, at))
        at += len(head)
    places.append(b"%s=%d" % (body or b"null-body", at))
    ending = b"Connection: close\r\n" if close else b""
    first = b"ICAP/1.0 200 OK\r\nISTag: %s\r\n%sEncapsulated: %s\r\n\r\n" % (istag, ending, b", ".join(places))
    return first + b"".join(head for _, head in heads)


def chunk(data: bytes) -> bytes:
    """One chunk; ``data`` is not empty, because an empty one ends a body."""
    return b"%x\r\n%s\r\n" % (len(data), data)

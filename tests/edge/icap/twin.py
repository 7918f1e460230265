"""A second reader of ICAP, written for clearness: it has the whole stream and reads it line by line.

:func:`slow` and :func:`fast` give the same list for the same stream: each request with its method and sections, each part of
a body in one piece, marks; at the end ``("refused", status)`` or ``("more",)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from vigil.edge.icap.parser import IcapParser, Mark, Request
from vigil.edge.icap.wire import IcapRefused

MOST = 4096
Events = list[tuple[Any, ...]]


class MoreError(Exception):
    """The stream ends here."""


class BadError(Exception):
    """With the status."""


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def line(self, most: int) -> bytes:
        line, end, rest = self.data.partition(b"\n")
        shown = line[:-1] if line[-1:] == b"\r" else line
        if not end:
            if len(line) >= most + 2 or (most == 0 and line not in (b"", b"\r")):
                raise BadError(400)
            raise MoreError
        if len(line) > most + 1 or len(shown) > most or b"\r" in shown:
            raise BadError(400)
        self.data = rest
        return shown

    def head(self) -> list[bytes]:
        self.data = self.data.lstrip(b"\r\n")
        ends = [found for found in (self.data.find(b"\n\n"), self.data.find(b"\n\r\n")) if found >= 0]
        if not ends:
            if len(self.data) > MOST:
                raise BadError(400)
            raise MoreError
        end = min(ends)
        size = end + (2 if self.data[end + 1 : end + 2] == b"\n" else 3)
        if size > MOST:
            raise BadError(400)
        block, self.data = self.data[:end], self.data[size:]
        lines = [line[:-1] if line.endswith(b"\r") else line for line in block.split(b"\n")]
        if any(b"\r" in line or b"\0" in line for line in lines):
            raise BadError(400)
        return lines


def slow(data: bytes, proceed: bool) -> Events:
    reader, events = Reader(data), Events()
    try:
        while True:
            read_request(reader, events, proceed)
    except MoreError:
        events.append(("more",))
    except BadError as bad:
        events.append(("refused", bad.args[0]))
    return events


def read_request(reader: Reader, events: Events, proceed: bool) -> None:
    first, *rest = reader.head()
    words = first.rstrip(b" \t").split(b" ")
    if len(words) != 3 or not re.fullmatch(rb"[A-Z]{1,20}", words[0]) or not 0 < len(words[1]) <= 2000:
        raise BadError(400)
    if re.search(rb"\s", words[1]) or not re.fullmatch(rb"ICAP/\d{1,3}\.\d{1,3}", words[2]):
        raise BadError(400)
    if words[2] != b"ICAP/1.0":
        raise BadError(505)
    headers = read_headers(rest)
    sections = read_encapsulated(headers.get(b"encapsulated", []), words[0])
    preview = headers.get(b"preview", [None])
    if len(preview) > 1 or len(headers.get(b"connection", [])) > 1:
        raise BadError(400)
    if preview[0] is not None and not re.fullmatch(rb"[0-9]{1,9}", preview[0]):
        raise BadError(400)
    total = sections[-1][1] if sections else 0
    if total > MOST:
        raise BadError(400)
    if len(reader.data) < total:
        raise MoreError
    heads = {}
    for place, (name, start) in enumerate(sections[:-1]):
        text = reader.data[start : sections[place + 1][1]]
        whole = [match.end() for match in re.finditer(rb"\n\r?\n", text)]
        if not whole or whole[0] != len(text):
            raise BadError(400)
        heads[name] = text
    reader.data = reader.data[total:]
    events.append(("request", words[0], heads))
    if sections and sections[-1][0] != b"null-body":
        read_body(reader, events, None if preview[0] is None else int(preview[0]), proceed)


def read_headers(lines: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    headers: dict[bytes, list[bytes]] = {}
    for line in lines:
        if b":" not in line or not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", line.split(b":")[0]):
            raise BadError(400)
        name, value = line.split(b":", 1)
        headers.setdefault(name.lower(), []).append(value.strip(b" \t"))
    return headers


def read_encapsulated(values: list[bytes], method: bytes) -> list[tuple[bytes, int]]:
    if not values:
        if method in (b"REQMOD", b"RESPMOD"):
            raise BadError(400)
        return []
    if len(values) > 1:
        raise BadError(400)
    found = []
    for item in values[0].split(b","):
        name, equals, number = item.partition(b"=")
        name, number = name.strip(b" \t").lower(), number.strip(b" \t")
        known = (b"req-hdr", b"res-hdr", b"req-body", b"res-body", b"opt-body", b"null-body")
        if not equals or name not in known or not re.fullmatch(rb"[0-9]{1,9}", number):
            raise BadError(400)
        found.append((name, int(number)))
    found.sort(key=lambda pair: pair[1])
    if found[0][1] != 0 or len({name for name, _ in found}) != len(found) or len({at for _, at in found}) != len(found):
        raise BadError(400)
    if not found[-1][0].endswith(b"-body") or not all(name.endswith(b"-hdr") for name, _ in found[:-1]):
        raise BadError(400)
    return found


def read_body(reader: Reader, events: Events, preview: int | None, proceed: bool) -> None:
    body, seen = b"", 0
    try:
        while True:
            line = reader.line(4096)
            found = re.fullmatch(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;(.*))?", line, re.DOTALL)
            if not found:
                raise BadError(400)
            size = int(found[1], 16)
            if size == 0:
                break
            seen += size
            if preview is not None and seen > preview:
                raise BadError(400)
            part, reader.data = reader.data[:size], reader.data[size:]
            body += part
            if len(part) < size:
                raise MoreError
            reader.line(0)
        words = [word.strip(b" \t").lower() for word in (found[2] or b"").split(b";")]
        read_trailer(reader)
    except (MoreError, BadError):
        events.append(("body", body))
        raise
    events.append(("body", body))
    if preview is None or b"ieof" in words:
        events.append(("end",))
        return
    events.append(("preview end",))
    if proceed:
        read_body(reader, events, None, proceed)


def read_trailer(reader: Reader) -> None:
    size = 0
    while True:
        line = reader.line(8192)
        size += len(line) + 2
        if size > 8192:
            raise BadError(400)
        if not line:
            return


def fast(pieces: Iterable[bytes], proceed: bool) -> Events:
    """The parser's events in the same words."""
    parser, events = IcapParser(MOST), Events()
    body: list[bytes] | None = None
    try:
        for piece in pieces:
            parser.feed(piece)
            while (event := parser.next()) is not None:
                if isinstance(event, Request):
                    events.append(("request", event.head.method, {part.value: text for part, text in event.sections.items()}))
                    body = [] if event.head.has_body else None
                elif isinstance(event, bytes):
                    assert body is not None and event
                    body.append(event)
                else:
                    assert body is not None
                    events.append(("body", b"".join(body)))
                    events.append(("end",) if event is Mark.END else ("preview end",))
                    body = [] if event is Mark.PREVIEW_END and proceed else None
                    if event is Mark.PREVIEW_END:
                        parser.proceed() if proceed else parser.finish()
    except IcapRefused as refused:
        if body is not None:
            events.append(("body", b"".join(body)))
        events.append(("refused", refused.status))
        return events
    if body is not None:
        events.append(("body", b"".join(body)))
    events.append(("more",))
    return events

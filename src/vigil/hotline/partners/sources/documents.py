"""Reading hostile documents: XML without document types, JSON within depth, and what can be saved of a damaged one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, fromstring

import msgspec

from vigil.base.clock import require_utc
from vigil.base.errors import InputError
from vigil.hotline.partners.sources.limits import DEPTH, RECORD_BYTES
from vigil.hotline.partners.sources.record import Flaw

_ENCODING: Final = re.compile(rb"^\s*<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_ASCII_COMPATIBLE: Final = {b"utf-8", b"utf8", b"us-ascii", b"ascii"}
_DECODER: Final = msgspec.json.Decoder()
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Unreadable(InputError):  # noqa: N818 - says what the document is
    """A document that cannot be read; ``flaw`` says how."""

    def __init__(self, flaw: Flaw, what: str) -> None:
        super().__init__(f"document_{flaw.value}", what)
        self.flaw = flaw


def xml(data: bytes) -> Element:
    """The root of an XML document in UTF-8 without a document type. Raises Unreadable."""
    text = utf8(data)
    found = _ENCODING.match(data[:200])
    if found is not None and found[1].lower() not in _ASCII_COMPATIBLE:
        raise Unreadable(Flaw.NOT_UTF8, "The document is written in another encoding than UTF-8.")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Unreadable(Flaw.DOCTYPE, "The document declares a document type or entities.")
    if text.count("<") > 4_000_000 or _depth(text, "<", "</") > DEPTH.value * 4:
        raise Unreadable(Flaw.BOMB, "The document has too many or too deeply nested parts.")
    try:
        # Without a document type, in UTF-8, there are no entities to expand and nothing outside to fetch: what defusedxml
        # refuses was refused above, and the compiled parser takes a fifth of its time.
        root = fromstring(text)  # noqa: S314
    except (ParseError, ValueError) as error:
        raise Unreadable(Flaw.MALFORMED, "The document is not well-formed.") from error
    return root


def json(data: bytes) -> Any:
    """The value of a JSON document in UTF-8. Raises Unreadable."""
    try:
        return _DECODER.decode(data)
    except RecursionError as error:
        raise Unreadable(Flaw.BOMB, "The document is nested too deeply.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(Flaw.NOT_UTF8 if not _is_utf8(data) else Flaw.MALFORMED, "The document is not JSON.") from error


def utf8(data: bytes) -> str:
    """The text. Raises Unreadable."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(Flaw.NOT_UTF8, "The document is not text in UTF-8.") from error


def digest_of_member(data: bytes, name: str) -> str:
    """SHA-256 of one member of a JSON object as it was sent; empty where it cannot be told."""
    try:
        return hashlib.sha256(bytes(_MEMBERS.decode(data)[name])).hexdigest()
    except (msgspec.DecodeError, KeyError, RecursionError, UnicodeDecodeError):
        return ""


def objects_in(data: bytes, member: bytes) -> Iterator[bytes]:
    """The JSON objects of the array called ``member``, one by one, as far as they can be told apart in damaged bytes.

    Counts braces outside strings; an object that never ends is given up to the end of the bytes.
    """
    found = re.search(rb'"' + re.escape(member) + rb'"\s*:\s*\[', data)
    if found is None:
        return
    position = found.end()
    while (start := data.find(b"{", position)) >= 0:
        if data[position:start].strip() not in (b"", b","):
            return
        end = _end_of_object(data, start)
        yield data[start:end]
        position = end


def member_in(data: bytes, name: bytes) -> str | None:
    """The text or number of a simple member, found in bytes that are no document any more."""
    found = re.search(rb'"' + re.escape(name) + rb'"\s*:\s*(?:"((?:[^"\\]|\\.){0,2000})"|([0-9]{1,18}))', data)
    if found is None:
        return None
    if found[2] is not None:
        return found[2].decode()
    try:
        value = _DECODER.decode(b'"' + found[1] + b'"')
    except msgspec.DecodeError:
        return None
    return value if isinstance(value, str) else None


def instant(value: object) -> datetime | None:
    """A time as sources write it: RFC 3339, or Unix seconds. None where there is none that can be read. Always UTC."""
    try:
        if isinstance(value, bool) or value is None or value == "":
            return None
        if isinstance(value, int | float) or (isinstance(value, str) and value.isdigit() and len(value) <= 12):
            return datetime.fromtimestamp(float(value), UTC)
        return require_utc(datetime.fromisoformat(str(value)))
    except (ValueError, OverflowError, OSError, InputError):
        return None


def shown(text: object, length: int = 120) -> str:
    """A text of a stranger that may stand in a table: printable, and not long."""
    written = str(text)
    if not written.isprintable():
        written = "".join(letter if letter.isprintable() else "?" for letter in written)
    return written[:length]


def clipped(raw: str) -> str:
    """A record's text, no longer than is kept of one."""
    return raw[: RECORD_BYTES.value + 1]


def _end_of_object(data: bytes, start: int) -> int:
    depth, position, quoted = 0, start, False
    while position < len(data):
        byte = data[position]
        if quoted:
            position += 1 if byte == 0x5C else 0
            quoted = byte != 0x22
        elif byte == 0x22:
            quoted = True
        elif byte == 0x7B:
            depth += 1
        elif byte == 0x7D:
            depth -= 1
            if depth == 0:
                return position + 1
        position += 1
    return len(data)


def _depth(text: str, opening: str, closing: str) -> int:
    """How far openings outnumber closings, roughly: enough to refuse a tower of tags before a parser climbs it."""
    half = len(text) // 2
    first = text[:half]
    ends = first.count(closing) + first.count("/>") + first.count("<?") + first.count("<!")
    return max(first.count(opening) - first.count(closing) - ends, 0)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

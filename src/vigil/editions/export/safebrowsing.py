"""A Safe Browsing v5 ``HashList`` message of full 32-byte hashes: whole, not a difference, Rice-delta coded.

A client of that kind forms the host and its parent domains, each with the path, its folders and ``/``, and drops scheme
and port. Any expression on a name therefore covers the names below it as well, and one that ends in ``/`` everything
below the path. Only entries whose cover is the same there and here are written. Hashes are plain SHA-256: whoever has
the file can test guesses against it.
"""

from __future__ import annotations

import hashlib
from typing import Final

from vigil.editions.export.model import SCHEME_OR_PORT, Format, Leftover, Occasion, Reason, hashes_left, left
from vigil.editions.export.names import covers_below
from vigil.editions.export.rice import BITS, encode, parameter_for
from vigil.editions.model import EditionContents, UrlEntry
from vigil.match.urls import EntryFlag, Scope, depth_of

FILE: Final = "safebrowsing.bin"
LIST: Final = "vigil-32b"
# A client forms "/" and at most three folders below it.
DEEPEST_PREFIX: Final = 3
# Of a name below, a client forms parent domains of at most five labels.
REACHED_LABELS: Final = 5
WAIT_SECONDS: Final = 60

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``safebrowsing.bin``; the version in it is the number of the edition, eight bytes, big-endian."""
    hashes: set[bytes] = set()
    missing = hashes_left(contents)
    for entry in contents.urls:
        found = expression(entry)
        if isinstance(found, Reason):
            missing.append(left(entry, found))
        else:
            if covers_below(entry) and entry.url.host.count(".") >= REACHED_LABELS:
                missing.append(left(entry, Reason.NAMES_BELOW, partly=True))
            hashes.add(hashlib.sha256(found.encode("ascii")).digest())
    return {FILE: hash_list(sorted(hashes), occasion.number.to_bytes(8, "big"))}, missing


def expression(entry: UrlEntry) -> str | Reason:
    """The one expression that covers in such a client what the entry covers, or why there is none."""
    if entry.flags & SCHEME_OR_PORT:
        return Reason.SCHEME_OR_PORT
    if covers_below(entry) or entry.scope is Scope.IP:
        return f"{entry.url.host}/"
    return _on_address(entry) if entry.url.is_address() else Reason.WOULD_WIDEN


def _on_address(entry: UrlEntry) -> str | Reason:
    """An address has no names below it, so that paths can be told exactly, with a few exceptions."""
    text = entry.url.host + entry.url.path
    if entry.scope is Scope.PREFIX:
        return Reason.PREFIX_TOO_DEEP if depth_of(entry.url.path) > DEEPEST_PREFIX else text
    if EntryFlag.QUERY_SET in entry.flags:
        return Reason.QUERY_SET
    if entry.scope is Scope.URL and entry.url.query:
        return f"{text}?{entry.url.query}"
    # Without a query it would cover any query, and with a final slash the whole folder.
    return Reason.WOULD_WIDEN if entry.scope is Scope.URL or text.endswith("/") else text


def hash_list(hashes: list[bytes], version: bytes) -> bytes:
    """The message (google.security.safebrowsing.v5.HashList). ``hashes`` sorted, 32 bytes each, none twice."""
    parts = [_field(1, _BYTES, LIST.encode()), _field(2, _BYTES, version)]
    parts.append(_field(6, _BYTES, _number(1, WAIT_SECONDS)))
    parts.append(_field(7, _BYTES, hashlib.sha256(b"".join(hashes)).digest()))
    if hashes:
        parts.append(_field(11, _BYTES, _additions([int.from_bytes(each, "big") for each in hashes])))
    return b"".join(parts)


def _additions(numbers: list[int]) -> bytes:
    """RiceDeltaEncoded256Bit: the first number in four parts, the highest first; the rest as differences."""
    first = numbers[0].to_bytes(BITS // 8, "big")
    parts = [_number(1, int.from_bytes(first[:8], "big"))]
    parts += [_field(1 + at, _FIXED64, first[at * 8 : at * 8 + 8][::-1]) for at in (1, 2, 3)]
    if len(numbers) > 1:
        parameter = parameter_for(len(numbers))
        parts += [_number(5, parameter), _number(6, len(numbers) - 1), _field(7, _BYTES, encode(numbers, parameter))]
    return b"".join(parts)


def _number(field: int, value: int) -> bytes:
    """A number as protocol buffers write it; zero is written by leaving it out."""
    return _varint(field << 3 | _VARINT) + _varint(value) if value else b""


def _field(field: int, kind: int, data: bytes) -> bytes:
    return _varint(field << 3 | kind) + (_varint(len(data)) if kind == _BYTES else b"") + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


FORMAT: Final = Format("safebrowsing", "Safe Browsing v5 hash list, 32 bytes", write)

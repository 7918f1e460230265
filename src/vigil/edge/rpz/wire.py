"""Messages between a primary and its secondaries (RFC 1035 4, 1995, 1996, 8945), read and written as bytes. Pure.

Reads what a secondary or our own agent sends and gets: one question, few records, names with pointers that only lead
backwards. Whatever is not exactly that is :class:`Malformed`. Differential oracle in the tests: dnspython.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from struct import error as _STRUCT_ERROR  # noqa: N812
from typing import Final

from vigil.edge.dns.wire import (
    HEADER,
    HEADER_BYTES,
    IN,
    LABEL_BYTES,
    NAME_BYTES,
    NOTIFY,
    TAIL,
    Flag,
    Type,
    name_text,
)

ANY_CLASS: Final = 255
FIXED: Final = Struct(">HHIH")
SOA_TIMES: Final = Struct(">IIIII")
ZONE_POINTER: Final = b"\xc0\x0c"  # the name of the question, which stands at offset 12
POINTER: Final = 0xC0
RECORDS_READ: Final = 16  # a request has at most an SOA, an OPT and a TSIG record; a little more does no harm
SERIAL_HALF: Final = 2**31


class Malformed(Exception):  # noqa: N818  an answer or silence, not a failure of ours
    """No message that can be read; ``number`` and ``flags`` are those of its header, None where there was none."""

    def __init__(self, number: int | None = None, flags: int = 0) -> None:
        super().__init__("malformed")
        self.number, self.flags = number, flags


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """One resource record: its owner for lookup and in wire form, and where its data stand in the message."""

    owner: str
    owner_wire: bytes
    type: int
    kind: int
    ttl: int
    at: int
    data: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """A message with one question, or none (later messages of a transfer). ``last_at``: where its last record begins."""

    number: int
    flags: int
    name: str
    type: int
    kind: int
    question: bytes
    answers: tuple[Record, ...]
    authorities: tuple[Record, ...]
    additional: tuple[Record, ...]
    last_at: int

    @property
    def opcode(self) -> int:
        return self.flags >> 11 & 15

    @property
    def rcode(self) -> int:
        return self.flags & 15


@dataclass(frozen=True, slots=True)
class Soa:
    """The times of a zone in seconds, and its serial."""

    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int


def read_message(raw: bytes, most_records: int = RECORDS_READ) -> Message:
    """The message in ``raw``, which it must fill. Raises :class:`Malformed`."""
    if len(raw) < HEADER_BYTES:
        raise Malformed
    number, flags, questions, *counts = HEADER.unpack_from(raw)
    try:
        if questions > 1 or sum(counts) > most_records:
            raise ValueError
        at, name, record_type, kind, question = HEADER_BYTES, "", 0, 0, b""
        if questions:
            at, wire = _name(raw, at)
            record_type, kind = TAIL.unpack_from(raw, at)
            at += TAIL.size
            name, question = _text(wire), wire + raw[at - TAIL.size : at]
        found: list[Record] = []
        last_at = at
        for _ in range(sum(counts)):
            last_at = at
            at, record = _record(raw, at)
            found.append(record)
        if at != len(raw):
            raise ValueError
    except (ValueError, IndexError, _STRUCT_ERROR):
        raise Malformed(number, flags) from None
    first, second = counts[0], counts[0] + counts[1]
    sections = tuple(found[:first]), tuple(found[first:second]), tuple(found[second:])
    return Message(number, flags, name, record_type, kind, question, *sections, last_at=last_at)


def read_soa(raw: bytes, record: Record) -> Soa:
    """The SOA in ``record`` of the message ``raw``. Raises :class:`Malformed`."""
    try:
        end = record.at + len(record.data)
        at, _ = _name(raw, record.at)
        at, _ = _name(raw, at)
        if at + SOA_TIMES.size != end:
            raise ValueError
        return Soa(*SOA_TIMES.unpack_from(raw, at))
    except (ValueError, IndexError, _STRUCT_ERROR):
        raise Malformed from None


def read_name_in(raw: bytes, at: int) -> tuple[int, str, bytes]:
    """Where the name at ``at`` ends, the name for lookup, and in wire form. ValueError or IndexError where there is none."""
    end, wire = _name(raw, at)
    return end, _text(wire), wire


def is_newer(serial: int, than: int) -> bool:
    """Serial number arithmetic (RFC 1982)."""
    return serial != than and (serial - than) % 2**32 < SERIAL_HALF


@lru_cache(maxsize=64)
def name_wire(name: str) -> bytes:
    """The name of a zone, key or algorithm in wire form: few are ever asked for."""
    return encoded(name)


def encoded(name: str) -> bytes:
    """A name of ordinary labels, without a final dot, in wire form; small letters. ValueError beyond the limits of DNS."""
    labels = [label.encode("ascii") for label in name.lower().split(".")] if name else []
    if any(not 0 < len(label) <= LABEL_BYTES for label in labels):
        raise ValueError("a label must have 1 to 63 octets")
    wire = b"".join(len(label).to_bytes(1, "big") + label for label in labels) + b"\0"
    if len(wire) > NAME_BYTES:
        raise ValueError("a name must have at most 255 octets")
    return wire


def relative(owner: str) -> bytes:
    """``owner`` below the zone of the question, in wire form."""
    return encoded(owner)[:-1] + ZONE_POINTER


def record(owner: bytes, record_type: int, ttl: int, data: bytes, kind: int = IN) -> bytes:
    """A record in wire form."""
    return owner + FIXED.pack(record_type, kind, ttl, len(data)) + data


def soa_record(soa: Soa, ttl: int) -> bytes:
    """The SOA of the zone of the question; nobody is told who runs it."""
    data = _SOA_NAMES + SOA_TIMES.pack(soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum)
    return record(ZONE_POINTER, Type.SOA, ttl, data)


def message(
    number: int,
    flags: int,
    question: bytes,
    answers: bytes = b"",
    count: int = 0,
    authorities: bytes = b"",
    authority_count: int = 0,
    additional: bytes = b"",
) -> bytes:
    """A message with one question and these records."""
    head = HEADER.pack(number, flags, 1 if question else 0, count, authority_count, 1 if additional else 0)
    return head + question + answers + authorities + additional


def question_of(zone: str, record_type: int) -> bytes:
    """The question of a request about ``zone``."""
    return name_wire(zone) + TAIL.pack(record_type, IN)


def notify(number: int, zone: str, soa: Soa, ttl: int) -> bytes:
    """"The zone has changed" (RFC 1996 3.7), with the SOA as a hint."""
    flags = NOTIFY << 11 | Flag.AA
    return message(number, flags, question_of(zone, Type.SOA), soa_record(soa, ttl), 1)


def request(number: int, zone: str, record_type: int, have: Soa | None = None) -> bytes:
    """A secondary's question; ``have`` is what it holds, for IXFR."""
    held = soa_record(have, 0) if have is not None else b""
    return message(number, 0, question_of(zone, record_type), authorities=held, authority_count=have is not None)


def _text(wire: bytes) -> str:
    labels, at = [], 0
    while size := wire[at]:
        labels.append(wire[at + 1 : at + 1 + size])
        at += 1 + size
    return name_text(labels)


def _name(raw: bytes, at: int) -> tuple[int, bytes]:
    """Where the name at ``at`` ends, and the name without pointers. Pointers must lead backwards, hence no loop."""
    parts: list[bytes] = []
    end, size, limit = 0, 0, at
    while length := raw[at]:
        if length & POINTER == POINTER:
            target = (length & ~POINTER) << 8 | raw[at + 1]
            end = end or at + 2
            if target >= limit or target < HEADER_BYTES:
                raise ValueError
            at = limit = target
            continue
        if length > LABEL_BYTES:
            raise ValueError
        size += 1 + length
        if size >= NAME_BYTES or at + 1 + length > len(raw):
            raise ValueError
        parts.append(raw[at : at + 1 + length])
        at += 1 + length
    return end or at + 1, b"".join(parts) + b"\0"


def _record(raw: bytes, at: int) -> tuple[int, Record]:
    end, wire = _name(raw, at)
    record_type, kind, ttl, size = FIXED.unpack_from(raw, end)
    start = end + FIXED.size
    if start + size > len(raw):
        raise ValueError
    return start + size, Record(_text(wire), wire, record_type, kind, ttl, start, raw[start : start + size])


_SOA_NAMES: Final = name_wire("localhost") + name_wire("hostmaster.invalid")

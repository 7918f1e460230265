"""Answers of the DNS door as bytes. Pure.

Each carries the question as it was sent; EDNS only where the question had it (RFC 6891 7), and then an Extended DNS
Error where there is something to say (RFC 8914). An answer too long for its way loses first the text, then its records.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Final

from vigil.edge.dns.wire import (
    DO,
    EDE_OPTION,
    HEADER,
    HEADER_BYTES,
    IN,
    LEAST_UDP_BYTES,
    OPT_FIXED,
    TAIL,
    Ede,
    Flag,
    Query,
    Rcode,
    Refused,
    Type,
)

OPCODE: Final = 0x7800
KEPT: Final = Flag.RD | Flag.CD
OWNER: Final = b"\xc0\x0c"  # the name of the question, which stands at offset 12
RECORD: Final = Struct(">HHIH")
SOA_TIMES: Final = Struct(">IIIII")
# Refresh, retry and expire of a zone that nobody transfers.
REFRESH: Final = 3600
RETRY: Final = 600
EXPIRE: Final = 86400
OUR_PAYLOAD: Final = 1232  # draft-ietf-dnsop-avoid-fragmentation


@dataclass(frozen=True, slots=True)
class Why:
    """An Extended DNS Error: the code, and a short text in UTF-8 that names neither list nor entry."""

    code: Ede
    text: bytes = b""


@dataclass(frozen=True, slots=True)
class Style:
    """What all answers of a door share. ``recursion``: RA is set, as somebody resolves behind it."""

    recursion: bool = False
    ttl: int = 10
    payload: int = OUR_PAYLOAD


def room_for(query: Query, most: int) -> int:
    """Bytes that the asker takes over UDP, and ``most`` at most."""
    return max(LEAST_UDP_BYTES, min(query.edns.payload, most)) if query.edns else LEAST_UDP_BYTES


def plain(query: Query, rcode: Rcode, style: Style, why: Why | None, room: int) -> bytes:
    """``rcode`` without a record: an error."""
    return _fitted(query, rcode, b"", 0, 0, style, why, room)


def negative(query: Query, rcode: Rcode, serial: int, style: Style, why: Why | None, room: int) -> bytes:
    """NXDOMAIN, or with NOERROR that there is no such record; the SOA bounds how long it is kept (RFC 2308 5)."""
    return _fitted(query, rcode, _soa(serial % 2**32, style.ttl), 0, 1, style, why, room)


def addresses(query: Query, packed: Iterable[bytes], style: Style, why: Why | None, room: int) -> bytes:
    """A record for each address: 4 bytes for A, 16 for AAAA."""
    records = [OWNER + RECORD.pack(query.type, IN, style.ttl, len(each)) + each for each in packed]
    return _fitted(query, Rcode.NOERROR, b"".join(records), len(records), 0, style, why, room)


def truncated(query: Query, style: Style, why: Why | None = None, rcode: Rcode = Rcode.NOERROR) -> bytes:
    """"Ask again over TCP": the question alone, with TC."""
    return _joined(query, rcode, Flag.TC, b"", 0, 0, style, why)


def to_refusal(refused: Refused, style: Style) -> bytes:
    """The answer to a message without a question that could be taken: at most as long as what came."""
    if refused.query is not None:
        return _joined(refused.query, refused.rcode, 0, b"", 0, 0, style, None)
    flags = Flag.QR | refused.flags & (OPCODE | Flag.RD) | refused.rcode
    return HEADER.pack(refused.number, flags, 0, 0, 0, 0)


def packed_addresses(texts: Iterable[str]) -> dict[int, tuple[bytes, ...]]:
    """Addresses by the record type that carries them."""
    found: dict[int, list[bytes]] = {Type.A: [], Type.AAAA: []}
    for text in texts:
        address = ipaddress.ip_address(text)
        found[Type.A if address.version == 4 else Type.AAAA].append(address.packed)
    return {kind: tuple(values) for kind, values in found.items()}


@lru_cache(maxsize=16)
def _soa(serial: int, ttl: int) -> bytes:
    data = b"\0\0" + SOA_TIMES.pack(serial, REFRESH, RETRY, EXPIRE, ttl)
    return OWNER + RECORD.pack(Type.SOA, IN, ttl, len(data)) + data


def _fitted(
    query: Query, rcode: Rcode, records: bytes, answers: int, authorities: int, style: Style, why: Why | None, room: int
) -> bytes:
    message = _joined(query, rcode, 0, records, answers, authorities, style, why)
    if len(message) <= room:
        return message
    short = Why(why.code) if why else None
    message = _joined(query, rcode, 0, records, answers, authorities, style, short)
    return message if len(message) <= room else truncated(query, style, short, rcode)


def _joined(
    query: Query, rcode: Rcode, more: int, records: bytes, answers: int, authorities: int, style: Style, why: Why | None
) -> bytes:
    flags = Flag.QR | query.flags & KEPT | more | rcode & 15
    if style.recursion:
        flags |= Flag.RA
    if query.edns is None:
        return HEADER.pack(query.number, flags, 1, answers, authorities, 0) + query.question + records
    opt = _opt(query.edns.dnssec, rcode, style.payload, why)
    return HEADER.pack(query.number, flags, 1, answers, authorities, 1) + query.question + records + opt


@lru_cache(maxsize=256)
def _opt(dnssec: bool, rcode: Rcode, payload: int, why: Why | None) -> bytes:
    option = b"" if why is None else TAIL.pack(EDE_OPTION, 2 + len(why.text)) + why.code.to_bytes(2, "big") + why.text
    extended = (rcode >> 4) << 24 | (DO if dnssec else 0)
    return b"\0" + OPT_FIXED.pack(Type.OPT, payload, extended, len(option)) + option


def forwarded(query: Query, number: int, room: int) -> bytes:
    """The question for the upstream, under another id. EDNS goes from hop to hop (RFC 6891 6.1.1): its OPT is our own."""
    flags = query.flags & (Flag.RD | Flag.AD | Flag.CD)
    head = HEADER.pack(number, flags, 1, 0, 0, query.edns is not None)
    if query.edns is None:
        return head + query.question
    extended = DO if query.edns.dnssec else 0
    return head + query.question + b"\0" + OPT_FIXED.pack(Type.OPT, room, extended, 0)


def answers_to(message: bytes, number: int, query: Query) -> bool:
    """``message`` is an answer to ``query`` as it was forwarded under ``number``: id, kind, and the same question.

    Errors of servers that could not read the question may come without it.
    """
    if len(message) < HEADER_BYTES:
        return False
    found, flags, questions, *_ = HEADER.unpack_from(message)
    if found != number or not flags & Flag.QR or flags & OPCODE:
        return False
    if questions == 0:
        return flags & 15 in (Rcode.FORMERR, Rcode.SERVFAIL, Rcode.NOTIMP, Rcode.REFUSED)
    end = HEADER_BYTES + len(query.question)
    name, tail = message[HEADER_BYTES : end - TAIL.size], message[end - TAIL.size : end]
    same = name.lower() == query.question[: -TAIL.size].lower() and tail == query.question[-TAIL.size :]
    return questions == 1 and same


def returned(message: bytes, query: Query) -> bytes:
    """An upstream's answer as it goes to the asker: unchanged but for the id, and the question as it was asked.

    The question is put back byte by byte where the upstream changed its capital letters; lengths do not change.
    """
    head = query.number.to_bytes(2, "big") + message[2:HEADER_BYTES]
    if message[4:6] == b"\0\0":
        return head + message[HEADER_BYTES:]
    return head + query.question + message[HEADER_BYTES + len(query.question) :]

"""The question in a DNS message (RFC 1035 4), read from bytes. Pure; nothing here resolves, waits or remembers.

A message that must not be answered at all raises :class:`Ignored`; one that gets an error raises :class:`Refused`.
The name is kept as it was sent, so that an answer repeats its capital letters (draft-vixie-dnsext-dns0x20).
Differential oracle in the tests: dnspython.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from struct import Struct
from struct import error as _STRUCT_ERROR  # noqa: N812
from typing import Final

HEADER: Final = Struct(">HHHHHH")
TAIL: Final = Struct(">HH")
OPT_FIXED: Final = Struct(">HHIH")
HEADER_BYTES: Final = 12
NAME_BYTES: Final = 255
LABEL_BYTES: Final = 63
LEAST_UDP_BYTES: Final = 512
PLAIN: Final = re.compile(rb"[a-z0-9_.-]*")
ODD: Final = re.compile(rb"[^!-$&-~]")
META_TYPES: Final = range(128, 255)
# Lengths below the hyphen become dots, capital letters small ones; "!" is what no plain name has, a dot inside a label too.
DOTTED: Final = bytes(
    ord(".") if 0 < byte < ord("-") else byte if PLAIN.fullmatch(bytes((byte,))) and byte != ord(".")
    else byte + 32 if chr(byte).isascii() and chr(byte).isupper() else ord("!")
    for byte in range(256)
)  # fmt: skip


class Flag:
    """Bits of the second word of a header; plain numbers, since an enumeration's operators cost a microsecond each."""

    QR: Final = 0x8000
    AA: Final = 0x0400
    TC: Final = 0x0200
    RD: Final = 0x0100
    RA: Final = 0x0080
    AD: Final = 0x0020
    CD: Final = 0x0010


class Rcode(IntEnum):
    """Response codes; those above 15 need EDNS."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    NOTAUTH = 9
    BADVERS = 16


class Type(IntEnum):
    """The record types that this door knows by number; it carries all others without looking."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    AAAA = 28
    OPT = 41
    TSIG = 250
    IXFR = 251
    AXFR = 252
    ANY = 255


class Ede(IntEnum):
    """Extended DNS Errors (RFC 8914 4) that this door says."""

    NOT_READY = 14
    BLOCKED = 15
    CENSORED = 16
    FILTERED = 17
    PROHIBITED = 18
    NOT_AUTHORITATIVE = 20
    NETWORK_ERROR = 23


IN: Final = 1
QUERY: Final = 0
NOTIFY: Final = 4
EDE_OPTION: Final = 15
DO: Final = 0x8000


class Ignored(Exception):  # noqa: N818  not an error: the message gets no answer
    """Not answered: too short to carry an id, or itself an answer; replying could start a loop."""


class Refused(Exception):  # noqa: N818  an answer, not a failure of ours
    """Answered with ``rcode`` and the words of the header alone, or with ``query`` where one could be read."""

    def __init__(self, rcode: Rcode, number: int, flags: int, query: Query | None = None) -> None:
        super().__init__(rcode.name)
        self.rcode, self.number, self.flags, self.query = rcode, number, flags, query


@dataclass(frozen=True, slots=True)
class Edns:
    """What an OPT record says: longest UDP answer in bytes, and whether DNSSEC records are wanted."""

    payload: int
    dnssec: bool


@dataclass(slots=True, repr=False)
class Query:
    """One question; not to be changed, and not frozen only because that would cost each answer a microsecond.

    ``flags`` is the word of the header; ``question`` its bytes as sent, name, type and class.

    ``name`` is for lookup: small letters, labels joined by dots, no final dot; an octet that no host name has is
    ``%`` and two digits, so that a dot inside a label never becomes one between labels. Empty for the root.
    """

    number: int
    flags: int
    name: str
    type: int
    kind: int
    question: bytes
    edns: Edns | None


def read_query(message: bytes) -> Query:
    """The question of ``message``. Raises :class:`Ignored` or :class:`Refused`."""
    if len(message) < HEADER_BYTES:
        raise Ignored
    number, flags, questions, answers, authorities, additional = HEADER.unpack_from(message)
    if flags & Flag.QR:
        raise Ignored
    if flags >> 11 & 15 != QUERY:
        raise Refused(Rcode.NOTIMP, number, flags)
    try:
        if questions != 1 or additional > 1:
            raise ValueError
        end, name = _name(message)
        record_type, kind = TAIL.unpack_from(message, end)
        end += TAIL.size
        if record_type in (Type.IXFR, Type.AXFR):
            raise Refused(Rcode.REFUSED, number, flags)
        if answers or authorities or record_type in (0, Type.OPT):
            raise ValueError
        version, edns = _edns(message, end) if additional else (0, None)
        if not additional and end != len(message):
            raise ValueError
    except (ValueError, IndexError, _STRUCT_ERROR):
        raise Refused(Rcode.FORMERR, number, flags) from None
    query = Query(number, flags, name, record_type, kind, message[HEADER_BYTES:end], edns)
    refusal = _refusal(query, version)
    if refusal is not None:
        raise Refused(refusal, number, flags, query)
    return query


def _refusal(query: Query, version: int) -> Rcode | None:
    if version:
        return Rcode.BADVERS
    if query.kind != IN:
        return Rcode.REFUSED
    return Rcode.NOTIMP if query.type in META_TYPES else None


def _name(message: bytes) -> tuple[int, str]:
    """Where the name of the question ends, and the name for lookup. ValueError beyond the limits, and for pointers."""
    at, labels = HEADER_BYTES, []
    while size := message[at]:
        if size > LABEL_BYTES:
            raise ValueError
        labels.append(message[at + 1 : at + 1 + size])
        at += 1 + size
    end = at + 1
    if end - HEADER_BYTES > NAME_BYTES:
        raise ValueError
    return end, name_text(labels)


def plain_name(wire: bytes) -> str | None:
    """The name for lookup of one in wire form, which it must fill; None for what :func:`read_query` has to read."""
    at = labels = 0
    try:
        while size := wire[at]:
            at += size + 1
            labels += 1
    except IndexError:
        return None
    # The lengths of labels become the dots before them. One that is long enough to be a letter leaves a dot too few.
    text = wire.translate(DOTTED)
    name = text[1:-1]
    if at + 1 != len(wire) or at >= NAME_BYTES or text.count(b".") != labels or b"!" in name:
        return None
    return name.decode("ascii")


def name_text(labels: list[bytes]) -> str:
    """The name of ``labels`` as :class:`Query` keeps it."""
    text = b".".join(labels).lower()
    if PLAIN.fullmatch(text) and text.count(b".") == max(0, len(labels) - 1):
        return text.decode("ascii")
    return ".".join(ODD.sub(_escaped, label.lower()).replace(b".", b"%2e").decode("ascii") for label in labels)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"%%%02x" % found[0][0]


def _edns(message: bytes, at: int) -> tuple[int, Edns]:
    """The version and the content of the OPT record (RFC 6891 6.1) that must fill the rest of the message."""
    if message[at]:
        raise ValueError
    record_type, payload, extended, size = OPT_FIXED.unpack_from(message, at + 1)
    start = at + 1 + OPT_FIXED.size
    if record_type != Type.OPT or start + size != len(message):
        raise ValueError
    while start < len(message):
        start += TAIL.size + TAIL.unpack_from(message, start)[1]
    if start != len(message):
        raise ValueError
    return extended >> 16 & 255, _edns_of(max(payload, LEAST_UDP_BYTES), bool(extended & DO))


@lru_cache(maxsize=64)
def _edns_of(payload: int, dnssec: bool) -> Edns:
    """Almost all askers say one of a few things."""
    return Edns(payload, dnssec)

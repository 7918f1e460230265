"""Signed DNS messages (TSIG, RFC 8945). Pure: time and keys are handed in.

A request whose key, MAC or time is wrong gets NOTAUTH with the error that RFC 8945 5.2 names, unsigned for BADKEY and
BADSIG, signed for BADTIME and BADTRUNC. A transfer is signed message by message, each over the MAC before it (5.3.1).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from struct import error as _STRUCT_ERROR  # noqa: N812
from typing import Final

from vigil.base.redaction import Sealed
from vigil.edge.dns.wire import HEADER, HEADER_BYTES, TAIL, Type
from vigil.edge.rpz.wire import ANY_CLASS, Malformed, Message, Record, name_wire, read_message, read_name_in, record

FUDGE_SECONDS: Final = 300  # RFC 8945 10
ALGORITHMS: Final = {
    "hmac-sha224": "sha224",
    "hmac-sha256": "sha256",
    "hmac-sha384": "sha384",
    "hmac-sha512": "sha512",
}
TIMES: Final = Struct(">HIH")  # 48 bits of time, 16 of fudge
TIMES_AND_SIZE: Final = Struct(">HIHH")
ENDING: Final = Struct(">HHH")  # original id, error, length of other data
COUNT_AT: Final = 10  # additional records in the header


class TsigError(IntEnum):
    """What a TSIG record says is wrong; 0 is nothing."""

    NONE = 0
    BADSIG = 16
    BADKEY = 17
    BADTIME = 18
    BADTRUNC = 22


class Secret(Sealed[bytes]):
    """The shared secret of a key; never shown, never logged."""


@dataclass(frozen=True, slots=True)
class Key:
    """A shared key: its name as in DNS (small letters, no final dot), its algorithm, its secret."""

    name: str
    algorithm: str
    secret: Secret

    def mac(self, *parts: bytes) -> bytes:
        """The MAC over ``parts``."""
        state = hmac.new(self.secret.open(), digestmod=ALGORITHMS[self.algorithm])
        for part in parts:
            state.update(part)
        return state.digest()


@dataclass(frozen=True, slots=True, repr=False)
class Signature:
    """A TSIG record: ``time`` in unix seconds, ``unsigned`` the message as it was before it was signed."""

    key: str
    key_wire: bytes
    algorithm: str
    algorithm_wire: bytes
    time: int
    fudge: int
    mac: bytes
    error: int
    other: bytes
    unsigned: bytes

    def variables(self) -> bytes:
        """What is signed beside the message (RFC 8945 4.3.3)."""
        return _variables(self.key_wire, self.algorithm_wire, self.time, self.fudge, self.error, self.other)

    def timers(self) -> bytes:
        """The same for later messages of a transfer."""
        return TIMES.pack(self.time >> 32, self.time & 0xFFFFFFFF, self.fudge)


def signature_in(raw: bytes, message: Message) -> Signature | None:
    """The TSIG record of ``message``; None where there is none. Raises :class:`Malformed` where it is not the last record."""
    sections = (*message.answers, *message.authorities, *message.additional)
    found = [each for each in sections if each.type == Type.TSIG]
    if not found:
        return None
    last = message.additional[-1] if message.additional else None
    if last is not found[0] or last.kind != ANY_CLASS or last.ttl:
        raise Malformed(message.number, message.flags)
    try:
        return _signature(raw, message, found[0])
    except (ValueError, IndexError, _STRUCT_ERROR):
        raise Malformed(message.number, message.flags) from None


def _signature(raw: bytes, message: Message, tsig: Record) -> Signature:
    end = tsig.at + len(tsig.data)
    at, algorithm, algorithm_wire = read_name_in(raw, tsig.at)
    high, low, fudge, size = TIMES_AND_SIZE.unpack_from(raw, at)
    at += TIMES_AND_SIZE.size
    mac = raw[at : at + size]
    number, error, others = ENDING.unpack_from(raw, at + size)
    at += size + ENDING.size
    other = raw[at : at + others]
    if at + others != end:
        raise ValueError
    count = HEADER.unpack_from(raw)[5] - 1
    unsigned = number.to_bytes(2, "big") + raw[2:COUNT_AT] + count.to_bytes(2, "big") + raw[HEADER_BYTES : message.last_at]
    return Signature(
        tsig.owner, tsig.owner_wire.lower(), algorithm, algorithm_wire.lower(), high << 32 | low, fudge, mac, error, other,
        unsigned,
    )  # fmt: skip


def verify(found: Signature, keys: dict[str, Key], now: int, request_mac: bytes = b"") -> TsigError:
    """Whether ``found`` was made with one of ``keys`` at about ``now`` (unix); ``request_mac`` for answers."""
    key = keys.get(found.key)
    if key is None or key.algorithm != found.algorithm:
        return TsigError.BADKEY
    prefix = len(request_mac).to_bytes(2, "big") + request_mac if request_mac else b""
    return _checked(found, key.mac(prefix, found.unsigned, found.variables()), now)


def _checked(found: Signature, right: bytes, now: int) -> TsigError:
    if len(found.mac) > len(right):
        return TsigError.BADSIG
    if len(found.mac) < len(right):
        good = len(found.mac) >= max(10, len(right) // 2) and hmac.compare_digest(found.mac, right[: len(found.mac)])
        return TsigError.BADTRUNC if good else TsigError.BADSIG
    if not hmac.compare_digest(found.mac, right):
        return TsigError.BADSIG
    return TsigError.NONE if abs(now - found.time) <= found.fudge else TsigError.BADTIME


class Signer:
    """Signs the messages of one answer one after the other; the first over the MAC of the request."""

    def __init__(self, key: Key, request_mac: bytes) -> None:
        self._key, self._before, self._first = key, request_mac, True

    def sign(self, raw: bytes, now: int, error: TsigError = TsigError.NONE) -> bytes:
        """``raw`` with its TSIG record. BADTIME carries our own time (5.2.3)."""
        other = now.to_bytes(6, "big") if error is TsigError.BADTIME else b""
        names = name_wire(self._key.name), name_wire(self._key.algorithm)
        prefix = len(self._before).to_bytes(2, "big") + self._before if self._before else b""
        if self._first:
            signed = _variables(*names, now, FUDGE_SECONDS, error, other)
        else:
            signed = TIMES.pack(now >> 32, now & 0xFFFFFFFF, FUDGE_SECONDS)
        self._before, self._first = self._key.mac(prefix, raw, signed), False
        return _with_record(raw, *names, now, self._before, error, other)


class Checker:
    """Checks the messages of one answer, each of which must be signed (ours all are)."""

    def __init__(self, key: Key, request_mac: bytes) -> None:
        self._key, self._before, self._first = key, request_mac, True

    def check(self, raw: bytes, message: Message, now: int) -> TsigError:
        """The verdict on the next message."""
        found = signature_in(raw, message)
        if found is None:
            return TsigError.BADSIG
        if found.key != self._key.name or found.algorithm != self._key.algorithm:
            return TsigError.BADKEY
        prefix = len(self._before).to_bytes(2, "big") + self._before
        signed = found.variables() if self._first else found.timers()
        verdict = _checked(found, self._key.mac(prefix, found.unsigned, signed), now)
        self._before, self._first = found.mac, False
        return verdict


def unsigned_error(raw: bytes, found: Signature, error: TsigError) -> bytes:
    """``raw`` with a TSIG record that names the error and signs nothing (BADKEY, BADSIG: 5.3.2)."""
    return _with_record(raw, found.key_wire, found.algorithm_wire, found.time, b"", error, b"")


def mac_of(raw: bytes) -> bytes:
    """The MAC of a message that :class:`Signer` signed."""
    found = signature_in(raw, read_message(raw))
    return found.mac if found else b""


def _variables(key: bytes, algorithm: bytes, time: int, fudge: int, error: int, other: bytes) -> bytes:
    head = key + ANY_CLASS.to_bytes(2, "big") + bytes(4) + algorithm
    return head + TIMES.pack(time >> 32, time & 0xFFFFFFFF, fudge) + TAIL.pack(error, len(other)) + other


def _with_record(raw: bytes, key: bytes, algorithm: bytes, time: int, mac: bytes, error: int, other: bytes) -> bytes:
    data = algorithm + TIMES_AND_SIZE.pack(time >> 32, time & 0xFFFFFFFF, FUDGE_SECONDS, len(mac)) + mac
    data += ENDING.pack(int.from_bytes(raw[:2], "big"), error, len(other)) + other
    count = int.from_bytes(raw[COUNT_AT:HEADER_BYTES], "big") + 1
    return raw[:COUNT_AT] + count.to_bytes(2, "big") + raw[HEADER_BYTES:] + record(key, Type.TSIG, 0, data, ANY_CLASS)

"""SPOP 2.0 on the wire, the protocol between HAProxy and an agent (HAProxy 2.6, doc/SPOE.txt 3). Pure.

Read with a cursor that cannot leave its frame and complains about leftovers. Frames come behind their length; the caller cuts
them. Fragments are never announced and never accepted.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

LENGTH_BYTES: Final = 4
FRAME_BYTES_LEAST: Final = 256  # what every peer must take
FRAME_BYTES: Final = 16_384 - 4  # HAProxy's own default: a buffer less the length
VARINT_BYTES: Final = 10
LARGEST: Final = 2**64 - 1


class FrameType(IntEnum):
    """Kinds of frame."""

    UNSET = 0
    HAPROXY_HELLO = 1
    HAPROXY_DISCONNECT = 2
    NOTIFY = 3
    AGENT_HELLO = 101
    AGENT_DISCONNECT = 102
    ACK = 103


class Flag:
    """Bits of a frame's flags."""

    FIN: Final = 1
    ABORT: Final = 2


class Status(IntEnum):
    """Why a connection ends (3.5)."""

    NORMAL = 0
    IO = 1
    TIMEOUT = 2
    TOO_BIG = 3
    INVALID = 4
    NO_VERSION = 5
    NO_MAX_FRAME_SIZE = 6
    NO_CAPABILITIES = 7
    BAD_VERSION = 8
    BAD_MAX_FRAME_SIZE = 9
    FRAGMENTED = 10
    UNKNOWN = 99


class Kind(IntEnum):
    """Types of a value, in the low four bits of its first byte."""

    NULL = 0
    BOOL = 1
    INT32 = 2
    UINT32 = 3
    INT64 = 4
    UINT64 = 5
    IPV4 = 6
    IPV6 = 7
    STRING = 8
    BINARY = 9


TRUE: Final = 0x10
SET_VAR: Final = 1
SET_VAR_ARGUMENTS: Final = 3
TRANSACTION: Final = 2  # the scope ``txn``
NUMBERS: Final = frozenset({Kind.INT32, Kind.UINT32, Kind.INT64, Kind.UINT64})
Value = None | bool | int | bytes
Pairs = dict[bytes, Value]


class Broken(Exception):  # noqa: N818  an answer, not a failure of ours
    """A frame that ends the connection with ``status``."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """One frame: ``stream`` and ``number`` name the request it belongs to."""

    kind: int
    flags: int
    stream: int
    number: int
    payload: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One message of a NOTIFY: its name and arguments."""

    name: bytes
    arguments: Pairs


class _Cursor:
    """Reads one payload from front to back."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data, self._at = data, at

    @property
    def at(self) -> int:
        return self._at

    @property
    def done(self) -> bool:
        return self._at == len(self._data)

    def byte(self) -> int:
        if self._at >= len(self._data):
            raise Broken(Status.INVALID)
        self._at += 1
        return self._data[self._at - 1]

    def take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise Broken(Status.INVALID)
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self) -> int:
        """A number of variable length (3.1): below 240 one byte, else 4 bits and then 7 at a time."""
        found = self.byte()
        if found < 240:
            return found
        shift = 4
        while True:
            part = self.byte()
            found += part << shift
            if part < 128:
                break
            shift += 7
            if shift > 4 + 7 * VARINT_BYTES:
                raise Broken(Status.INVALID)
        if found > LARGEST:
            raise Broken(Status.INVALID)
        return found

    def string(self) -> bytes:
        return self.take(self.number())

    def value(self) -> Value:
        first = self.byte()
        kind = first & 15
        if kind == Kind.NULL:
            return None
        if kind == Kind.BOOL:
            return bool(first & TRUE)
        if kind in NUMBERS:
            return self.number()
        if kind == Kind.IPV4:
            return ipaddress.IPv4Address(self.take(4)).packed
        if kind == Kind.IPV6:
            return ipaddress.IPv6Address(self.take(16)).packed
        if kind in (Kind.STRING, Kind.BINARY):
            return self.string()
        raise Broken(Status.INVALID)

    def pairs(self, count: int | None = None) -> Pairs:
        """Names with values: ``count`` of them, or all there are. A name twice has two meanings, hence none."""
        found: Pairs = {}
        while not self.done if count is None else len(found) < count:
            name = self.string()
            if name in found:
                raise Broken(Status.INVALID)
            found[name] = self.value()
        return found


def read_frame(data: bytes) -> Frame:
    """The frame in ``data``, which is without its length. Raises :class:`Broken`."""
    cursor = _Cursor(data)
    kind = cursor.byte()
    flags = int.from_bytes(cursor.take(4), "big")
    stream, number = cursor.number(), cursor.number()
    if not flags & Flag.FIN or kind == FrameType.UNSET:
        raise Broken(Status.FRAGMENTED)
    return Frame(kind, flags, stream, number, data[cursor.at :])


def read_pairs(payload: bytes) -> Pairs:
    """The payload of a handshake or an end. Raises :class:`Broken`."""
    return _Cursor(payload).pairs()


def read_messages(payload: bytes) -> list[Message]:
    """The messages of a NOTIFY. Raises :class:`Broken`."""
    cursor, found = _Cursor(payload), []
    while not cursor.done:
        name = cursor.string()
        found.append(Message(name, cursor.pairs(cursor.byte())))
    return found


def read_variables(payload: bytes) -> Pairs:
    """The variables that an ACK sets, by name: what HAProxy makes of our answers. Raises :class:`Broken`."""
    cursor, found = _Cursor(payload), Pairs()
    while not cursor.done:
        if cursor.take(2) != bytes((SET_VAR, SET_VAR_ARGUMENTS)):
            raise Broken(Status.INVALID)
        cursor.byte()
        name = cursor.string()
        found[name] = cursor.value()
    return found


def number(value: int) -> bytes:
    """A number of variable length."""
    if value < 240:
        return bytes((value,))
    out = [value & 15 | 0xF0]
    value = (value - 240) >> 4
    while value >= 128:
        out.append(value & 0x7F | 0x80)
        value = (value - 128) >> 7
    out.append(value)
    return bytes(out)


def string(value: bytes) -> bytes:
    """A string behind its length."""
    return number(len(value)) + value


def typed(value: Value, kind: Kind) -> bytes:
    """A value behind its type."""
    if isinstance(value, bytes):
        return bytes((kind,)) + string(value)
    if isinstance(value, bool):
        return bytes((Kind.BOOL | (TRUE if value else 0),))
    return bytes((Kind.NULL,)) if value is None else bytes((kind,)) + number(value)


def frame(kind: FrameType, stream: int, count: int, payload: bytes) -> bytes:
    """A frame behind its length."""
    body = bytes((kind,)) + Flag.FIN.to_bytes(4, "big") + number(stream) + number(count) + payload
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def set_variable(name: bytes, value: bytes) -> bytes:
    """The action that sets a variable of the transaction to a text."""
    head = bytes((SET_VAR, SET_VAR_ARGUMENTS, TRANSACTION))
    return head + string(name) + typed(value, Kind.STRING)


def hello(version: bytes, frame_bytes: int, capabilities: bytes) -> bytes:
    """Our half of the handshake."""
    pairs = string(b"version") + typed(version, Kind.STRING)
    pairs += string(b"max-frame-size") + typed(frame_bytes, Kind.UINT32)
    pairs += string(b"capabilities") + typed(capabilities, Kind.STRING)
    return frame(FrameType.AGENT_HELLO, 0, 0, pairs)


def disconnect(status: Status) -> bytes:
    """The end of a connection and why; the text repeats nothing of what came."""
    pairs = string(b"status-code") + typed(int(status), Kind.UINT32)
    pairs += string(b"message") + typed(status.name.lower().encode(), Kind.STRING)
    return frame(FrameType.AGENT_DISCONNECT, 0, 0, pairs)

"""HAProxy's side of SPOP, written a second time from its manual: the tests' own client."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

HELLO, DISCONNECT, NOTIFY = 1, 2, 3
AGENT_HELLO, AGENT_DISCONNECT, ACK = 101, 102, 103
Value = bool | int | bytes | None


def varint(value: int) -> bytes:
    if value < 240:
        return struct.pack("B", value)
    out, value = struct.pack("B", 240 + value % 16), (value - 240) // 16
    while value >= 128:
        out, value = out + struct.pack("B", 128 + value % 128), (value - 128) // 128
    return out + struct.pack("B", value)


def unvarint(data: bytes) -> tuple[int, bytes]:
    value, data, scale = data[0], data[1:], 16
    if value < 240:
        return value, data
    while True:
        value += data[0] * scale
        scale *= 128
        if data[0] < 128:
            return value, data[1:]
        data = data[1:]


def text(value: bytes) -> bytes:
    return varint(len(value)) + value


def typed(value: Value) -> bytes:
    if value is None:
        return b"\0"
    if isinstance(value, bool):
        return b"\x11" if value else b"\x01"
    return b"\x03" + varint(value) if isinstance(value, int) else b"\x08" + text(value)


def pairs(**values: Value) -> bytes:
    return b"".join(text(name.replace("_", "-").encode()) + typed(value) for name, value in values.items())


def untyped(data: bytes) -> tuple[Value, bytes]:
    kind, data = data[0], data[1:]
    if kind & 15 == 0:
        return None, data
    if kind & 15 == 1:
        return bool(kind & 16), data
    if kind & 15 in (2, 3, 4, 5):
        return unvarint(data)
    size, data = unvarint(data)
    return data[:size], data[size:]


def unpaired(data: bytes) -> dict[str, Value]:
    found: dict[str, Value] = {}
    while data:
        size, data = unvarint(data)
        name, data = data[:size], data[size:]
        found[name.decode()], data = untyped(data)
    return found


def frame(kind: int, payload: bytes = b"", stream: int = 0, number: int = 0, flags: int = 1) -> bytes:
    body = struct.pack(">BI", kind, flags) + varint(stream) + varint(number) + payload
    return struct.pack(">I", len(body)) + body


def hello(**changes: Value) -> bytes:
    values: dict[str, Value] = {"supported_versions": b"2.0", "max_frame_size": 16380, "capabilities": b"pipelining,async"}
    values |= changes
    return frame(HELLO, pairs(**{name: value for name, value in values.items() if value is not None}))


def notify(stream: int, number: int = 1, message: bytes = b"check-request", **arguments: Value) -> bytes:
    return frame(NOTIFY, text(message) + struct.pack("B", len(arguments)) + pairs(**arguments), stream, number)


@dataclass(frozen=True)
class Got:
    """A frame that came back."""

    kind: int
    stream: int
    number: int
    payload: bytes

    @property
    def variables(self) -> dict[str, bytes]:
        """The variables that an ACK sets."""
        data, found = self.payload, {}
        while data:
            assert data[:3] == b"\x01\x03\x02", "set-var, three arguments, scope txn"
            size, data = unvarint(data[3:])
            name, data = data[:size], data[size:]
            value, data = untyped(data)
            assert isinstance(value, bytes)
            found[name.decode()] = value
        return found

    @property
    def status(self) -> Value:
        """Why a connection ends."""
        return unpaired(self.payload)["status-code"]


def got(stream: socket.socket) -> Got | None:
    """The next frame; None at the end."""
    head = exactly(stream, 4)
    if head is None:
        return None
    body = exactly(stream, struct.unpack(">I", head)[0])
    assert body is not None and body[1:5] == b"\0\0\0\1"
    number, rest = unvarint(body[5:])
    count, rest = unvarint(rest)
    return Got(body[0], number, count, rest)


def exactly(stream: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = stream.recv(size - len(data))
        if not part:
            return None
        data += part
    return data

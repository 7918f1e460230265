"""The course of one connection with HAProxy, without its socket: bytes in, bytes out, the end and why. Pure.

The handshake comes first, then NOTIFY frames in any number; each is answered by one ACK with its own stream and frame number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vigil.edge.spoe import wire
from vigil.edge.spoe.wire import Broken, Frame, FrameType, Message, Pairs, Status

VERSION: Final = b"2.0"
CAPABILITIES: Final = b"pipelining,async"
ASYNC: Final = b"async"


class Session:
    """``decide``: the actions that answer a message. ``closing``: write what is left and end the connection."""

    def __init__(self, decide: Callable[[Message], bytes]) -> None:
        self._decide = decide
        self._buffer = bytearray()
        self._most = wire.FRAME_BYTES
        self._greeted = False
        self.closing = False
        self.answered = 0
        self.refusals = 0

    @property
    def between(self) -> bool:
        """True where nothing of the next frame has come."""
        return not self._buffer

    def receive(self, data: bytes) -> bytes:
        """Bytes from HAProxy; the bytes to be written."""
        if self.closing:
            return b""
        self._buffer += data
        out: list[bytes] = []
        try:
            while not self.closing and (body := self._next()) is not None:
                out.append(self._on_frame(wire.read_frame(body)))
        except Broken as broken:
            out.append(self._end(broken.status))
        return b"".join(out)

    def late(self) -> bytes:
        """Nothing came for too long."""
        return self._end(Status.TIMEOUT if self._buffer or not self._greeted else Status.NORMAL)

    def fault(self) -> bytes:
        """A mistake of ours."""
        return self._end(Status.UNKNOWN)

    def _end(self, status: Status) -> bytes:
        self.closing = True
        self.refusals += status is not Status.NORMAL
        self._buffer.clear()
        return wire.disconnect(status)

    def _next(self) -> bytes | None:
        if len(self._buffer) < wire.LENGTH_BYTES:
            return None
        size = int.from_bytes(self._buffer[: wire.LENGTH_BYTES], "big")
        if size > self._most:
            raise Broken(Status.TOO_BIG)
        if len(self._buffer) < wire.LENGTH_BYTES + size:
            return None
        body = bytes(self._buffer[wire.LENGTH_BYTES : wire.LENGTH_BYTES + size])
        del self._buffer[: wire.LENGTH_BYTES + size]
        return body

    def _on_frame(self, frame: Frame) -> bytes:
        if frame.kind == FrameType.HAPROXY_HELLO and not self._greeted:
            return self._on_hello(wire.read_pairs(frame.payload))
        if frame.kind == FrameType.NOTIFY and self._greeted:
            actions = b"".join(self._decide(message) for message in wire.read_messages(frame.payload))
            self.answered += 1
            return wire.frame(FrameType.ACK, frame.stream, frame.number, actions)
        if frame.kind == FrameType.HAPROXY_DISCONNECT:
            wire.read_pairs(frame.payload)
            return self._end(Status.NORMAL)
        raise Broken(Status.INVALID)

    def _on_hello(self, pairs: Pairs) -> bytes:
        versions, most, able = (pairs.get(name) for name in (b"supported-versions", b"max-frame-size", b"capabilities"))
        if not isinstance(versions, bytes):
            raise Broken(Status.NO_VERSION)
        if VERSION not in [each.strip() for each in versions.split(b",")]:
            raise Broken(Status.BAD_VERSION)
        if not isinstance(most, int) or isinstance(most, bool):
            raise Broken(Status.NO_MAX_FRAME_SIZE)
        if most < wire.FRAME_BYTES_LEAST:
            raise Broken(Status.BAD_MAX_FRAME_SIZE)
        if not isinstance(able, bytes):
            raise Broken(Status.NO_CAPABILITIES)
        self._most = min(self._most, most)
        self._greeted = True
        self.closing = pairs.get(b"healthcheck") is True
        return wire.hello(VERSION, self._most, CAPABILITIES)

"""Fuzz target: whatever the bytes and wherever they are cut, a session with HAProxy goes on or ends as the protocol says."""

from __future__ import annotations

from tests.edge.spoe import peer

from vigil.edge.spoe import wire
from vigil.edge.spoe.session import Session
from vigil.edge.spoe.wire import Message


def TestOneInput(data: bytes) -> None:
    """Raises where a promise is broken. The first byte: with a handshake before it or not, and where the stream is cut."""
    if not data:
        return
    stream = (peer.hello() if data[0] & 1 else b"") + data[1:]
    cut = len(stream) * (data[0] >> 1) // 128
    whole, pieces = Session(decide), Session(decide)
    said = whole.receive(stream)
    if pieces.receive(stream[:cut]) + pieces.receive(stream[cut:]) != said or pieces.closing != whole.closing:
        raise AssertionError("it matters where the stream is cut")
    if whole.closing and whole.refusals and len(said) < wire.LENGTH_BYTES + 5:
        raise AssertionError("it ended without a word")


def decide(message: Message) -> bytes:
    return wire.set_variable(b"name", message.name[:100])

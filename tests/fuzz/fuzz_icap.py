"""Fuzz target: whatever the bytes and wherever they are cut, the ICAP parser says what its slow twin says."""

from __future__ import annotations

from contextlib import suppress

from tests.edge.icap.twin import fast, slow

from vigil.edge.readings import Unreadable, answer_head, readings_of, request_head


def TestOneInput(data: bytes) -> None:
    """Raises where a promise is broken. The first byte chooses the answer to previews and where the stream is cut."""
    if not data:
        return
    proceed, stream = bool(data[0] & 1), data[1:]
    cut = len(stream) * (data[0] >> 1) // 128
    expected = slow(stream, proceed)
    if fast([stream], proceed) != expected or fast([stream[:cut], stream[cut:]], proceed) != expected:
        raise AssertionError("the parser and its twin differ")
    check_readings(stream)


def check_readings(block: bytes) -> None:
    with suppress(Unreadable):
        if not readings_of(request_head(block)):
            raise AssertionError("a request without a reading")
    with suppress(Unreadable):
        answer_head(block)

"""The codec against a second one, against every cut, and against the order of the protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.spoe import peer

from vigil.edge.spoe import wire
from vigil.edge.spoe.session import Session
from vigil.edge.spoe.wire import Broken, Kind, Message, Status

VALUE = st.none() | st.booleans() | st.integers(0, 2**64 - 1) | st.binary(max_size=300)
PAIRS = st.dictionaries(st.from_regex(r"[a-z]{1,12}", fullmatch=True), VALUE, max_size=6)


@given(st.integers(0, 2**64 - 1))
def test_numbers_of_variable_length(value: int) -> None:
    assert wire.number(value) == peer.varint(value)
    frame = wire.read_frame(peer.frame(3, b"x", value, value)[4:])
    assert (frame.stream, frame.number, frame.payload) == (value, value, b"x")


@given(PAIRS)
def test_values_of_each_type(values: dict[str, peer.Value]) -> None:
    assert wire.read_pairs(peer.pairs(**values)) == {name.encode(): value for name, value in values.items()}
    for value in values.values():
        ours = wire.typed(value, Kind.UINT64 if isinstance(value, int) else Kind.STRING)
        assert peer.untyped(ours) == (value, b"")


def test_a_name_twice_has_two_meanings_and_is_broken() -> None:
    one, other = peer.pairs(url=b"http://a.example/"), peer.pairs(url=b"http://b.example/")
    assert wire.read_pairs(one) == {b"url": b"http://a.example/"}
    with pytest.raises(Broken):
        wire.read_pairs(one + other)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_broken(data: bytes) -> None:
    try:
        frame = wire.read_frame(data)
        wire.read_messages(frame.payload)
    except Broken as broken:
        assert broken.status in (Status.INVALID, Status.FRAGMENTED)


@given(st.binary(max_size=60), st.integers(0, 300))
def test_a_session_ends_or_waits_whatever_comes(data: bytes, at: int) -> None:
    stream = peer.hello() + peer.notify(1, method=b"GET", target=b"/", host=b"a.example")
    stream = stream[:at] + data + stream[at:]
    session = Session(lambda message: b"")
    session.receive(stream)
    assert session.closing or session.answered <= 1


def test_cut_at_every_byte_it_says_the_same() -> None:
    stream = peer.hello() + b"".join(peer.notify(n, n + 1, method=b"GET", n=n) for n in range(3)) + peer.frame(2, peer.pairs())
    whole = Session(lambda message: wire.set_variable(b"n", message.name))
    expected = whole.receive(stream)
    for size in (1, 2, 3, 7):
        session = Session(lambda message: wire.set_variable(b"n", message.name))
        out = b"".join(session.receive(stream[at : at + size]) for at in range(0, len(stream), size))
        assert out == expected and session.closing and session.answered == 3


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (peer.hello(supported_versions=None), Status.NO_VERSION),
        (peer.hello(supported_versions=b"1.0,3.1"), Status.BAD_VERSION),
        (peer.hello(max_frame_size=None), Status.NO_MAX_FRAME_SIZE),
        (peer.hello(max_frame_size=255), Status.BAD_MAX_FRAME_SIZE),
        (peer.hello(capabilities=None), Status.NO_CAPABILITIES),
        (peer.notify(1), Status.INVALID),
        (peer.frame(101, peer.pairs()), Status.INVALID),
        (peer.frame(1, peer.pairs(), flags=0), Status.FRAGMENTED),
        (peer.frame(0, b""), Status.FRAGMENTED),
        (b"\0\1\0\0", Status.TOO_BIG),
        (peer.hello() + peer.hello(), Status.INVALID),
        (peer.hello() + peer.frame(3, b"\x05abc"), Status.INVALID),
        (peer.hello() + peer.frame(3, b"\x01m\x01\x01a\x0f"), Status.INVALID),
        (peer.hello() + peer.frame(3, b"\x01m\x02" + peer.pairs(a=1) * 2), Status.INVALID),
        (peer.hello() + peer.frame(3, b"\xff" * 20), Status.INVALID),
        (peer.hello(max_frame_size=256) + peer.notify(1, target=b"x" * 300), Status.TOO_BIG),
    ],
)
def test_what_breaks_the_protocol_ends_it_with_its_own_status(first: bytes, status: Status) -> None:
    session = Session(lambda message: b"")
    out = session.receive(first)
    assert session.closing and out.endswith(wire.disconnect(status))
    assert session.receive(peer.hello()) == b""


def test_a_health_check_is_a_hello_and_no_more() -> None:
    session = Session(lambda message: b"")
    out = session.receive(peer.hello(healthcheck=True))
    assert session.closing and session.refusals == 0
    assert peer.unpaired(out[4 + 7 :]) == {"version": b"2.0", "max-frame-size": 16380, "capabilities": b"pipelining,async"}


def test_messages_of_others_get_no_variables() -> None:
    seen: list[Message] = []

    def decide(message: Message) -> bytes:
        seen.append(message)
        return b""

    session = Session(decide)
    two = peer.text(b"one") + b"\0" + peer.text(b"two") + b"\1" + peer.pairs(a=b"b")
    out = session.receive(peer.hello() + peer.frame(3, two, 5, 6))
    assert [message.name for message in seen] == [b"one", b"two"] and seen[1].arguments == {b"a": b"b"}
    assert out.endswith(wire.frame(wire.FrameType.ACK, 5, 6, b""))

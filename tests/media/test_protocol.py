"""What parent and child say to each other: what is encoded is read back, and nothing else is."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.media import protocol
from vigil.media.limits import ANSWER_BYTES
from vigil.media.model import Decoded, Flag, Mode, PdqHash, Reason, View
from vigil.media.protocol import Kind, Layer, Request, Wish

LIMIT = 10_000

requests = st.builds(
    Request,
    st.sampled_from(Kind),
    st.sampled_from(Mode),
    st.sampled_from([Wish(0), Wish.VARIANTS, Wish.TRIM, Wish.VARIANTS | Wish.TRIM]),
    st.integers(0, 2**64 - 1),
    *[st.integers(0, 2**32 - 1)] * 4,
)
hashes = st.builds(
    PdqHash,
    st.sampled_from(View),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 100),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
)
plain_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
answers = st.builds(
    Decoded,
    st.integers(1, 100),
    st.integers(1, 100),
    st.integers(0, 2**64 - 1),
    plain_text,
    st.builds(Flag, st.integers(0, protocol.ALL_FLAGS)),
    st.lists(hashes, min_size=1, max_size=12).map(tuple),
)
layers = st.lists(st.builds(Layer, plain_text, st.booleans(), plain_text), max_size=8).map(tuple)


@given(requests)
def test_a_request_is_read_back(request: Request) -> None:
    assert protocol.decode_request(request.encode()) == request


@given(answers)
def test_an_answer_is_read_back(decoded: Decoded) -> None:
    assert protocol.decode_answer(protocol.encode_decoded(decoded), LIMIT) == decoded


@given(layers)
def test_a_greeting_is_read_back(said: tuple[Layer, ...]) -> None:
    assert protocol.decode_ready(protocol.encode_ready(said)) == said


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_read_back(reason: Reason) -> None:
    assert protocol.decode_answer(protocol.encode_unhashable(reason), LIMIT) is reason


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (protocol.decode_request, protocol.decode_ready, protocol.answer_length):
        try:
            read(data)
        except InputError as error:
            assert error.code
    try:
        protocol.decode_answer(data, LIMIT)
    except InputError:
        return


@given(answers, st.data())
def test_every_cut_and_every_leftover_is_noticed(decoded: Decoded, data: st.DataObject) -> None:
    body = protocol.encode_decoded(decoded)
    with pytest.raises(InputError):
        protocol.decode_answer(body[: data.draw(st.integers(0, len(body) - 1))], LIMIT)
    with pytest.raises(InputError) as refused:
        protocol.decode_answer(body + b"\x00", LIMIT)
    assert refused.value.code == "leftover"


def body(**changes: object) -> bytes:
    one = PdqHash(View.PLAIN, bytes(32), 100)
    values: dict[str, object] = {"width": 10, "height": 10, "hashes": (one,)} | changes
    return protocol.encode_decoded(
        Decoded(values["width"], values["height"], 0, "png", Flag(0), values["hashes"])  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (body(width=0), "size_out_of_range"),
        (body(width=101, height=100), "size_out_of_range"),
        (body(width=2**32 - 1, height=2**32 - 1), "size_out_of_range"),
        (body(hashes=()), "no_hashes"),
        (body(hashes=(PdqHash(View.PLAIN, bytes(32), 101),)), "out_of_range"),
        (body(hashes=(PdqHash(View.PLAIN, bytes(32), 1),) * (protocol.HASHES_LIMIT + 1)), "out_of_range"),
        (b"\x03\x07zorblat", "unknown_reason"),
        (b"\x09", "unknown_answer"),
        (b"", "truncated"),
        (protocol.encode_ready(()), "unknown_answer"),
        (body().replace(b"png", b"p\x1bg"), "not_ascii"),
        (body()[:17] + struct.pack("<H", 0xFFFF) + body()[19:], "out_of_range"),
    ],
)
def test_answers_that_must_be_refused(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as refused:
        protocol.decode_answer(data, LIMIT)
    assert refused.value.code == code


@pytest.mark.parametrize("length", [0, ANSWER_BYTES.value + 1, 2**32 - 1])
def test_answers_of_forbidden_length_are_not_awaited(length: int) -> None:
    with pytest.raises(InputError):
        protocol.answer_length(struct.pack("<I", length))


def test_the_largest_honest_answer_fits() -> None:
    many = (PdqHash(View.FRAME, bytes(32), 100),) * protocol.HASHES_LIMIT
    assert len(body(hashes=many)) < ANSWER_BYTES.value

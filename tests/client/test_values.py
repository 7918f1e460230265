"""The pure parts: choices that must be made, addresses, answers byte by byte, pauses, alarms, sources."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.client import AsyncClient, Client, FailClosed, FailOpen, NotListed, Question, Retries, Signal, Timeouts, Unknown
from vigil.client import hashing as hashing_room
from vigil.client.address import NodeAddress
from vigil.client.alarms import AlarmBell
from vigil.client.answers import AnswerBroken, AnswerReader
from vigil.client.hashing import question_of_file


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_the_policy_has_no_default(client: Any) -> None:
    with pytest.raises(TypeError):
        client("https://node.example")
    with pytest.raises(InputError):
        client("https://node.example", policy=None)
    with pytest.raises(InputError):
        client("https://node.example", policy=FailOpen)


def test_a_verdict_is_not_yes_or_no() -> None:
    with pytest.raises(TypeError):
        bool(NotListed(edition=1, signal="url"))
    unknown = Unknown(allowed=True, edition=None, signal="url", reason="deadline")
    assert (unknown.unknown, unknown.listed, unknown.not_listed) == (True, False, False)


@pytest.mark.parametrize(
    "address",
    ["", "node.example", "ftp://node.example", "https://", "https://a b.example", "https://u:p@node.example", "https://node.example/?a",
     "https://node.example/#a", "https://node.example:0", "https://node.example:x", "https://node.example/a\r\nX: y", "https://[::1",
     "http://node.example", "http://192.0.2.1"],
)  # fmt: skip
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(InputError):
        Client(address, policy=FailOpen())


@pytest.mark.parametrize("address", ["http://127.0.0.1:8470", "http://localhost", "http://[::1]:1", "https://node.example/vigil/"])
def test_addresses_that_are_taken(address: str) -> None:
    Client(address, policy=FailOpen()).close()


def test_plain_http_is_a_choice_and_paths_are_kept() -> None:
    found = NodeAddress.of("http://node.example/vigil/", None, plain_http=True)
    assert (found.tls, found.port, found.path, found.authority) == (False, 80, "/vigil", "node.example")


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "zorblät"])
def test_tokens_that_are_refused_are_not_shown(token: str) -> None:
    with pytest.raises(InputError) as refused:
        Client("https://node.example", policy=FailOpen(), token=token)
    assert not token or token not in str(refused.value)


@pytest.mark.parametrize("make", [lambda: Timeouts(call=0), lambda: Timeouts(connect=-1), lambda: Retries(attempts=0)])
def test_limits_have_a_range(make: Any) -> None:
    with pytest.raises(InputError):
        make()


def test_pauses_grow_to_a_bound() -> None:
    assert [Retries(first=0.5, longest=3).most(number) for number in (1, 2, 3, 4, 10)] == [0.5, 1, 2, 3, 3]


WHOLE = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:3\r\nConnection: close\r\n\r\nabc", b"abc", False),
    (b"HTTP/1.0 200\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nTrailer: x\r\n\r\n", b"abc", True),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
]


@pytest.mark.parametrize(("data", "body", "reusable"), WHOLE)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_answers_however_they_are_cut(data: bytes, body: bytes, reusable: bool, step: int) -> None:
    reader = AnswerReader()
    for start in range(0, len(data), step):
        assert reader.answer is None
        reader.feed(data[start : start + step])
    assert reader.answer is not None
    assert (reader.answer.body, reader.answer.reusable) == (body, reusable)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert reader.answer is None
    reader.feed(b"")
    assert reader.answer is not None
    assert (reader.answer.body, reader.answer.reusable) == (b"abc", False)


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([data for data, _, _ in WHOLE])), max_size=6))
def test_any_bytes_are_an_answer_or_refused(pieces: list[bytes]) -> None:
    reader = AnswerReader()
    try:
        for piece in [*pieces, b""]:
            reader.feed(piece)
            if reader.answer is not None:
                return
    except AnswerBroken:
        return
    pytest.fail("neither an answer nor a refusal at the end")


def test_alarms_are_apart_and_count_between() -> None:
    bell = AlarmBell()
    first, second, third = bell.ring("deadline", 2, 0.0), bell.ring("deadline", 3, 59.0), bell.ring("deadline", 4, 61.0)
    assert first is not None and first.questions == 2
    assert second is None
    assert third is not None and third.questions == 7
    bell.answered()
    assert bell.ring("deadline", 1, 62.0) is not None


def test_a_question_survives_the_queue() -> None:
    question = Question("media", (Signal("sha256", "ab"), Signal("pdq", "cd", near=False)), "low_quality", "upload:17")
    assert Question.from_dict(question.as_dict()) == question
    with pytest.raises(InputError) as refused:
        Question.from_dict({"kind": "url", "signals": "zorblat"})
    assert "zorblat" not in str(refused.value)


def test_a_file_too_large_to_decode_keeps_its_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    from vigil.base.limits import Limit

    monkeypatch.setattr(hashing_room, "MEDIA_BYTES", Limit(10, "bytes", "for this test"))
    monkeypatch.setattr(hashing_room, "PIECE", 4)
    question = question_of_file(b"zorblat" * 9, seconds=5)
    assert question.doubt == "too_large"
    exact = hashing_room.hashlib.sha256(b"zorblat" * 9).hexdigest()
    assert question.signals[0] == Signal("sha256", exact)
    with pytest.raises(InputError):
        hashing_room.bytes_of_file(b"zorblat" * 9)


def test_sources_that_cannot_be_read_name_no_path() -> None:
    with Client("https://node.example", policy=FailClosed()) as client:
        with pytest.raises(InputError) as refused:
            client.match_file("zorblat/absent.png")
        assert "zorblat" not in str(refused.value)
        with pytest.raises(InputError):
            client.match_file(cast(Any, io.StringIO("zorblat")))


def test_a_closed_client_says_so() -> None:
    client = Client("https://node.example", policy=FailClosed())
    client.close()
    client.close()
    with pytest.raises(InputError):
        client.check_url("http://quimber.example/")

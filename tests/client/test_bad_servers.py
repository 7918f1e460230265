"""Servers that hang, lie, break off and drip: each becomes an Unknown with its reason, in time, under the chosen policy."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import traceback
from typing import Any

import pytest
from tests.client.faces import FACES
from tests.client.liars import NOT_LISTED, answer, closes, drips, hangs, honest, lying, says, signals_in

from vigil.client import Alarm, Client, FailClosed, FailOpen, NotListed, Pending, Question, Retries, Signal, Timeouts, Unknown
from vigil.client.connections import Line

PAGE = "http://quimber.example/zorblatmarker"
TOKEN = "token-zorblatmarker"
ONCE = Retries(attempts=1)
SHORT = Timeouts(connect=0.5, attempt=0.3, call=0.8)
GOOD = answer({"verdicts": [NOT_LISTED]})
BROKEN = {
    "garbage_json": answer(b'{"verdicts": [zorblat'),
    "json_of_another_shape": answer({"verdicts": "none"}),
    "not_utf8": answer(b'{"verdicts": ["\xff"]}'),
    "deep_json": answer(b"[" * 100_000),
    "too_many_verdicts": answer({"verdicts": [NOT_LISTED, NOT_LISTED]}),
    "no_verdicts": answer({"verdicts": []}),
    "verdict_of_a_new_kind": answer({"verdicts": [{**NOT_LISTED, "verdict": "perhaps"}]}),
    "listed_without_an_entry": answer({"verdicts": [{**NOT_LISTED, "verdict": "listed"}]}),
    "not_http": b"zorblat\r\n\r\n",
    "length_too_short": GOOD.replace(b"Content-Length: 1", b"Content-Length: "),
    "length_no_number": GOOD.replace(b"Content-Length: ", b"Content-Length: -"),
    "length_twice": GOOD.replace(b"Connection", b"Content-Length: 5\r\nConnection"),
    "length_and_chunks": GOOD.replace(b"Connection", b"Transfer-Encoding: chunked\r\nConnection"),
    "enormous_length": GOOD.replace(b"Content-Length: ", b"Content-Length: 99999"),
    "endless_head": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000,
    "many_headers": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 20_000,
    "bad_chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
    "chunk_too_large": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_broken_answers(face: Any, data: bytes) -> None:
    with lying(says(data)) as liar:
        (found,) = face(liar.url, "check_url", PAGE, retries=ONCE)
    assert (found.unknown, found.reason, found.allowed) == (True, "answer_broken", False)


@pytest.mark.parametrize("face", FACES)
def test_an_answer_that_ends_midway(face: Any) -> None:
    with lying(says(GOOD[:-7], close=True)) as liar:
        (found,) = face(liar.url, "check_url", PAGE, retries=ONCE)
    assert found.reason == "answer_broken"


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("behaviour", [hangs, drips, says(GOOD[:-7])], ids=["hangs", "drips", "length_too_long"])
def test_the_deadline_holds(face: Any, behaviour: Any) -> None:
    with lying(behaviour) as liar:
        (found,) = face(liar.url, "check_url", PAGE, timeouts=SHORT, policy=FailOpen())
        assert not liar.over.is_set(), "the server was still at it"
    assert (found.reason, found.allowed, found.listed, found.not_listed) == ("deadline", True, False, False)


@pytest.mark.parametrize("face", FACES)
def test_a_deadline_for_one_call(face: Any) -> None:
    with lying(hangs) as liar:
        (found,) = face(liar.url, "check_urls", [PAGE, PAGE], call={"deadline": 0.2})
    assert [each.reason for each in found] == ["deadline", "deadline"]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("status", "reason", "asked"),
    [(500, "node_fault", 3), (502, "node_fault", 3), (503, "node_busy", 3), (429, "node_busy", 3), (401, "token_refused", 1),
     (403, "token_refused", 1), (302, "request_refused", 1), (404, "request_refused", 1), (415, "request_refused", 1)],
)  # fmt: skip
def test_statuses(face: Any, status: int, reason: str, asked: int) -> None:
    told = answer({"code": "zorblat"}, status, "Location: http://127.0.0.1:1/")
    with lying(says(told)) as liar:
        (found,) = face(liar.url, "check_url", PAGE, retries=Retries(first=0.001))
    assert (found.reason, len(liar.requests)) == (reason, asked)


@pytest.mark.parametrize("face", FACES)
def test_asked_again_until_it_answers(face: Any) -> None:
    with lying(closes, says(answer({}, 500)), honest) as liar:
        (found,) = face(liar.url, "check_url", PAGE, retries=Retries(first=0.001))
    assert found == NotListed(edition=3, signal="url")
    assert len(liar.requests) == 3


@pytest.mark.parametrize("face", FACES)
def test_a_node_that_asks_to_wait_longer_than_there_is_time(face: Any) -> None:
    with lying(says(answer({}, 503, "Retry-After: 3600"))) as liar:
        (found,) = face(liar.url, "check_url", PAGE)
    assert (found.reason, len(liar.requests)) == ("node_busy", 1)


@pytest.mark.parametrize("face", FACES)
def test_a_file_that_is_sent_is_sent_once(face: Any) -> None:
    with lying(says(answer({}, 503))) as liar:
        (found,) = face(liar.url, "match_file", b"zorblat", call={"send_media": True})
    assert (found.reason, len(liar.requests)) == ("node_busy", 1)
    assert liar.requests[0].endswith(b"\r\n\r\nzorblat")


@pytest.mark.parametrize("face", FACES)
def test_connections_are_used_again(face: Any) -> None:
    with lying(honest) as liar:
        assert len(face(liar.url, "check_url", PAGE, times=5)) == 5
    assert (liar.lines, len(liar.requests)) == (1, 5)


@pytest.mark.parametrize("face", FACES)
def test_a_kept_connection_that_was_closed_is_replaced_without_an_attempt(face: Any) -> None:
    with lying(honest, closes, honest) as liar:
        found = face(liar.url, "check_url", PAGE, times=2, retries=ONCE)
    assert [each.not_listed for each in found] == [True, True]


@pytest.mark.parametrize("face", FACES)
def test_leftovers_are_never_the_answer_to_the_next_question(face: Any) -> None:
    listed = {**NOT_LISTED, "verdict": "listed", "list": "urls", "entry": 1}
    with lying(says(GOOD + answer({"verdicts": [listed]})), honest) as liar:
        found = face(liar.url, "check_url", PAGE, times=2)
    assert [each.not_listed for each in found] == [True, True]
    assert liar.lines == 2


@pytest.mark.parametrize(("late", "quiet"), [(b"", True), (b"HTTP", False), (None, False)], ids=["silent", "bytes", "end"])
def test_a_connection_that_spoke_after_its_answer_is_not_used_again(late: bytes | None, quiet: bool) -> None:
    async def run() -> bool:
        with lying(hangs) as liar:
            reader, writer = await asyncio.open_connection("127.0.0.1", liar.port)
            line = Line(reader, writer)
            if late is None:
                reader.feed_eof()
            elif late:
                reader.feed_data(late)
            found = line.is_quiet()
            line.close()
            await asyncio.sleep(0)
            return found

    assert asyncio.run(run()) == quiet


def test_a_file_goes_out_on_a_connection_of_its_own() -> None:
    with lying(honest, says(answer(NOT_LISTED))) as liar, Client(liar.url, policy=FailClosed()) as client:
        assert client.check_url(PAGE).not_listed
        assert client.match_file(b"zorblat", send_media=True).not_listed
    assert liar.lines == 2


@pytest.mark.parametrize("face", FACES)
def test_concurrency_is_bounded(face: Any) -> None:
    def slowly(line: socket.socket, request: bytes, over: threading.Event) -> None:
        over.wait(0.05)
        honest(line, request, over)

    with lying(slowly) as liar:
        (found,) = face(liar.url, "check_urls", [PAGE] * 5500, connections=2)
    assert len(found) == 5500
    assert (liar.most_at_once, liar.lines) == (2, 2)
    assert [len(signals_in(request)) for request in liar.requests].count(1000) == 5


@pytest.mark.parametrize("face", FACES)
def test_one_signal_that_the_node_refuses_does_not_cost_the_others(face: Any) -> None:
    def picky(line: socket.socket, request: bytes, over: threading.Event) -> None:
        values = [signal["value"] for signal in signals_in(request)]
        if "ab" * 32 in values:
            place = f"signals[{values.index('ab' * 32)}]"
            line.sendall(answer({"code": "hash_constant", "where": place}, 422))
        else:
            honest(line, request, over)

    signals = [Signal("sha256", "cd" * 32), Signal("sha256", "ab" * 32), Signal("sha256", "zorblat"), Signal("nonsense", "1")]
    with lying(picky) as liar:
        (found,) = face(liar.url, "match_signals", signals)
    reasons = [each.reason if each.unknown else None for each in found]
    assert reasons == [None, "hash_constant", "hash_malformed", "hash_unknown_algorithm"]


@pytest.mark.parametrize("face", FACES)
def test_batches_are_halved_to_what_a_node_takes(face: Any) -> None:
    def small(line: socket.socket, request: bytes, over: threading.Event) -> None:
        if len(signals_in(request)) > 10:
            line.sendall(answer({"code": "batch_too_long"}, 413))
        else:
            honest(line, request, over)

    with lying(small) as liar:
        (found,) = face(liar.url, "check_urls", [PAGE] * 35)
    assert all(each.not_listed for each in found)


def test_unknowns_go_to_the_queue_and_are_answered_later() -> None:
    kept: list[dict[str, Any]] = []

    def keep(pending: Pending) -> None:
        assert pending.question.reference == "upload:17"
        kept.append(pending.question.as_dict())

    with lying(says(answer({}, 500)), honest) as liar, Client(liar.url, policy=FailOpen(), retries=ONCE, queue=keep) as client:
        assert client.check_url(PAGE, reference="upload:17").unknown
        (later,) = client.ask([Question.from_dict(document) for document in kept])
        assert later.not_listed
        assert client.check_url("http://quimber.example/\ud800", reference="lasting").unknown
    assert len(kept) == 1, "what cannot change is not queued"


@pytest.mark.parametrize("face", FACES)
def test_the_alarm_is_raised_once_and_counts(face: Any) -> None:
    alarms: list[Any] = []
    with lying(says(answer({"code": "token_refused"}, 401))) as liar:
        face(liar.url, "check_urls", [PAGE] * 3, times=4, alarm=alarms.append)
    assert alarms == [Alarm("token_refused", 3, 401, "token_refused")]


def test_hooks_of_the_awaiting_client_may_be_coroutines() -> None:
    seen: list[Any] = []

    async def hook(thing: Any) -> None:
        seen.append(type(thing).__name__)

    FACES[1]("http://127.0.0.1:1", "check_url", PAGE, retries=ONCE, queue=hook, alarm=hook)
    assert seen == ["Pending", "Alarm"]


def test_what_a_hook_raises_reaches_the_caller() -> None:
    def full(pending: Pending) -> None:
        raise RuntimeError("the queue is full")

    with pytest.raises(RuntimeError), Client("http://127.0.0.1:1", policy=FailOpen(), retries=ONCE, queue=full) as client:
        client.check_url(PAGE)


def test_nothing_confidential_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    kept: list[Pending] = []
    with lying(says(answer(PAGE.encode(), 500))) as liar:
        client = Client(liar.url, policy=FailClosed(), token=TOKEN, retries=ONCE, queue=kept.append)
        found = client.check_url(PAGE)
        client.match_file(PAGE.encode())
        shown = [repr(found), repr(client), repr(kept), repr(client.__dict__), str(kept[0].question)]
        client.close()
        with pytest.raises(Exception) as raised:
            client.check_url(PAGE)
    shown += ["".join(traceback.format_exception(raised.value)), caplog.text]
    assert "without an answer: 1" in caplog.text
    assert isinstance(found, Unknown)
    assert all("zorblatmarker" not in text for text in shown)

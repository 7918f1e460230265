"""What a question, a batch and a call may take: bytes of a batch, length of a signal, refusals one by one, memory."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from tests.client.faces import FACES
from tests.client.liars import NOT_LISTED, answer, honest, lying, says, signals_in

from vigil.base.limits import BATCH_ITEMS, JSON_BODY_BYTES, URL_BYTES
from vigil.client import Retries, Signal, wire
from vigil.client.engine import AHEAD, ISOLATED

PAGE = "http://quimber.example/zorblat"
ONCE = Retries(attempts=1)


def long_page(size: int, fill: str = "z") -> str:
    head = "http://quimber.example/"
    return head + fill * ((size - len(head)) // len(fill.encode()))


@pytest.mark.parametrize("fill", ["z", '"', "\u00fc", "\x01"])  # as they are, and as JSON writes them: longer than the text
def test_batches_of_long_signals_stay_within_what_a_node_reads(fill: str) -> None:
    signals = [Signal("url", long_page(60_000, fill)) for _ in range(90)]
    cut = list(wire.batches(signals))
    assert [signal for batch in cut for signal in batch] == signals
    bodies = [wire.batch_body(batch) for batch in cut]
    assert all(len(body) <= JSON_BODY_BYTES.value for body in bodies)
    assert all(len(batch) > 1 for batch in cut) and len(cut) < len(signals) // 2, "and are no shorter than they must be"


def test_batches_of_short_signals_are_cut_by_their_number() -> None:
    cut = list(wire.batches([Signal("url", PAGE)] * (2 * BATCH_ITEMS.value + 1)))
    assert [len(batch) for batch in cut] == [BATCH_ITEMS.value, BATCH_ITEMS.value, 1]
    assert list(wire.batches([])) == []


@pytest.mark.parametrize("face", FACES)
def test_a_signal_longer_than_a_node_reads_is_never_sent_and_costs_no_other(face: Any) -> None:
    longest, too_long = long_page(URL_BYTES.value), long_page(URL_BYTES.value) + "z"
    assert Signal("url", longest).fault() is None
    for each in (Signal("url", too_long), Signal("url", "\u00fc" * (URL_BYTES.value // 2 + 1)), Signal("md5", "a" * 70_000)):
        assert each.fault() == "too_long", "bytes count, not characters, for each type"
    with lying(honest) as liar:
        (found,) = face(liar.url, "check_urls", [PAGE, too_long, longest])
    assert [each.reason if each.unknown else None for each in found] == [None, "too_long", None]
    [request] = liar.requests
    assert [signal["value"] for signal in signals_in(request)] == [PAGE, longest]


@pytest.mark.parametrize("face", FACES)
def test_a_node_that_refuses_signal_after_signal_is_asked_so_often_and_no_more(face: Any) -> None:
    def refuses_the_first(line: socket.socket, request: bytes, over: threading.Event) -> None:
        line.sendall(answer({"code": "url_refused", "where": "signals[0]"}, 422))

    with lying(refuses_the_first) as liar:
        (found,) = face(liar.url, "check_urls", [PAGE] * (ISOLATED + 30), retries=ONCE)
    assert len(liar.requests) == ISOLATED + 1
    assert [each.reason for each in found] == ["url_refused"] * ISOLATED + ["request_refused"] * 30, "in their places"


@pytest.mark.parametrize("face", FACES)
def test_a_node_may_refuse_sixteen_signals_of_a_batch_and_answers_the_rest(face: Any) -> None:
    def picky(line: socket.socket, request: bytes, over: threading.Event) -> None:
        bad = [place for place, signal in enumerate(signals_in(request)) if signal["value"].endswith("/bad")]
        if bad:
            line.sendall(answer({"code": "url_refused", "where": f"signals[{bad[0]}]"}, 422))
        else:
            honest(line, request, over)

    pages = [f"{PAGE}/{number}" for number in range(40)]
    pages[5 : 5 + 2 * 16 : 2] = [f"{page}/bad" for page in pages[5 : 5 + 2 * 16 : 2]]
    with lying(picky) as liar:
        (found,) = face(liar.url, "check_urls", pages)
    assert [each.unknown for each in found] == [page.endswith("/bad") for page in pages]


@pytest.mark.parametrize("face", FACES)
def test_a_huge_call_writes_out_few_batches_at_once(face: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that does not answer sees how many bodies wait in memory: some for each connection, not all of a million signals."""
    written: list[int] = []
    body_of = wire.batch_body

    def counted(signals: list[Signal]) -> bytes:
        written.append(len(signals))
        return body_of(signals)

    def hangs(line: socket.socket, request: bytes, over: threading.Event) -> None:
        over.wait()

    monkeypatch.setattr(wire, "batch_body", counted)
    with lying(hangs) as liar:
        (found,) = face(liar.url, "check_urls", [PAGE] * 40_000, connections=2, retries=ONCE, call={"deadline": 0.5})
    assert {each.reason for each in found} == {"deadline"} and len(found) == 40_000
    assert len(written) == 2 * AHEAD, "and what can no longer be answered in time is not written out at all"


@pytest.mark.parametrize("face", FACES)
def test_a_huge_call_is_answered_whole_and_in_order(face: Any) -> None:
    def by_number(line: socket.socket, request: bytes, over: threading.Event) -> None:
        numbers = [int(signal["value"].rpartition("/")[2]) for signal in signals_in(request)]
        over.wait(0.02 if numbers[0] % 2_000 else 0)  # later batches overtake earlier ones
        line.sendall(answer({"verdicts": [{**NOT_LISTED, "edition": number + 1} for number in numbers]}))

    with lying(by_number) as liar:
        (found,) = face(liar.url, "check_urls", [f"{PAGE}/{number}" for number in range(25_500)], connections=3)
    assert [each.edition for each in found] == list(range(1, 25_501))


@pytest.mark.parametrize("face", FACES)
def test_a_batch_that_fails_costs_no_other_of_a_huge_call(face: Any) -> None:
    with lying(says(answer({}, 500)), honest) as liar:
        (found,) = face(liar.url, "check_urls", [PAGE] * 20_000, connections=2, retries=ONCE)
    assert sum(each.unknown for each in found) == 1000

"""Ends and beginnings: closing while others ask, forks at a bad moment, loops that ended, hooks that raise, counts of alarms."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import threading
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.client.faces import FACES
from tests.client.liars import NOT_LISTED, answer, honest, lying, says, signals_in

from vigil.base.errors import InputError, UnavailableError
from vigil.base.webhooks import headers
from vigil.client import Alarm, AsyncClient, Client, FailClosed, FailOpen, Retries, Signal
from vigil.client.hashing import bytes_of_file
from vigil.client.uploads.hotline import _reported
from vigil.client.uploads.webhooks import Notices
from vigil.client.webhooks import Receiver
from vigil.client.wire import Found

PAGE = "http://quimber.example/zorblat"
ONCE = Retries(attempts=1)
NOWHERE = "http://127.0.0.1:1"
SECRET = "whsec_" + "emFhb3JibGF0cXVpbWJlcnpvcmJsYXRxdWltYmVyMDE="


def until(good: Any) -> None:
    """Wait for what another thread does by itself; the bound only ends a broken test."""
    deadline = time.monotonic() + 20
    while not good():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_a_call_that_is_under_way_when_its_client_is_closed_ends_and_says_so() -> None:
    asked = threading.Event()

    def hangs(line: Any, request: bytes, over: threading.Event) -> None:
        asked.set()
        over.wait()

    raised: list[BaseException] = []
    with lying(hangs) as liar:
        client = Client(liar.url, policy=FailOpen())

        def ask() -> None:
            try:
                client.check_url(PAGE)
            except InputError as error:
                raised.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        assert asked.wait(10)
        client.close()
        thread.join(10)
        assert not thread.is_alive()
    assert [getattr(each, "code", None) for each in raised] == ["client_closed"]


def test_a_worker_that_was_closed_answers_nobody_and_keeps_nobody_waiting() -> None:
    with lying(honest) as liar:
        client = Client(liar.url, policy=FailClosed())
        assert client.check_url(PAGE).not_listed
        worker = client._ready()  # as a thread that was about to ask has it
        client.close()
        with pytest.raises(InputError, match="closed"):
            worker.ask([Signal("url", PAGE)], 5)
        worker.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_of_a_fork_does_not_wait_for_locks_that_its_parent_held() -> None:
    with lying(honest) as liar, Client(liar.url, policy=FailClosed()) as client:
        assert client.check_url(PAGE).not_listed
        with client._lock, client._session._bell._lock:  # as another thread may at that moment
            child = os.fork()
            if child == 0:
                done: list[bool] = []
                thread = threading.Thread(target=lambda: done.append(client.check_url(PAGE).not_listed), daemon=True)
                thread.start()
                thread.join(20)
                os._exit(0 if done == [True] else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def test_an_answer_that_comes_after_the_end_leaves_no_connection() -> None:
    async def run() -> tuple[bool, int]:
        go = threading.Event()

        def waits(line: Any, request: bytes, over: threading.Event) -> None:
            go.wait(10)
            honest(line, request, over)

        with lying(waits) as liar:
            client = AsyncClient(liar.url, policy=FailClosed())
            asking = asyncio.create_task(client.check_url(PAGE))
            while not liar.requests:
                await asyncio.sleep(0.01)
            await client.close()
            go.set()
            found = await asking
            return found.not_listed, len(client._ready().connections._idle)

    assert asyncio.run(run()) == (True, 0)


def test_a_client_whose_loop_has_ended_can_be_closed_in_another() -> None:
    """As where each request of a web framework has a loop of its own. Its connections end with the close."""
    with lying(honest) as liar:
        client = AsyncClient(liar.url, policy=FailClosed())
        loop = asyncio.new_event_loop()
        try:
            assert loop.run_until_complete(client.check_url(PAGE)).not_listed
            with pytest.raises(InputError, match="another event loop"):
                asyncio.run(client.check_url(PAGE))
        finally:
            loop.close()
        kept = client._ready().connections._idle[0]  # so that no garbage collection closes it instead
        assert (liar.lines, liar.ended) == (1, 0)
        asyncio.run(client.close())
        until(lambda: liar.ended == 1)
        assert not client._ready().connections._idle
        with pytest.raises(InputError, match="closed"):
            asyncio.run(client.check_url(PAGE))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # asyncio's: nothing closes a transport whose loop is gone
            del kept, client
            gc.collect()


@pytest.mark.parametrize("face", FACES)
def test_a_queue_that_is_full_does_not_silence_the_alarm(face: Any) -> None:
    alarms: list[Alarm] = []

    def full(pending: Any) -> None:
        raise RuntimeError("the queue is full")

    with pytest.raises(RuntimeError):
        face(NOWHERE, "check_url", PAGE, retries=ONCE, queue=full, alarm=alarms.append)
    assert [(each.cause, each.questions) for each in alarms] == [("unreachable", 1)]


@pytest.mark.parametrize("face", FACES)
def test_a_file_without_an_answer_is_one_question_however_many_hashes_it_has(face: Any) -> None:
    alarms: list[Alarm] = []
    with lying(says(answer({}, 500))) as liar:
        face(liar.url, "match_file", b"zorblat", retries=ONCE, alarm=alarms.append)
        assert len(signals_in(liar.requests[0])) > 1
    assert alarms == [Alarm("node_fault", 1, 500, None)]


@pytest.mark.parametrize("face", FACES)
def test_a_node_that_has_nothing_to_match_with_is_a_cause_for_alarm(face: Any) -> None:
    alarms: list[Alarm] = []
    nothing = {**NOT_LISTED, "verdict": "unknown", "edition": None, "reason": "no_edition"}
    with lying(says(answer({"verdicts": [nothing]}))) as liar:
        found = face(liar.url, "check_url", PAGE, times=3, policy=FailOpen(), alarm=alarms.append)
    assert [(each.reason, each.allowed) for each in found] == [("no_edition", True)] * 3
    assert alarms == [Alarm("no_edition", 1, 200, "no_edition")]


@pytest.mark.parametrize("face", FACES)
def test_a_node_that_answers_one_batch_and_not_the_other_does_not_ring_at_each_call(face: Any) -> None:
    alarms: list[Alarm] = []

    def half(line: Any, request: bytes, over: threading.Event) -> None:
        if len(signals_in(request)) < 1000:
            line.sendall(answer({}, 500))
        else:
            honest(line, request, over)

    with lying(half) as liar:
        face(liar.url, "check_urls", [PAGE] * 1003, times=3, retries=ONCE, alarm=alarms.append)
    assert [(each.cause, each.questions) for each in alarms] == [("node_fault", 3)]


def test_what_lies_in_a_signal_is_no_alarm() -> None:
    from vigil.client.session import Session

    session = Session(FailClosed(), None)
    assert session.alarms([[Found("unknown", 3, "md5", reason="hash_malformed")], [Found("not_listed", 3, "url")]]) == []


def test_a_file_that_comes_in_small_pieces_is_sent_whole() -> None:
    class Drips(io.RawIOBase):
        """A pipe: each read gives what is there, which is less than was asked for."""

        left = b"zorblat" * 20

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            piece, self.left = self.left[:7], self.left[7:]
            return piece

    assert bytes_of_file(Drips()) == b"zorblat" * 20  # type: ignore[arg-type]


def test_a_name_that_no_file_can_have_is_refused_without_showing_it() -> None:
    with pytest.raises(InputError) as refused:
        bytes_of_file("zorblat\0quimber")
    assert "zorblat" not in str(refused.value)


def test_a_notice_whose_handling_failed_is_new_when_it_comes_again() -> None:
    now = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
    body = b'{"type": "upload.decided", "timestamp": "2026-11-02T09:30:00Z", "data": {}}'
    from vigil.base.webhooks import secret_of

    key = secret_of(SECRET)
    assert key is not None
    sent = headers("msg_1", int(now.timestamp()), body, (key,))
    receiver = Receiver([SECRET])
    notice = receiver.read(sent, body, now)
    assert notice is not None
    assert receiver.read(sent, body, now) is None
    receiver.forget(notice)
    assert receiver.read(sent, body, now) == notice


def test_notices_that_are_posted_at_once_by_threads_and_processes_are_all_kept(tmp_path: Path) -> None:
    """Two gates stand for two processes: each knows nothing of the names that the other gives. The clock stands still."""
    now = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
    gates = [Notices(tmp_path, NOWHERE, b"zorblat" * 4, lambda: now) for _ in range(2)]
    start = threading.Barrier(8)

    def post(number: int) -> None:
        start.wait(10)
        for each in range(5):
            gates[number % 2].post({"number": number * 5 + each})

    threads = [threading.Thread(target=post, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    kept = [path.read_bytes() for path in gates[0].waiting()]
    assert sorted(kept) == sorted(b'{"number":%d}' % number for number in range(40))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("body", [b"<html>quimber</html>", b"", b"\xff", b'{"ref": 3}', b"[" * 100_000])
def test_what_is_no_receipt_of_a_hotline_is_tried_again(body: bytes) -> None:
    with pytest.raises(UnavailableError):
        _reported(body)

"""Entries that match far too often: found whatever else is asked, and told so that nobody can be found in the numbers."""

from __future__ import annotations

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

from hypothesis import given
from hypothesis import strategies as st

from vigil.edge.config import Token
from vigil.edge.delivery import FloodCourier
from vigil.edge.floods import COUNTERS, TOLD, Floods

NOON = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def told(floods: Floods, now: datetime = LATER) -> list[dict[str, object]]:
    return [json.loads(message.body) for message in floods.take(now)]


def fill(floods: Floods, counts: dict[int, int], now: datetime = NOON) -> None:
    for entry, number in counts.items():
        for _ in range(number):
            floods.add(7, entry, now)


def test_only_what_reaches_the_floor_is_told_and_only_in_steps_of_it() -> None:
    floods = Floods("n-1", k=10)
    fill(floods, {1: 99, 2: 100, 3: 257, 4: 1})
    (message,) = told(floods)
    assert message == {"v": 1, "node": "n-1", "edition": 7, "hour": "2026-11-22T12:00Z", "floor": 100,
                       "entries": [{"entry": 3, "number": 200}, {"entry": 2, "number": 100}]}  # fmt: skip


def test_a_larger_k_raises_the_floor() -> None:
    floods = Floods("n-1", k=250)
    fill(floods, {1: 249, 2: 500})
    assert [message["entries"] for message in told(floods)] == [[{"entry": 2, "number": 500}]]


def test_nothing_is_told_before_the_hour_is_over_nor_kept_after_it() -> None:
    floods = Floods("n-1", k=0)
    fill(floods, {1: 500})
    assert told(floods, NOON) == []
    assert len(told(floods)) == 1 and told(floods) == []


def test_an_hour_without_a_flood_says_nothing_at_all() -> None:
    floods = Floods("n-1", k=0)
    fill(floods, dict.fromkeys(range(500), 9))
    assert floods.take(LATER) == []


def test_at_most_fifty_are_told_the_fullest_first() -> None:
    floods = Floods("n-1", k=0)
    fill(floods, {entry: 100 + entry for entry in range(1, 2 * TOLD)})
    (message,) = told(floods)
    entries = message["entries"]
    assert isinstance(entries, list) and len(entries) == TOLD and entries[0]["number"] == 100


@given(st.lists(st.integers(1, 40), min_size=0, max_size=300), st.integers(1, 400))
def test_counts_are_never_too_high_and_memory_is_bounded(noise: list[int], loud: int) -> None:
    floods = Floods("n-1", k=0)
    floods.floor = 1
    asked = Counter({999: loud, **Counter(noise)})
    for entry, number in asked.items():
        fill(floods, {entry: number})
    for message in floods.take(LATER):
        for each in json.loads(message.body)["entries"]:
            assert each["number"] <= asked[each["entry"]]


def test_a_flood_among_more_entries_than_there_are_counters_is_still_found() -> None:
    floods = Floods("n-1", k=0)
    for turn in range(40):
        for entry in range(COUNTERS * 2):
            if entry % 40 == turn:
                floods.add(7, entry, NOON)
        for _ in range(50):
            floods.add(7, 999_999, NOON)
    assert 999_999 in [each["entry"] for message in told(floods) for each in message["entries"]]  # type: ignore[union-attr]
    assert sum(len(counts) for counts in floods._open.values()) <= COUNTERS


def test_messages_wait_until_the_hotline_takes_them() -> None:
    seen: list[tuple[str, str | None, bytes]] = []
    statuses = [503, 200, 200]

    class Hotline(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.path, self.headers["authorization"], body))
            self.send_response(statuses.pop(0))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Hotline)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        floods = Floods("n-1", k=0)
        url = f"http://127.0.0.1:{server.server_port}/v1/counts"
        courier = FloodCourier(url, Token("a-token-of-a-node"), floods)
        fill(floods, {1: 300})
        assert not courier.round(LATER)
        assert courier.round(LATER) and courier.round(LATER)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [path for path, _, _ in seen] == ["/v1/matches", "/v1/matches"]
    assert seen[0] == seen[1] and seen[0][1] == "Bearer a-token-of-a-node"


def test_counted_by_the_second_or_by_the_instant_it_is_the_same() -> None:
    by_second, by_instant = Floods("n-1", k=10), Floods("n-1", k=10)
    for step in range(400):
        now = NOON + timedelta(minutes=step % 90)
        by_second.add_at(7 + step % 2, step % 3, int(now.timestamp()))
        by_instant.add(7 + step % 2, step % 3, now)
    assert by_second._open == by_instant._open
    assert by_second.drain() == by_instant.drain() != {}
    by_second.add_at(7, 1, int(NOON.timestamp()))
    assert by_second.drain() == {7: {1: 1}}, "what was handed on is forgotten, and counting goes on"


@given(st.lists(st.tuples(st.integers(0, 3 * COUNTERS), st.integers(1, 50)), max_size=20))
def test_what_others_counted_is_added_without_counting_too_much(rows: list[tuple[int, int]]) -> None:
    floods, true = Floods("n-1", k=0), Counter[int]()
    for number in range(COUNTERS):
        floods.add(7, number, NOON)
        true[number] += 1
    for entry, number in rows:
        floods.add(7, entry, NOON, number)
        true[entry] += number
    (counts,) = floods.drain().values()
    assert len(counts) <= COUNTERS and all(0 < number <= true[entry] for entry, number in counts.items())

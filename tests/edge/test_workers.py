"""Several processes on one port: they share the edition and the counts, change editions one by one, and lose no request."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.test_process import Process
from tests.edge.world import Hotline, config_text, until, url_entry

from vigil.base.clock import FixedClock
from vigil.edge.counts import CountClass, Tally
from vigil.edge.doors import DoorName
from vigil.edge.enforced import NO_KEYS
from vigil.edge.floods import Floods
from vigil.edge.shared import SLOTS, Harvest, Region, SharedTally
from vigil.edge.workers import Keeper, Reply, Word, Worker, WorkerNode, follow
from vigil.editions.cipher import Identity, new_identity

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
PAGE = "http://quimber.example/zorblat"
BODY = json.dumps({"url": PAGE}).encode()


@contextmanager
def serving(hotline: Hotline, folder: Path, workers: int = 2, more: str = "") -> Iterator[Process]:
    config = folder / "edge.toml"
    config.write_text(config_text(hotline, folder / "state", f"[listen]\nport = 0\nworkers = {workers}\n{more}"))
    process = Process(config)
    try:
        yield process
    finally:
        process.process.terminate()
        assert process.process.wait(60) == 0
        process._reader.join(10)
        assert process.process.stderr is not None
        process.process.stderr.close()


def children(process: Process) -> set[int]:
    """The worker processes."""
    path = Path(f"/proc/{process.process.pid}/task")
    return {int(pid) for task in path.iterdir() for pid in (task / "children").read_text().split()}


def verdict(process: Process) -> str:
    status, body = process.ask("POST", "/v1/url", BODY, **{"Content-Type": "application/json", "Sec-Fetch-Dest": "document"})
    return str(json.loads(body)["verdict"]) if status == 200 else f"{status}"


def test_workers_share_a_port_an_edition_and_the_counts(hotline: Hotline, tmp_path: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    with serving(hotline, tmp_path) as process:
        until(lambda: all(process.ask("GET", "/readyz")[0] == 200 for _ in range(8)))
        first = children(process)
        assert len(first) == 2
        assert {verdict(process) for _ in range(40)} == {"listed"}
        until(lambda: hotline.total("navigation") == 40)
        text = process.ask("GET", "/metrics")[1].decode()
        assert 'vigil_edge_events_total{class="navigation",door="http",list="urls"} 40.0' in text
        # A worker that is killed is replaced, and what it counted is not lost.
        os.kill(min(first), signal.SIGKILL)
        until(lambda: len(children(process) - first) == 1)
        until(lambda: all(verdict(process) == "listed" for _ in range(10)))
        # A new configuration comes with new workers, one after the other.
        before = children(process)
        process.process.send_signal(signal.SIGHUP)
        until(lambda: len(children(process)) == 2 and not children(process) & before, 240)
        assert any(event["event"] == "reloaded" for event in process.events) or not children(process) & before
        assert verdict(process) == "listed"
        until(lambda: hotline.total("navigation") >= 51)


def test_a_new_edition_and_new_workers_lose_no_request(hotline: Hotline, tmp_path: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    answers: list[str] = []
    with serving(hotline, tmp_path) as process:
        until(lambda: all(process.ask("GET", "/readyz")[0] == 200 for _ in range(8)))
        stopped = threading.Event()

        def ask() -> None:
            while not stopped.is_set():
                answers.append(verdict(process))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(2, 6):
            hotline.publish(url_entry(1, PAGE), url_entry(number, f"http://other{number}.example/"))
            until(lambda: json.loads(process.ask("GET", "/readyz")[1]).get("edition") == number)  # noqa: B023
        before = children(process)
        process.process.send_signal(signal.SIGHUP)
        until(lambda: not children(process) & before, 240)
        stopped.set()
        for thread in threads:
            thread.join()
    wrong = [answer for answer in answers if answer != "listed"]
    assert len(answers) > 50
    assert set(wrong) <= {"0"}, wrong
    # A connection that the kernel gave to a worker in the instant it closed its port is reset before a byte was answered.
    assert len(wrong) <= 3


def test_every_worker_enforces_a_partners_own_copy(hotline: Hotline, tmp_path: Path) -> None:
    """Its addresses are digested under a key of the partner's: each worker needs it, at its start, after a swap and anew."""
    own = tmp_path / "own.key"
    own.write_text(new_identity())
    hotline.partners["p-acme"] = Identity(own.read_text()).recipient
    hotline.publish(url_entry(1, PAGE))
    copy = f'[editions]\nsource = "{hotline.url}/"\nroot = "{hotline.root}"\npoll_seconds = 0.2\n'
    copy += f'part = "partners/p-acme"\nidentity_file = "{own}"\n'
    with serving(hotline, tmp_path, more=copy) as process:
        until(lambda: all(process.ask("GET", "/readyz")[0] == 200 for _ in range(8)))
        assert {verdict(process) for _ in range(40)} == {"listed"}
        hotline.publish(url_entry(1, PAGE), url_entry(2, "http://other.example/"))
        until(lambda: all(json.loads(process.ask("GET", "/readyz")[1]).get("edition") == 2 for _ in range(8)))
        assert {verdict(process) for _ in range(40)} == {"listed"}
        first = children(process)
        os.kill(min(first), signal.SIGKILL)
        until(lambda: len(children(process) - first) == 1)
        until(lambda: all(verdict(process) == "listed" for _ in range(40)))
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in children(process)]
    assert not any("key" in command for command in commands)


def test_segments_add_up_and_are_handed_on() -> None:
    region = Region.create(3)
    tally = Tally()
    harvest = Harvest(region, tally)
    ones = [SharedTally(region.segment(n), [region.segment(m) for m in range(3)]) for n in (1, 2)]
    for place, shared in enumerate(ones, 1):
        shared.add(7, "urls", CountClass.NAVIGATION, NOW, place, DoorName.ICAP)
        shared.add(None, None, CountClass.UNKNOWN, NOW)
        shared.message(7, "law.displayed", NOW, 5)
        shared.note("shadow:icap:block>log")
    assert harvest.collect() == 3 + 2 + 10
    assert harvest.collect() == 0
    ones[0].add(7, "urls", CountClass.NAVIGATION, NOW + timedelta(hours=1), 4)
    harvest.retire(1, NOW)
    assert tally.totals() == {("urls", CountClass.NAVIGATION): 7, ("*", CountClass.UNKNOWN): 2}
    assert ones[1].by_door() == {
        ("urls", DoorName.ICAP, CountClass.NAVIGATION): 3,
        ("urls", DoorName.HTTP, CountClass.NAVIGATION): 4,
        ("*", DoorName.HTTP, CountClass.UNKNOWN): 2,
    }
    assert ones[1].notes() == {"shadow:icap:block>log": 2}
    again = SharedTally(region.segment(1), [region.segment(1)])
    again.add(8, "urls", CountClass.NAVIGATION, NOW, 9)
    assert harvest.collect() == 9


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans()), max_size=40))
def test_nothing_is_counted_twice_or_lost(events: list[tuple[int, int, bool]]) -> None:
    region, tally = Region.create(2), Tally()
    harvest, shared = Harvest(region, tally), SharedTally(region.segment(1), ())
    for hour, number, collected in events:
        shared.add(1, "urls", CountClass.NAVIGATION, NOW + timedelta(hours=hour), number)
        if collected:
            harvest.collect()
    harvest.collect()
    assert sum(tally.totals().values()) == sum(number for _, number, _ in events)


def test_old_hours_make_room_and_a_full_segment_says_so() -> None:
    region, tally = Region.create(1), Tally()
    harvest, segment = Harvest(region, tally), region.segment(0)
    for number in range(SLOTS):
        segment.add(f"2026112201|1|list{number}|http|navigation", 1, NOW)
    harvest.collect()
    segment.add("2026112210|1|urls|http|navigation", 2, NOW)
    harvest.collect()
    assert tally.totals()[("urls", CountClass.NAVIGATION)] == 2
    full = Region.create(1).segment(0)
    for number in range(SLOTS + 5):
        full.add(f"2026112210|1|list{number}|http|navigation", 1, NOW)
    full.add("2026112210|1|" + "x" * 200, 1, NOW)
    assert full.traffic.lost_counts == 6


def test_what_counts_again_and_again_loses_nothing_where_its_hour_is_closed() -> None:
    tally = Tally()
    adder, start = tally.adder(7, "urls", CountClass.DNS_ANSWER, DoorName.DNS), int(NOW.timestamp())
    for hour in range(3):
        for _ in range(hour + 1):
            adder.add(start + 3600 * hour)
        (cell,) = tally.closable(NOW + timedelta(hours=hour + 2))
        assert tally.columns()[cell].counts == {CountClass.DNS_ANSWER: hour + 1}
        tally.drop(cell)
    assert tally.columns() == {} and tally.totals() == {("urls", CountClass.DNS_ANSWER): 6}


def test_where_no_place_is_free_an_event_counts_as_lost() -> None:
    region = Region.create(1)
    segment = region.segment(0)
    for number in range(SLOTS):
        segment.add(f"2026112210|1|list{number}|http|navigation", 1, NOW)
    shared = SharedTally(segment, [segment])
    shared.adder(7, "urls", CountClass.DNS_ANSWER, DoorName.DNS).add(int(NOW.timestamp()))
    assert segment.traffic.lost_counts == 1


def test_what_matched_at_a_worker_comes_to_the_keepers_watch_for_floods() -> None:
    """Workers hand on what they counted, so that a share below the floor at each of them is a flood at the node."""
    keeper, floods = Mock(clock=FixedClock(NOW)), Floods("n-1", k=10)
    keeper.node.floods = floods
    for _ in range(2):
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        counted = Floods("n-1", k=10)
        for _ in range(60):
            counted.add(7, 3, NOW)
        node = Mock(tells_floods=True, floods=counted)
        node.matches = partial(WorkerNode.matches, node)
        thread = follow(node, theirs, lambda: None)
        until(lambda counted=counted: not counted._open)
        worker = Worker(Mock(), mine, 1, first=True)
        mine.setblocking(False)
        until(lambda worker=worker: Keeper._hear(keeper, worker) or floods._open)
        mine.close()
        thread.join(20)
    (message,) = floods.take(NOW + timedelta(hours=1))
    assert json.loads(message.body)["entries"] == [{"entry": 3, "number": 100}]


def keeper_of(folder: Path, *controls: socket.socket) -> Any:
    """A keeper whose node has the edition in ``folder`` in force, over workers that listen and enforce another."""
    keeper = Mock()
    keeper.node.waiting.return_value = 0
    state = keeper.node.state
    state.pulled_at, state.failure, state.counts_code = NOW, None, None
    state.enforced = Mock(folder=folder, keys=NO_KEYS)
    keeper.workers = [
        Worker(Mock(), control, number, first=number == 0, port=1, folder="before") for number, control in enumerate(controls)
    ]
    return keeper


def controls() -> tuple[socket.socket, socket.socket]:
    """The keeper's end, which does not wait, and the worker's."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.setblocking(False)
    theirs.setblocking(False)
    return mine, theirs


def heard(control: socket.socket) -> list[Word]:
    words = []
    with suppress(BlockingIOError):
        while data := control.recv(1 << 16):
            words.append(msgspec.json.decode(data, type=Word))
    return words


def test_a_worker_that_opens_an_edition_slowly_is_not_sent_back_to_the_one_before() -> None:
    mine, theirs = controls()
    other, others = controls()
    keeper = keeper_of(Path("after"), mine, other)
    for second in range(5):  # the state changes while the first worker is at it
        keeper.node.state.pulled_at = NOW + timedelta(seconds=second)
        Keeper._tell(keeper)
    assert [word.folder for word in heard(theirs)] == ["after"] * 5
    assert {word.folder for word in heard(others)} == {"before"}, "the next one is told when the first has it in force"
    theirs.send(msgspec.json.encode(Reply(folder="after")))
    Keeper._hear(keeper, keeper.workers[0])
    Keeper._tell(keeper)
    assert [word.folder for word in heard(others)] == ["after"]
    for control in (mine, theirs, other, others):
        control.close()


def test_a_worker_that_stands_still_does_not_stop_the_keeper_and_hears_the_latest_when_it_goes_on() -> None:
    mine, theirs = controls()
    keeper = keeper_of(Path("after"), mine)
    for second in range(2000):
        keeper.node.state.pulled_at = NOW + timedelta(seconds=second)
        Keeper._tell(keeper)
    taken = heard(theirs)
    assert 0 < len(taken) < 2000
    Keeper._tell(keeper)
    (last,) = heard(theirs)
    assert last.pulled_at == NOW + timedelta(seconds=1999) and last.folder == "after"
    mine.close()
    theirs.close()


def test_a_signal_meanwhile_shortens_no_waiting() -> None:
    """Asked to reload while it waits for a worker, the keeper used to give all its patience up at once: the reload failed, or the
    places of workers that had not ended yet ran out."""
    keeper, ready = Mock(workers=[], _stopping=False), threading.Event()
    keeper._wake = threading.Event()
    keeper._wake.set()
    later = threading.Timer(0.3, ready.set)
    later.start()
    Keeper._until(keeper, ready.is_set, 60)
    assert ready.is_set()
    later.join()


def test_signals_find_a_keeper_whatever_it_is_doing(hotline: Hotline, tmp_path: Path) -> None:
    """A handler that waited for a lock which the keeper holds would leave the node standing still for ever."""
    hotline.publish(url_entry(1, PAGE))
    with serving(hotline, tmp_path, workers=2) as process:
        until(lambda: all(process.ask("GET", "/readyz")[0] == 200 for _ in range(8)))
        before = children(process)
        for _ in range(50):
            process.process.send_signal(signal.SIGHUP)
        until(lambda: len(children(process)) == 2 and not children(process) & before, 240)
        assert verdict(process) == "listed"


def test_a_configuration_that_cannot_be_read_changes_nothing_and_is_told_at_once(hotline: Hotline, tmp_path: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    with serving(hotline, tmp_path) as process:
        until(lambda: all(process.ask("GET", "/readyz")[0] == 200 for _ in range(8)))
        before = children(process)
        (tmp_path / "edge.toml").write_text("zorblat")
        process.process.send_signal(signal.SIGHUP)
        until(lambda: any(event["event"] == "reload_failed" for event in process.events))
        until(lambda: children(process) == before)
        assert verdict(process) == "listed"


def test_what_counts_again_and_again_counts_into_the_shared_numbers() -> None:
    region = Region.create(2)
    tally = Tally()
    harvest, shared = Harvest(region, tally), SharedTally(region.segment(1), [region.segment(1)])
    for counted in (shared, tally):
        adder = counted.adder(7, "urls", CountClass.DNS_ANSWER, DoorName.DNS)
        for second in (0, 0, 3600, 1):
            adder.add(int(NOW.timestamp()) + second)
    assert harvest.collect() == 4
    assert shared.by_door() == {("urls", DoorName.DNS, CountClass.DNS_ANSWER): 4}
    assert tally.by_door() == {("urls", DoorName.DNS, CountClass.DNS_ANSWER): 8}
    assert sorted(column.counts[CountClass.DNS_ANSWER] for column in tally.columns().values()) == [2, 6]


def test_a_worker_loads_nothing_that_only_the_pulling_process_needs() -> None:
    """What reads, checks and exports editions costs a process more than 20 MB, and no worker pulls."""
    told = "import sys, vigil.edge.http.server, vigil.edge.workers; print(*({'pyarrow', 'tuf', 'pydantic'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

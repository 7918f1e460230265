"""Processes are killed at random moments while people work: no report that was acknowledged is lost, no edition is
ever half, and the audit chain holds."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support import desk, running
from tests.support.running import Running
from tests.support.visitor import Visitor

ROLES = ("public", "console", "partner", "worker", "office", "edge")
SEED = 20261123


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An installation of its own, because it is not treated well."""
    started = running.start(tmp_path_factory.mktemp("shaken") / "data")
    yield started
    assert started.stop() == 0


@dataclass
class Work:
    """What people did and were told."""

    house: Running
    publisher: Visitor
    references: list[str] = field(default_factory=list)
    editions_seen: list[int] = field(default_factory=list)

    def goes_on(self, round_number: int, chance: random.Random) -> None:
        """A report, a request for an edition, and somewhere in between a kill."""
        victim = chance.choice(ROLES)
        for step in chance.sample(["report", "publish", "kill"], 3):
            time.sleep(chance.random() * 0.4)
            if step == "kill":
                kill(self.house, victim)
            elif step == "publish":
                desk.ask_for_edition(self.publisher)
            else:
                reference = desk.report(self.house, f"http://round-{round_number}.example/page")
                self.references += [reference] if reference else []

    def is_whole(self) -> None:
        """What must hold after every round. An office that comes back sweeps away first what the cut left half written."""
        deadline = time.monotonic() + 60
        while (verified := self.house.vigil("edition", "verify", str(self.house.data / "editions"))).returncode != 0:
            assert "[stray]" in verified.stdout + verified.stderr, verified.stdout + verified.stderr
            assert time.monotonic() < deadline, verified.stdout + verified.stderr
            time.sleep(0.5)
        audited = self.house.vigil("hotline", "audit", "verify")
        assert audited.returncode == 0, audited.stdout + audited.stderr


def kill(house: Running, name: str) -> None:
    pid = house.children().get(name)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def settled(house: Running) -> None:
    """All processes are back, and the edge holds the edition that is in force on disk."""
    deadline = time.monotonic() + 60
    while set(ROLES) - set(house.children()) or not house.answers():
        assert time.monotonic() < deadline, f"running: {house.children()}"
        time.sleep(0.2)


def shake(house: Running, rounds: int) -> None:
    work, chance = Work(house, desk.sign_in(house, "paula")), random.Random(SEED)
    for number in range(rounds):
        work.goes_on(number, chance)
        settled(house)
        edition = house.edition()
        assert not work.editions_seen or edition >= work.editions_seen[-1], "an edition number never goes back"
        work.editions_seen.append(edition)
        if number % 5 == 0 or number == rounds - 1:
            work.is_whole()
    assert work.references, "nobody managed to report anything"
    lost = [reference for reference in work.references if not desk.knows(house, reference)]
    assert lost == []
    first, last = work.editions_seen[0], work.editions_seen[-1]
    print(f"\n{rounds} rounds, {len(work.references)} reports acknowledged, editions {first} to {last}")


def test_a_few_killed_processes_lose_nothing(shaken: Running) -> None:
    shake(shaken, rounds=6)


@pytest.mark.soak
def test_fifty_killed_processes_lose_nothing(shaken: Running) -> None:
    shake(shaken, rounds=50)


def test_a_second_start_keeps_what_was_there(tmp_path: Path) -> None:
    first = running.start(tmp_path / "data")
    reference = desk.report(first, "http://forum.example/thread/13")
    assert reference
    assert first.stop() == 0
    second = running.start(tmp_path / "data", port=first.port)
    try:
        assert desk.knows(second, reference)
        assert not desk.knows(second, "ZZZZ-ZZZZ-ZZZZ")
    finally:
        assert second.stop() == 0


def test_the_edge_goes_on_while_the_hotline_hangs(shaken: Running) -> None:
    settled(shaken)
    before, frozen = shaken.edition(), {name: shaken.children()[name] for name in ROLES if name != "edge"}
    for pid in frozen.values():
        os.kill(pid, signal.SIGSTOP)
    try:
        assert shaken.ask_edge("http://gallery.example/room/7")["verdict"] == "not_listed"
        assert shaken.edition() == before
    finally:
        for pid in frozen.values():
            os.kill(pid, signal.SIGCONT)
    settled(shaken)

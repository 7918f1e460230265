"""A withdrawal on its way to two nodes of a running installation: one that listens, one that only polls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.world import running as node_running
from tests.support import running
from tests.support.running import Running
from tests.support.withdrawing import LIST, WITHDRAW, config, decided, seconds_until

ADDRESS = "http://gallery.example/room/7"
ONE_DAY = 86_400.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    started = running.start(tmp_path_factory.mktemp("withdrawal") / "data")
    yield started
    assert started.stop() == 0


def test_a_withdrawal_reaches_a_node_by_push_alone_and_another_by_polls_alone(house: Running, tmp_path: Path) -> None:
    with decided(house, LIST, ADDRESS):
        house.wait_for_verdict(ADDRESS, "listed")
    with (
        # This one polls once a day: what it hears after its start, it was told.
        node_running(config(house, "listens", tmp_path, listens=True, poll_seconds=ONE_DAY)) as listens,
        node_running(config(house, "polls", tmp_path, listens=False)) as polls,
    ):
        for node in (listens, polls):
            seconds_until(node, ADDRESS, "listed")
        with decided(house, WITHDRAW):
            push = seconds_until(listens, ADDRESS, "not_listed")
            pull = push + seconds_until(polls, ADDRESS, "not_listed")
    print(f"\nwithdrawal at the edge: by push {push:.2f} s, by polls {pull:.2f} s after the publication was asked for")

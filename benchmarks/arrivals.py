"""From a decision at the hotline to the edge: a publication and a withdrawal in a running installation, by push and by polls.

There is no peer that does this; the seconds are promises of ours. Counted is from the request for a publication, written to
the database, to the node's answer over HTTP.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
from pathlib import Path
from typing import Final

from tests.edge.world import running as node_running
from tests.support import running
from tests.support.withdrawing import LIST, WITHDRAW, config, decided, seconds_until

from benchmarks.harness import Measurement, bench

ROUNDS: Final = 3
CONDITIONS: Final = {"rounds": ROUNDS, "installation": "vigil up --demo", "value": "the slowest round"}


@functools.cache
def arrivals() -> dict[str, list[float]]:
    """Seconds of each round: ``listed`` and ``push`` at a node that listens, ``pull`` at one that only polls."""
    found: dict[str, list[float]] = {"listed": [], "push": [], "pull": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        house = running.start(folder / "data")
        try:
            with (
                node_running(config(house, "listens", folder, listens=True)) as listens,
                node_running(config(house, "polls", folder, listens=False)) as polls,
            ):
                for number in range(ROUNDS):
                    address = f"http://pier-{number}.example/room/7"
                    for node in (listens, polls):
                        seconds_until(node, address, "not_listed")
                    with decided(house, LIST, address):
                        found["listed"].append(seconds_until(listens, address, "listed"))
                    seconds_until(polls, address, "listed")
                    with decided(house, WITHDRAW):
                        push = seconds_until(listens, address, "not_listed")
                        found["push"].append(push)
                        found["pull"].append(push + seconds_until(polls, address, "not_listed"))
        finally:
            house.stop()
    return found


def slowest(name: str) -> Measurement:
    rounds = arrivals()[name]
    return Measurement(max(rounds), CONDITIONS | {"median": statistics.median(rounds)}, rounds)


@bench(name="publication_push", at_most=5.0, unit="seconds")
def publication_push(seed: int) -> Measurement:
    return slowest("listed")


@bench(name="withdrawal_push", at_most=5.0, unit="seconds")
def withdrawal_push(seed: int) -> Measurement:
    return slowest("push")


@bench(name="withdrawal_pull", at_most=60.0, unit="seconds")
def withdrawal_pull(seed: int) -> Measurement:
    return slowest("pull")

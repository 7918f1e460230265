"""A withdrawal on its way: measured at two nodes of a running installation, one that listens and one that only polls."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.world import RunningNode
from tests.edge.world import running as node_running
from tests.support import running
from tests.support.running import Running

ADDRESS = "http://gallery.example/room/7"
LIST = """
from vigil.hotline.management import boot
boot.start("worker")
from tests.hotline.lists.cases import listed
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OFFICE
from vigil.hotline.lists.publications import do_request_publication
listed(User.objects.get(username="ana"), User.objects.get(username="lin"), "http://gallery.example/room/7")
do_request_publication(OFFICE)
"""
WITHDRAW = """
from vigil.hotline.management import boot
boot.start("worker")
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OFFICE
from vigil.hotline.lists.enumerations import RemovedReason
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.lists.withdrawals import do_withdraw_entry
for entry in ListEntry.objects.filter(tombstone=False, signal="url"):
    do_withdraw_entry(User.objects.get(username="paula"), entry, next(iter(RemovedReason)))
do_request_publication(OFFICE)
"""
PUSH_SECONDS = 5.0
PULL_SECONDS = 60.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    started = running.start(tmp_path_factory.mktemp("withdrawal") / "data")
    yield started
    assert started.stop() == 0


def does(house: Running, script: str) -> None:
    """What people of the hotline decide at their console, without a browser in between."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], env=house.environment, cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def config(house: Running, name: str, folder: Path, *, listens: bool) -> str:
    """A node of this installation with the poll that nodes have unless told otherwise."""
    token = (house.data / "secrets" / "edge-node.token").read_text().strip()
    events = f'events = "http://127.0.0.1:{house.port + 7}/v1/events"\n' if listens else ""
    return (
        f'node = "{name}"\nstate = "{folder / name}"\n[listen]\nport = 0\n'
        f'[editions]\nsource = "{house.partner}editions/"\nroot = "{house.data / "1.root.json"}"\ntoken = "{token}"\n{events}'
    )


def seconds_until(node: RunningNode, address: str, verdict: str, most: float) -> float:
    started = time.monotonic()
    while node.verdict_on(address)["verdict"] != verdict:
        assert time.monotonic() - started < most + 30, f"not {verdict}"
        time.sleep(0.05)
    return time.monotonic() - started


def test_a_withdrawal_is_at_the_edge_within_5_seconds_by_push_and_60_by_pull(house: Running, tmp_path: Path) -> None:
    does(house, LIST)
    with (
        node_running(config(house, "listens", tmp_path, listens=True)) as listens,
        node_running(config(house, "polls", tmp_path, listens=False)) as polls,
    ):
        for node in (listens, polls):
            seconds_until(node, ADDRESS, "listed", 30)
        does(house, WITHDRAW)
        push = seconds_until(listens, ADDRESS, "not_listed", PUSH_SECONDS)
        pull = push + seconds_until(polls, ADDRESS, "not_listed", PULL_SECONDS)
    print(f"\nwithdrawal at the edge: by push {push:.2f} s, by pull {pull:.2f} s after the publication was asked for")
    assert push <= PUSH_SECONDS
    assert pull <= PULL_SECONDS

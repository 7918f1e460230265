"""A page listed and withdrawn in a running installation, and two nodes that hear of it: one listens, one only polls."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.edge.world import RunningNode
from tests.support.running import Running

BEGIN = """
import sys
from vigil.hotline.management import boot
boot.start("worker")
from tests.hotline.lists.cases import listed
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OFFICE
from vigil.hotline.lists.enumerations import RemovedReason
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.lists.withdrawals import do_withdraw_entry
"""
LIST = """
listed(User.objects.get(username="ana"), User.objects.get(username="lin"), sys.argv[1])
do_request_publication(OFFICE)
"""
WITHDRAW = """
for entry in ListEntry.objects.filter(tombstone=False, signal="url"):
    do_withdraw_entry(User.objects.get(username="paula"), entry, next(iter(RemovedReason)))
do_request_publication(OFFICE)
"""
ASKED = "asked\n"
END = f"print({ASKED.strip()!r}, flush=True)\n"


@contextmanager
def decided(house: Running, script: str, *arguments: str) -> Iterator[None]:
    """What people of the hotline decide at their console, without a browser in between.

    The block begins when the publication has been asked for; the process that asked may still be ending then.
    """
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", BEGIN + script + END, *arguments]
    with subprocess.Popen(command, env=house.environment, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert ASKED in iter(process.stdout.readline, ""), "the decision failed: see standard error"
        yield
    assert process.returncode == 0


def config(house: Running, name: str, folder: Path, *, listens: bool, poll_seconds: float | None = None) -> str:
    """A node of this installation; it polls as nodes do unless told otherwise."""
    token = (house.data / "secrets" / "edge-node.token").read_text().strip()
    more = f"poll_seconds = {poll_seconds}\n" if poll_seconds else ""
    if listens:
        more += f'events = "http://127.0.0.1:{house.port + 7}/v1/events"\n'
    return (
        f'node = "{name}"\nstate = "{folder / name}"\n[listen]\nport = 0\n'
        f'[editions]\nsource = "{house.partner}editions/"\nroot = "{house.data / "1.root.json"}"\ntoken = "{token}"\n{more}'
    )


def seconds_until(node: RunningNode, address: str, verdict: str, most: float = 180.0) -> float:
    """Seconds until the node gives this verdict; ``most`` is there only so that a broken installation ends."""
    started = time.monotonic()
    while node.verdict_on(address)["verdict"] != verdict:
        if time.monotonic() - started > most:
            raise AssertionError(f"not {verdict} after {most:.0f} s")
        time.sleep(0.02)
    return time.monotonic() - started

"""The whole lab: every door green, a browser that meets the block page, red where one is broken; then editions that

change under load.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections import Counter
from http.client import HTTPException
from pathlib import Path
from typing import Final

import pytest
from tests.edge.world import until
from tests.lab.peers import through
from tests.lab.whole import PAGE, Lab, lab, publish
from tests.support.browsing import SCREENS, chromium

from vigil.base.clock import SystemClock
from vigil.edge import config as edge_config
from vigil.edge.certify import run as certification
from vigil.edge.certify.probes import Http

OTHER: Final = "http://other.example/page"
SHARE: Final = 0.7
CLIENTS: Final = 2
CALIBRATION: Final = 20
FLAT: Final = 1.05
QUARTER_LEAST: Final = 5


def test_every_door_is_green_and_a_browser_meets_the_page(tmp_path: Path) -> None:
    with lab(tmp_path) as running:
        until(lambda: not {"bind", "powerdns"} & set(certified(running).failing()))  # they have the zone
        found = certified(running)
        assert found.good, certification.lines_of(found)
        assert {"squid", "nginx", "bind", "powerdns", "icap", "dns", "http", "rpz"} <= {door.door for door in found.doors}
        with chromium() as browser:
            page = browser.new_context(proxy={"server": f"http://127.0.0.1:{running.ports['squid']}"}, locale="nl").new_page()
            answer = page.goto(PAGE)
            assert answer is not None
            assert answer.status == 451
            assert page.locator("html").get_attribute("lang") == "nl"
            SCREENS.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=SCREENS / "lab-block-page.png")
            passed = page.goto(OTHER)
            assert passed is not None
            assert passed.status == 200
        running.config.write_text(running.config.read_text().replace(f"{running.ports['nginx']}", "1"))
        assert certified(running).failing() == ["nginx"]
        run_under_load(running, seconds=6, swap_every=1.0, share=0.5)


@pytest.mark.soak
def test_thirty_minutes_of_load_and_new_editions(tmp_path: Path) -> None:
    """At 70 % of what two clients can ask of this machine, measured first; an edition every ten seconds.

    Memory is flat: what all processes of the node have for themselves, in the middle of the last quarter of the run, is at most
    five in a hundred more than in the second quarter; the first quarter is left for what grows once, such as caches.
    """
    with lab(tmp_path) as running:
        run_under_load(running, seconds=float(os.environ.get("VIGIL_SOAK_SECONDS", "1800")), swap_every=10.0, share=SHARE)


def certified(running: Lab) -> certification.Report:
    return certification.run(edge_config.load(running.config), SystemClock())


def ask_once(running: Lab, node: Http, verdicts: Counter[str]) -> None:
    """A listed page and another one at the API, and the listed one through Squid."""
    for address, word in ((PAGE, b'"listed"'), (OTHER, b'"not_listed"')):
        try:
            asked = b'{"url":"%s"}' % address.encode()
            body = node.ask("POST", "/v1/url", asked, {"Content-Type": "application/json"})[1]
            verdicts["right" if word in body else "wrong"] += 1
        except (OSError, HTTPException):
            verdicts["lost"] += 1
    verdicts["right" if through(running.ports["squid"], PAGE, Host="quimber.example").status == 451 else "wrong"] += 1


def seconds_a_round(running: Lab, node: Http) -> float:
    """What a round of questions takes where two clients ask without a pause."""
    took: list[float] = []

    def ask() -> None:
        began, verdicts = time.monotonic(), Counter[str]()
        for _ in range(CALIBRATION):
            ask_once(running, node, verdicts)
        took.append((time.monotonic() - began) / CALIBRATION)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(took) / len(took)


def run_under_load(running: Lab, seconds: float, swap_every: float, share: float) -> None:
    """Questions at ``share`` of what can be asked, while editions change: no wrong verdict, and memory that stays as it was."""
    stopped, verdicts = threading.Event(), Counter[str]()
    node = Http("127.0.0.1", running.ports["node"])
    pause = seconds_a_round(running, node) * (1 / share - 1)

    def ask() -> None:
        while not stopped.is_set():
            ask_once(running, node, verdicts)
            stopped.wait(pause)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    began, number, sizes = time.monotonic(), 10, []
    while time.monotonic() - began < seconds:
        stopped.wait(swap_every)
        number += 1
        in_force = publish(running.hotline, number)
        sizes.append(memory_of(running))
    stopped.set()
    for thread in threads:
        thread.join()
    until(lambda: b'"edition":%d' % in_force in node.ask("GET", "/readyz")[1])
    assert verdicts["right"] > 20
    assert verdicts["wrong"] == verdicts["lost"] == 0, verdicts
    quarter = len(sizes) // 4
    print(f"{dict(verdicts)}, {len(sizes)} editions, MB {[size >> 20 for size in sizes[:: max(1, quarter // 4)]]}")
    if quarter >= QUARTER_LEAST:
        second, last = statistics.median_low(sizes[quarter : 2 * quarter]), statistics.median_low(sizes[-quarter:])
        assert last <= FLAT * second, (
            f"memory grows: {second >> 20} MB in the second quarter, {last >> 20} in the last"
        )


def memory_of(running: Lab) -> int:
    """Own memory of all processes of the node, in bytes."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(running.config).encode() in path.read_bytes():
                lines = (path.parent / "smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
        except OSError:
            continue
    return total

"""The whole lab: every door green, a browser that meets the block page, red where one is broken; then editions that

change under load.
"""

from __future__ import annotations

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
        run_under_load(running, seconds=6, swap_every=1.0, pause=0.01)


@pytest.mark.soak
def test_thirty_minutes_of_load_and_new_editions(tmp_path: Path) -> None:
    """At about 70 % of what one client thread can ask; an edition every ten seconds."""
    with lab(tmp_path) as running:
        run_under_load(running, seconds=1800, swap_every=10.0, pause=0.002)


def certified(running: Lab) -> certification.Report:
    return certification.run(edge_config.load(running.config), SystemClock())


def run_under_load(running: Lab, seconds: float, swap_every: float, pause: float) -> None:
    """Questions through the API and Squid while editions change: no wrong verdict, and memory that stays as it was."""
    stopped, verdicts = threading.Event(), Counter[str]()
    node = Http("127.0.0.1", running.ports["node"])

    def ask() -> None:
        while not stopped.is_set():
            for address, word in ((PAGE, b'"listed"'), (OTHER, b'"not_listed"')):
                try:
                    asked = b'{"url":"%s"}' % address.encode()
                    body = node.ask("POST", "/v1/url", asked, {"Content-Type": "application/json"})[1]
                    verdicts["right" if word in body else "wrong"] += 1
                except (OSError, HTTPException):
                    verdicts["lost"] += 1
            verdicts["right" if through(running.ports["squid"], PAGE, Host="quimber.example").status == 451 else "wrong"] += 1
            stopped.wait(pause)

    threads = [threading.Thread(target=ask) for _ in range(2)]
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
    middle = len(sizes) // 2
    if middle > 10:
        assert max(sizes[middle:]) < 1.15 * max(sizes[:middle]), "memory grows"


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

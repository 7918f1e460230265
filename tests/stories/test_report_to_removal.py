"""The story of one report: it becomes a block, the block is counted, and an appeal takes it off again."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Callable

from playwright.sync_api import Page
from tests.support.browsing import FINDING, Reporter, Staff, reference_on
from tests.support.running import Running

PAGE = "http://gallery.example/room/7"
NEIGHBOUR = "http://gallery.example/room/8"
ALBUM = "http://copies.example/album"


def test_from_a_report_to_a_block_and_back(
    house: Running,
    reporter: Reporter,
    staff: Callable[[str], Staff],
    person: Callable[..., Page],
) -> None:
    # Somebody reports a page, and keeps a reference.
    assert house.ask_edge(PAGE)["verdict"] == "not_listed"
    reference = reporter.reports(PAGE, "I came across this by accident.")
    assert "received" in reporter.asks_about(reference).lower()

    # An analyst takes the case, has the page captured, and assesses it.
    ana = staff("ana")
    ana.opens_case(reference)
    assert "room/7" not in ana.page.content(), "the address is hidden until somebody asks for it"
    ana.takes_it()
    ana.captures_the_page()
    ana.page.get_by_role("button", name="Show address").click()
    ana.page.get_by_text(PAGE).first.wait_for()
    ana.assesses(**FINDING)
    assert ana.page.locator("[name=decision]").count() == 0, "who assessed does not decide on listing"

    # A second person lists the page and its pictures.
    lin = staff("lin")
    lin.opens_case(reference)
    lin.takes_it()
    lin.lists_page_and_pictures()
    assert house.ask_edge(PAGE)["verdict"] == "not_listed", "nothing is enforced before an edition"

    # The publisher presses the button; seconds later the node answers from the new edition.
    paula = staff("paula")
    pressed = paula.publishes()
    house.wait_for_verdict(PAGE, "listed")
    took = time.monotonic() - pressed
    print(f"\nfrom the publish click to 'listed' at the edge: {took:.2f} s")
    assert house.ask_edge(NEIGHBOUR)["verdict"] == "not_listed"

    # A customer behind the provider's filter meets the block page; the neighbour stays reachable.
    visitor = person(proxy={"server": house.provider.rstrip("/")})
    answer = visitor.goto(PAGE)
    assert answer is not None
    assert answer.status == 451
    assert PAGE not in visitor.content(), "the block page never repeats the address"
    assert visitor.goto(NEIGHBOUR).status == 200  # type: ignore[union-attr]
    assert visitor.goto(f"{NEIGHBOUR}/pictures/harbour.jpg").status == 200  # type: ignore[union-attr]

    # A smaller, re-encoded copy of a listed picture on another site is blocked, the page around it is not.
    assert visitor.goto(ALBUM).status == 200  # type: ignore[union-attr]
    assert visitor.goto("http://copies.example/pictures/copy-of-zorblat.jpg").status == 451  # type: ignore[union-attr]
    near = house.match_media(world_picture(house, "copies.example/copy-of-zorblat.jpg"))
    assert (near["verdict"], near["signal"]) == ("listed", "pdq")
    assert 0 < near["distance"] <= 31
    assert house.match_media(world_picture(house, "copies.example/meadow.jpg"))["verdict"] == "not_listed"

    # The blocked requests come back as counts, and the statistics show them.
    aud = staff("aud")
    blocked = blocked_requests_on_statistics(aud, at_least=2)
    assert blocked >= 2

    # The customer complains from the block page; nothing has to be typed again but why.
    visitor.goto(PAGE)
    complaint = visitor.locator("a[href*='appeal']").first.get_attribute("href")
    assert complaint is not None
    assert "gallery" not in complaint
    appellant = person()
    appellant.goto(complaint)
    appellant.locator("[name=address]").fill(PAGE)
    appellant.locator("[name=reasons], [name=why]").first.fill("The page shows drawn shapes only.")
    for group in ("standing", "who"):
        if appellant.locator(f"[name={group}]").count():
            appellant.locator(f"[name={group}]").first.check()
    appellant.locator("main form button").last.click()
    appellant.get_by_text(re.compile("reference", re.IGNORECASE)).first.wait_for()
    assert reference_on(appellant)

    # Somebody who had no part in the listing decides, and upholds the appeal.
    sam = staff("sam")
    sam.page.goto(f"{house.console}appeals/")
    sam.page.locator("tbody a").first.click()
    sam.page.locator("[name=outcome][value=upheld]").check()
    sam.page.locator("[name=notes]").fill("Drawn shapes; nothing of what the list is for.")
    sam.page.get_by_role("button", name="Save the decision").click()
    sam.page.get_by_text("Withdrawn").first.wait_for()

    # The next edition no longer has the page, and everybody can reach it again.
    paula.publishes()
    house.wait_for_verdict(PAGE, "not_listed")
    assert visitor.goto(PAGE).status == 200  # type: ignore[union-attr]

    # No log line and no metric of the house tells of an entry or of anybody's words.
    assert_nothing_leaked(house)

    # What happened is in the log, unbroken, and the published folder is whole.
    assert house.vigil("hotline", "audit", "verify", "--edition", str(house.data / "editions")).returncode == 0
    assert house.vigil("edition", "verify", str(house.data / "editions")).returncode == 0


def assert_nothing_leaked(house: Running) -> None:
    """What every process of the house wrote, and what the node tells its operator. The world outside may say what it likes."""
    told = {path.name: path.read_bytes() for path in (house.data / "logs").glob("*.log") if path.name != "world.log"}
    assert {"public.log", "console.log", "partner.log", "worker.log", "office.log", "edge.log"} <= set(told)
    for path in ("metrics", "readyz"):
        with urllib.request.urlopen(house.edge + path, timeout=10) as answer:
            told[path] = answer.read()
    assert b"vigil" in told["metrics"]
    confidential = (b"gallery.example", b"room/7", b"by accident", b"drawn shapes", b"Drawn shapes")
    assert [(name, words) for name, said in told.items() for words in confidential if words in said] == []


def world_picture(house: Running, place: str) -> bytes:
    with urllib.request.urlopen(f"{house.world}sites/{place}", timeout=10) as answer:
        content: bytes = answer.read()
    return content


def blocked_requests_on_statistics(aud: Staff, at_least: int) -> int:
    """The number on the statistics page, once the counts have arrived."""
    deadline = time.monotonic() + 30
    while True:
        aud.page.goto(f"{aud.house.console}statistics/")
        text = aud.page.locator("main").inner_text()
        found = re.search(r"(\d[\d,]*)\s+requests? that matched", text)
        if found and int(found.group(1).replace(",", "")) >= at_least:
            return int(found.group(1).replace(",", ""))
        assert time.monotonic() < deadline, text
        time.sleep(0.5)

"""The pages in Chromium: each language without a complaint of axe, on a narrow phone, in the dark, from right to left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from tests.edge.world import Hotline, RunningNode, config_text, running, until
from tests.support.browsing import SCREENS, chromium

from vigil.base.clock import SystemClock
from vigil.edge.pages import TEXTS

PAGES = """[pages]
deployer = "Quimber Net"
deployer_url = "https://quimber.example/why"
base_url = "https://node.example"
complaint_url = "https://hotline.example/{language}/appeal/"
complaint_days = 14
report_url = "https://hotline.example/{language}/"
help_url = "https://help.example/{language}"
"""
LINE = """[[pages.help_lines]]
country = "NL"
name = "Zorblat line"
for_whom = "{whom}"
languages = ["*"]
url = "https://help.example/talk"
phone = "0800 000 0000"
hours = "9–17"
anonymous = true
free = true
verified_on = {day}
verified_by = "A person"
"""
SHOWN = ("en", "ar", "he", "de")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def shown(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    hotline.publish()
    day = SystemClock().now().date().isoformat()
    more = PAGES + "".join(LINE.format(whom=whom, day=day) for whom in ("self", "child", "anyone"))
    with running(config_text(hotline, state, more)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        yield node


def wrong(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA."""
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}}).response
    return [f"{each['id']}: {each['help']}" for each in found["violations"]]


def test_every_page_in_every_language(shown: RunningNode, browser: Browser) -> None:
    folder = SCREENS / "edge"
    folder.mkdir(parents=True, exist_ok=True)
    asked: list[str] = []
    context = browser.new_context(viewport={"width": 320, "height": 640}, bypass_csp=True)
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    for language in TEXTS:
        for kind in ("blocked", "deterrence") if language in SHOWN else ("blocked",):
            answer = page.goto(f"http://127.0.0.1:{shown.port}/{kind}/{language}")
            assert answer is not None and answer.status == 451
            assert wrong(page) == [], (language, kind)
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, (language, kind, "wider than a phone")
            assert page.locator("html").get_attribute("lang") == language
            if language in SHOWN:
                page.screenshot(path=folder / f"{kind}-{language}.png", full_page=True)
    context.close()
    assert {address.split("/")[2] for address in asked} == {f"127.0.0.1:{shown.port}"}, "a page asked for something else"


@pytest.mark.parametrize("how", ["dark", "wide", "no-script"])
def test_the_page_in_other_circumstances(shown: RunningNode, browser: Browser, how: str) -> None:
    context = browser.new_context(
        viewport={"width": 1280, "height": 800},
        color_scheme="dark" if how == "dark" else "light",
        java_script_enabled=how != "no-script",
    )
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{shown.port}/blocked/en")
    assert page.get_by_role("heading", level=1).inner_text() == "This page cannot be opened here"
    assert page.get_by_role("link", name="0800 000 0000").first.get_attribute("href") == "tel:08000000000"
    if how != "no-script":
        heights = page.eval_on_selector_all("a", "links => links.map(link => link.getBoundingClientRect().height)")
        assert min(heights) >= 24
    page.screenshot(path=SCREENS / "edge" / f"blocked-{how}.png", full_page=True)
    context.close()

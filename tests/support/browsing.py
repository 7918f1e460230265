"""People in a real browser: what a reporter, a member of staff and a passer-by do, in their own words."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from tests.support.running import Running

CHROMIUM = "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]  # fmt: skip
SCREENS = Path("artifacts/screens")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless. It is a failure where it is missing, not a skip."""
    if not Path(CHROMIUM).exists():
        raise RuntimeError("Chromium is missing: run `python3 tools/system_packages.py test`")
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        try:
            yield browser
        finally:
            browser.close()


def _launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)


@dataclass
class Reporter:
    """Somebody at the public door."""

    page: Page
    house: Running

    def reports(self, address: str, words: str = "") -> str:
        """Hands in a report; the reference that the door gives."""
        page = self.page
        page.goto(f"{self.house.public}en/report/")
        page.locator("[name=address]").fill(address)
        page.locator("main form button").click()
        page.locator("[name=kind][value=images]").check()
        page.locator("main form button").click()
        page.locator("[name=words]").fill(words)
        page.locator("main form button").first.click()
        page.wait_for_url("**/report/check/")
        page.locator("main form button").last.click()
        page.wait_for_url("**/report/sent/")
        return reference_on(page)

    def asks_about(self, reference: str) -> str:
        """What the status page says."""
        self.page.goto(f"{self.house.public}en/status/")
        self.page.locator("main form input:not([type=hidden])").first.fill(reference)
        self.page.locator("main form button").click()
        return self.page.locator("main").inner_text()


def press(page: Page, key: str) -> None:
    """A key, once the page has loaded: its scripts are deferred, and a key pressed before they run meets nobody."""
    page.wait_for_load_state("load")
    page.keyboard.press(key)


def reference_on(page: Page) -> str:
    found = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b", page.locator("main").inner_text())
    assert found, page.locator("main").inner_text()
    return found.group()


@dataclass
class Staff:
    """A member of staff at the console."""

    name: str
    page: Page
    house: Running

    def signs_in(self) -> Staff:
        page, login = self.page, self.house.login(self.name)
        page.goto(self.house.console)
        page.locator("[name=login]").fill(login.username)
        page.locator("[name=password]").fill(login.password)
        page.locator("[name=password]").press("Enter")
        page.wait_for_url("**/code/**")
        page.locator("[name=code]").fill(self.house.code(self.name))
        page.locator("[name=code]").press("Enter")
        page.wait_for_url(self.house.console)
        return self

    def opens_case(self, reference: str) -> None:
        self.page.goto(f"{self.house.console}queue/?view=open")
        self.page.get_by_role("link", name=reference).click()
        self.page.wait_for_url("**/cases/**")

    def takes_it(self) -> None:
        self.page.get_by_role("button", name="Take this case").click()
        self.page.get_by_text("You hold it").wait_for()

    def captures_the_page(self, seconds: float = 30.0) -> None:
        self.page.get_by_role("button", name="Capture the page").click()
        deadline = time.monotonic() + seconds
        while not self.page.get_by_text("pictures found").count():
            assert time.monotonic() < deadline, self.page.locator("main").inner_text()
            time.sleep(0.2)
            self.page.reload()

    def assesses(self, **answers: str) -> None:
        for name, value in answers.items():
            field = self.page.locator(f".assess [name={name}]").first
            if field.get_attribute("type") == "radio":
                self.page.locator(f".assess [name={name}][value={value}]").check()
            else:
                field.select_option(value)
        self.page.get_by_role("button", name="Save the assessment").click()
        self.page.get_by_role("heading", name=re.compile("Assessment 1")).wait_for()

    def lists_page_and_pictures(self) -> None:
        page = self.page
        page.locator("[name=decision][value=list]").check()
        page.locator("[name=scope]").first.check()
        for box in page.locator("[name=pictures]").all():
            box.check()
        page.get_by_role("button", name="Save the decision").click()
        page.get_by_text("decided by").first.wait_for()

    def publishes(self) -> float:
        """Presses publish; the instant of the press."""
        self.page.goto(f"{self.house.console}publish/")
        pressed = time.monotonic()
        self.page.locator("form[action*='publish/now'] button").click()
        return pressed


FINDING: dict[str, Any] = {
    "outcome": "actioned_contains",
    "confidence": "high",
    "rationale_code": "seen_at_source",
    "view_mode_max": "facts",
    "site_type": "image_host",
    "content_role": "contains",
    "severity": "C",
    "age_youngest": "11-13",
    "sex": "unidentified",
    "self_generated": "unclear",
    "realism": "photographic",
    "ai_status": "none_seen",
    "real_child_link": "unknown",
}

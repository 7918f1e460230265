"""The public door in a real browser: axe, five ways to look at it, keyboard alone, no script, leaving quickly."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from tests.hotline.public_door.door_process import public_door
from tests.support.browsing import SCREENS, chromium, press

pytestmark = pytest.mark.browser
PAGES = ("", "report/address/", "status/", "appeal/?ref=N7-1", "help/", "about/", "privacy/", "zorblat/")
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "light": ("en", {"viewport": {"width": 1100, "height": 800}}),
    "dark": ("nl", {"viewport": {"width": 1100, "height": 800}, "color_scheme": "dark"}),
    "right-to-left": ("ar", {"viewport": {"width": 1100, "height": 800}}),
    "phone": ("fr", {"viewport": {"width": 320, "height": 640}}),
    # 400 % zoom of a window 1280 wide leaves 320 CSS pixels, at a density of four.
    "zoom": ("ar", {"viewport": {"width": 320, "height": 256}, "color_scheme": "dark", "device_scale_factor": 4}),
}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with public_door(tmp_path_factory.mktemp("door")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def judge(page: Page, look: str, name: str) -> None:
    """Keep a picture; nothing sticks out; axe finds nothing at all, and looked at something (zoom has no rules of its own)."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"public-{look}-{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{look} {name} is too wide"
    if look == "zoom":
        return
    found = Axe().run(page).response
    assert found["passes"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_looks_right_and_is_accessible(door: str, browser: Browser, look: str) -> None:
    language, settings = LOOKS[look]
    context = browser.new_context(**settings)
    page = context.new_page()
    for path in PAGES:
        page.goto(f"{door}/{language}/{path}")
        judge(page, look, path.partition("?")[0].strip("/").replace("/", "-") or "home")
    send = page.locator("main form button").first
    page.goto(f"{door}/{language}/report/address/")
    page.fill("textarea", "the quimber group")
    send.click()
    page.locator(".error-summary:focus").wait_for()
    judge(page, look, "doubt")
    page.fill("textarea", "https://gallery.example/room/7?view=" + "quimber" * 30)
    send.click()
    page.wait_for_url("**/report/kind/")
    judge(page, look, "kind")
    send.click()
    page.locator(".error-summary:focus").wait_for()
    judge(page, look, "kind-missing")
    page.locator("input[type=radio]").first.check()
    for name in ("words", "check", "sent"):
        send.click()
        page.wait_for_url(f"**/report/{name}/")
        judge(page, look, name)
    reference = page.locator(".receipt .reference").inner_text()
    page.goto(f"{door}/{language}/status/")
    page.fill("[name=reference]", reference)
    send.click()
    page.locator(".tag").wait_for()
    judge(page, look, "state")
    page.goto(f"{door}/{language}/appeal/")
    send.click()
    page.locator(".error-summary:focus").wait_for()
    judge(page, look, "appeal-missing")
    context.close()


CHANNELS = ("", "report/address/", "report/app/", "report/file/", "young/", "appeal/", "status/", "help/")


def test_small_pages_written_from_right_to_left_are_accessible(door: str, browser: Browser) -> None:
    """At 320 pixels in Arabic, for every way to report: axe looks at all of it, which it does not at 400 %."""
    page = browser.new_context(viewport={"width": 320, "height": 640}).new_page()
    for path in CHANNELS:
        answer = page.goto(f"{door}/ar/{path}")
        assert answer is not None and answer.status == 200 and page.evaluate("document.documentElement.dir") == "rtl"
        judge(page, "small-right-to-left", path.strip("/").replace("/", "-") or "home")


def test_a_report_with_the_keyboard_alone(door: str, browser: Browser) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{door}/en/report/address/")
    press(page, "Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    press(page, "Enter")
    tab_to(page, "TEXTAREA")
    page.keyboard.type("gallery.example/room/keyboard")
    go_on(page, "**/report/kind/")
    tab_to(page, "INPUT")
    press(page, "ArrowDown")
    go_on(page, "**/report/words/")
    tab_to(page, "TEXTAREA")
    go_on(page, "**/report/check/")
    go_on(page, "**/report/sent/")
    assert "Thank you" in page.locator("h1").inner_text()
    page.context.close()


def tab_to(page: Page, tag: str) -> None:
    for _ in range(30):
        if page.evaluate("document.activeElement.tagName") == tag:
            return
        press(page, "Tab")
    raise AssertionError(f"the keyboard never reaches a {tag}")


def go_on(page: Page, address: str) -> None:
    tab_to(page, "BUTTON")
    press(page, "Enter")
    page.wait_for_url(address)


def test_a_report_without_script(door: str, browser: Browser) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{door}/nl/")
    page.get_by_role("link", name="Meld een pagina").first.click()
    send = page.locator("main form button").first
    page.fill("textarea", "zorblat")
    send.click()
    page.get_by_role("button", name="Verstuur het zoals het is").click()
    page.wait_for_url("**/report/kind/")
    page.locator("input[type=radio]").last.check()
    send.click()
    page.wait_for_url("**/report/words/")
    send.click()
    page.wait_for_url("**/report/check/")
    page.go_back()
    page.wait_for_url("**/report/words/")
    page.get_by_role("link", name="Terug").click()
    page.wait_for_url("**/report/kind/")
    assert page.locator("input[type=radio]").last.is_checked()
    page.goto(f"{door}/nl/report/check/")
    send.click()
    assert re.fullmatch(r"[0-9A-Z-]{14}", page.locator(".receipt .reference").inner_text())
    assert not page.locator("[data-copy]").is_visible()
    page.context.close()


@pytest.mark.parametrize("script", [True, False])
def test_leaving_quickly(door: str, browser: Browser, script: bool) -> None:
    context = browser.new_context(java_script_enabled=script)
    page = context.new_page()
    page.goto(f"{door}/en/report/address/")
    page.fill("textarea", "gallery.example/room/leaving")
    page.locator("main form button").first.click()
    page.wait_for_url("**/report/kind/")
    page.get_by_role("link", name="Leave this page").click()
    page.wait_for_url("**/blank/")
    assert "Hotline" not in page.title()
    assert not context.cookies()
    page.goto(f"{door}/en/report/address/")
    assert page.locator("textarea").input_value() == ""
    context.close()


def test_the_reference_can_be_copied_and_a_double_click_sends_once(door: str, browser: Browser) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{door}/en/report/address/")
    page.fill("textarea", "gallery.example/room/copied")
    send = page.locator("main form button").first
    send.click()
    page.wait_for_url("**/report/kind/")
    page.locator("input[type=radio]").first.check()
    send.click()
    page.wait_for_url("**/report/words/")
    send.click()
    page.wait_for_url("**/report/check/")
    send.dblclick()
    page.wait_for_url("**/report/sent/")
    reference = page.locator(".receipt .reference").inner_text()
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == reference
    context.close()


def test_a_ten_megabyte_paste_through_the_real_server(door: str) -> None:
    body = b"address=" + b"z" * 10_000_000
    request = urllib.request.Request(f"{door}/en/report/address/", data=body)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    page = caught.value.read().decode()
    assert caught.value.code == 413
    assert "longer than we can take" in page
    caught.value.close()

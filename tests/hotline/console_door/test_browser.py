"""The console in a real browser: keyboard alone, no script, axe on each page, four ways to look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page
from pyrage import x25519
from tests.hotline.console_door.conftest import SECRET_ADDRESS, Desk
from tests.hotline.lists.cases import page as listed_page
from tests.support.browsing import SCREENS, chromium, press
from tests.support.guide_pictures import require_current

from vigil.base.clock import FixedClock
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.doors.console.limits import FILE_BYTES
from vigil.hotline.lists.actions import do_list
from vigil.hotline.lists.appeals import do_file_appeal
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.partners.agreements import Terms, do_approve_agreement, do_propose_agreement, do_propose_partner
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.recipients import do_propose_recipient
from vigil.hotline.reports.actions import do_take
from vigil.hotline.reports.models import Report

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "right-to-left": {"viewport": {"width": 1280, "height": 900}, "rtl": True},
    "narrow": {"viewport": {"width": 768, "height": 900}},
}
# The words stay English; the layout must not care.
TURN = "document.addEventListener('DOMContentLoaded', () => { document.documentElement.dir = 'rtl' })"
Enter = Callable[..., BrowserContext]
EVERY_LIST_ROLE = (Role.SUPERVISOR, Role.LIST_PUBLISHER, Role.AUDITOR)


@pytest.fixture
def enter(request: pytest.FixtureRequest, settings: Any, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Enter]:
    """Opens a browser of somebody who is signed in."""
    settings.STATIC_URL = settings.MEDIA_URL = "/nothing-is-served-here/"  # the live server wants to know; the door has none
    live_server = request.getfixturevalue("live_server")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright keeps an event loop in this thread
    with chromium() as browser:

        def open_for(user: User, rtl: bool = False, **look: Any) -> BrowserContext:
            cookie = desk.at(user).cookies["vigil_console"].value
            context = browser.new_context(base_url=live_server.url, **look)
            if rtl:
                context.add_init_script(TURN)
            context.add_cookies([{"name": "vigil_console", "value": cookie, "url": live_server.url}])
            return context

        yield open_for


def judge(page: Page, look: str, name: str) -> None:
    """Keep a picture; nothing sticks out; axe finds nothing at all."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"console-{look}-{name}.png", full_page=True)
    require_current(SCREENS / f"console-{look}-{name}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{look} {name} is too wide"
    found = Axe().run(page).response
    assert found["passes"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []


def fits_both_ways(page: Page, name: str) -> None:
    """Keep a picture of a small screen in each direction; nothing sticks out."""
    for way in ("ltr", "rtl"):
        page.evaluate("way => { document.documentElement.dir = way }", way)
        page.screenshot(path=SCREENS / f"console-zoomed-{way}-{name}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{way} {name} is too wide"


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_looks_right_and_is_accessible(enter: Enter, desk: Desk, make_user: Callable[..., User], look: str) -> None:
    everybody = make_user(Role.SUPERVISOR, Role.LIST_PUBLISHER, Role.AUDITOR, username="sam")
    do_list(desk.ben, desk.waiting_for_ben(), [listed_page(SECRET_ADDRESS)])
    appeal, publication = do_file_appeal(address=SECRET_ADDRESS, reasons="quimber"), do_request_publication(everybody)
    taken, waiting = desk.taken("http://one.example/a"), desk.assessed("http://two.example/b/c")
    pages = {
        "overview": "/", "queue": "/queue/?view=open", "empty": "/queue/?view=mine", "case": f"/cases/{waiting.pk}/",
        "entries": "/entries/", "entry": "/entries/1/", "withdraw": "/entries/1/withdraw/", "publish": "/publish/",
        "publication": f"/publish/{publication.pk}/", "appeals": "/appeals/", "appeal": f"/appeals/{appeal.pk}/",
        "statistics": "/statistics/", "audit": "/audit/", "people": f"/cases/{waiting.pk}/people/",
        "elevations": "/elevated/sessions/", "search": "/search/", "own": "/account/second-step/", "out": "/account/sign-out/",
    }  # fmt: skip
    page = enter(everybody, **LOOKS[look]).new_page()
    for name, path in pages.items():
        page.goto(path.replace("/1/", f"/{appeal.entries.get().pk}/"))
        judge(page, look, name)
    page.goto(f"/cases/{waiting.pk}/")
    press(page, "t")
    page.get_by_role("heading", name="Listing decision").wait_for()
    page.locator("[name=decision][value=list]").check()
    judge(page, look, "decision")
    page = enter(desk.anna, **LOOKS[look]).new_page()
    page.goto(f"/cases/{taken.pk}/")
    page.locator("[name=outcome][value=actioned_contains]").check()
    judge(page, look, "assessment")


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_pages_of_lists_partners_and_agreements_look_right_and_are_accessible(
    enter: Enter, desk: Desk, make_user: Callable[..., User], clock: FixedClock, look: str
) -> None:
    everybody = make_user(*EVERY_LIST_ROLE, username="sam")
    do_list(desk.ben, desk.waiting_for_ben(), [listed_page(SECRET_ADDRESS)])
    entry, waiting = ListEntry.objects.get(), desk.assessed("http://two.example/b/c")
    partner = do_propose_partner(everybody, "Quimber Net", PartnerKind.ISP, hosts=["quimber.example"])
    key = str(x25519.Identity.generate().to_public())
    do_propose_recipient(everybody, partner, key, "Its machine was lost.")
    terms = Terms("contract 7", ("url",), clock.now(), clock.now() + timedelta(days=90), "Somebody", exports=("rpz",))
    proposed = do_propose_agreement(everybody, partner, terms)
    agreed = do_propose_agreement(everybody, partner, terms)
    do_approve_agreement(make_user(Role.SUPERVISOR, username="mia"), agreed)
    pages = {
        "lists": "/lists/", "list-new": "/lists/new/", "list": "/lists/url/", "list-policy": "/lists/url/policy/",
        "propose": "/lists/url/propose/url/", "proposals": "/proposals/", "allow": "/allow/", "allow-new": "/allow/new/",
        "partners": "/partners/", "partner-new": "/partners/new/", "partner": f"/partners/{partner.pk}/",
        "agreement-new": f"/partners/{partner.pk}/agreement/", "partner-stop": f"/partners/{partner.pk}/stop/",
        "partner-key": f"/partners/{partner.pk}/key/",
        "alarms": "/alarms/", "entry-change": f"/entries/{entry.pk}/change/", "approvals": "/approvals/",
    }  # fmt: skip
    page = enter(everybody, **LOOKS[look]).new_page()
    for name, path in pages.items():
        page.goto(path)
        judge(page, look, name)
    assert proposed.reference in page.goto(pages["partner"]).text()  # type: ignore[union-attr]
    page.goto(f"/entries/{entry.pk}/")
    page.get_by_role("button", name="What it would match").click()
    page.get_by_role("heading", name="What it would match").wait_for()
    judge(page, look, "entry-preview")
    do_take(everybody, waiting)
    page.goto(f"/cases/{waiting.pk}/")
    page.locator("[name=decision][value=list]").check()
    page.get_by_role("button", name="What it would match").click()
    page.get_by_text("Nothing is decided yet").wait_for()
    judge(page, look, "listing-preview")


def test_pages_reflow_at_400_percent_in_both_directions(
    enter: Enter, desk: Desk, make_user: Callable[..., User], clock: FixedClock
) -> None:
    """1280 pixels at 400 % are 320: everything stands in one column, and only tables are moved sideways in their own frame."""
    everybody = make_user(Role.SUPERVISOR, Role.LIST_PUBLISHER, Role.AUDITOR, Role.QA, username="sam")
    do_list(desk.ben, desk.waiting_for_ben(), [listed_page(SECRET_ADDRESS)])
    entry, taken = ListEntry.objects.get(), desk.taken("http://one.example/a")
    partner = do_propose_partner(everybody, "Quimber Net", PartnerKind.ISP, recipient=str(x25519.Identity.generate().to_public()))
    do_propose_recipient(everybody, partner, str(x25519.Identity.generate().to_public()), "Its machine was lost.")
    terms = Terms("contract 7", ("url",), clock.now(), clock.now() + timedelta(days=90), "Somebody", exports=("rpz",))
    do_propose_agreement(everybody, partner, terms)
    pages = {
        "lists": "/lists/", "list": "/lists/url/", "list-policy": "/lists/url/policy/", "entries": "/entries/",
        "entry": f"/entries/{entry.pk}/", "entry-change": f"/entries/{entry.pk}/change/", "allow": "/allow/",
        "partners": "/partners/", "partner": f"/partners/{partner.pk}/", "partner-key": f"/partners/{partner.pk}/key/",
        "agreement-new": f"/partners/{partner.pk}/agreement/", "quality": "/quality/", "sources": "/sources/", "banks": "/banks/",
        "out-of-turn": f"/cases/{taken.pk}/out-of-turn/", "queue": "/queue/?view=open", "case": f"/cases/{taken.pk}/",
        "publish": "/publish/", "appeals": "/appeals/", "audit": "/audit/",
    }  # fmt: skip
    page = enter(everybody, viewport={"width": 320, "height": 800}).new_page()
    for name, path in pages.items():
        page.goto(path)
        fits_both_ways(page, name)
        heading = page.locator("h1").first.bounding_box()
        assert heading is not None and heading["y"] < 400, f"{name} begins below the first screen"


def test_the_rail_opens_on_a_small_screen_without_script_and_with_the_keyboard(enter: Enter, desk: Desk) -> None:
    page = enter(desk.anna, java_script_enabled=False, viewport={"width": 320, "height": 800}).new_page()
    page.goto("/queue/")
    room = page.get_by_role("link", name="Search")
    assert not room.is_visible()
    page.get_by_role("link", name="Menu", exact=True).focus()
    page.keyboard.press("Enter")
    room.wait_for()
    room.focus()
    assert room.is_visible(), "it stays open while somebody goes through it"
    page.get_by_role("link", name="Close the menu").click()
    room.wait_for(state="hidden")
    page.set_viewport_size({"width": 1280, "height": 800})
    room.wait_for()
    assert not page.get_by_role("link", name="Menu", exact=True).is_visible()


def test_a_case_with_the_keyboard_alone(enter: Enter, desk: Desk) -> None:
    report = desk.reported()
    page = enter(desk.anna, **LOOKS["light"]).new_page()
    page.goto("/")
    pressed = partial(press, page)
    pressed("n")
    page.get_by_text("You hold it").wait_for()
    pressed("v")
    address = page.get_by_text(SECRET_ADDRESS, exact=True).first
    address.wait_for()
    pressed("Escape")
    assert not address.is_visible()
    page.get_by_role("button", name="Show it again").focus()
    pressed("Enter")
    assert address.is_visible()
    pressed("?")
    assert page.locator("dialog").is_visible()
    pressed("Escape")
    pressed("a")
    assert page.evaluate("document.activeElement.dataset.key") == "a"
    for _ in range(2):
        pressed("Tab")
    choose(page, "outcome", "not_criminal")
    for name, value in {"confidence": "high", "rationale_code": "nothing_found", "view_mode_max": "facts"}.items():
        pressed("Tab")
        assert page.evaluate("document.activeElement.name") == name
        page.locator(f"[name={name}]").select_option(value)
    pressed("Tab")
    page.evaluate("document.activeElement.blur()")
    pressed("Shift+S")
    page.get_by_text("Saved, and the case is closed.").wait_for()
    assert Report.objects.get(pk=report.pk).outcome == "not_criminal"


def choose(page: Page, name: str, value: str) -> None:
    """Move through radio buttons with the arrow keys until the one wanted is chosen."""
    page.locator(f"[name={name}]").first.focus()
    press(page, "Space")
    for _ in range(20):
        if page.locator(f"[name={name}]:checked").get_attribute("value") == value:
            return
        press(page, "ArrowDown")
    raise AssertionError(f"{value} was never reached")


def test_a_case_without_script(enter: Enter, desk: Desk) -> None:
    report = desk.reported()
    page = enter(desk.anna, java_script_enabled=False, **LOOKS["light"]).new_page()
    page.goto(f"/cases/{report.pk}/")
    page.get_by_role("button", name="Take this case").click()
    page.get_by_role("button", name="Show address").click()
    assert page.get_by_text(SECRET_ADDRESS, exact=True).count()
    page.locator("[name=outcome][value=spam]").check()
    page.get_by_role("button", name="Save the assessment").click()
    assert page.get_by_text("choose an answer").count() >= 3
    page.locator("[name=confidence]").select_option("high")
    page.locator("[name=rationale_code]").select_option("remit_or_law")
    page.locator("[name=view_mode_max]").select_option("hidden")
    page.get_by_role("button", name="Save the assessment").click()
    assert page.get_by_text("Saved, and the case is closed.").count()
    assert Assessment.objects.get().outcome == "spam"


def test_a_page_that_waits_follows_by_itself(enter: Enter, desk: Desk, make_user: Callable[..., User]) -> None:
    from vigil.hotline.lists.models import Publication

    paula = make_user(Role.LIST_PUBLISHER, username="paula")
    page = enter(paula, **LOOKS["light"]).new_page()
    page.goto("/publish/")
    press(page, "Shift+P")
    page.get_by_text("Waits for the list office").wait_for()
    Publication.objects.update(state="published", number=7)
    page.get_by_role("heading", name="Edition 7").wait_for()


def test_a_file_that_is_too_large_does_not_travel(enter: Enter, desk: Desk, tmp_path: Path) -> None:
    report = desk.taken()
    huge = tmp_path / "huge.png"
    huge.write_bytes(b"x" * (FILE_BYTES.value + 1))
    page = enter(desk.anna, **LOOKS["light"]).new_page()
    page.goto(f"/cases/{report.pk}/")
    page.set_input_files("[name=picture]", huge)
    page.get_by_role("button", name="Hash it").click()
    assert "16 MiB" in page.locator("[name=picture]").evaluate("input => input.validationMessage")
    assert page.url.endswith(f"/cases/{report.pk}/")

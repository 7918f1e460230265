"""The main pages of the console on a small screen, in both directions of writing: nothing sticks out and axe finds nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from tests.hotline.console_door.conftest import SECRET_ADDRESS, Desk
from tests.hotline.console_door.test_browser import Enter, enter  # noqa: F401 - a fixture
from tests.hotline.lists.cases import page as listed_page
from tests.hotline.lists.cases import seen_picture

from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.lists.actions import do_list
from vigil.hotline.lists.appeals import do_file_appeal
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.withdrawals import do_ask_delisting
from vigil.hotline.retention.actions import do_place_hold

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SMALL = {"width": 320, "height": 800}


def judged(page: Page, name: str) -> list[str]:
    """What is wrong with the page as it stands, in words."""
    wide = [] if page.evaluate("document.documentElement.scrollWidth <= window.innerWidth") else [f"{name} is too wide"]
    found = Axe().run(page).response
    assert found["passes"], name
    return wide + [f"{name}: {rule['id']} at {rule['nodes'][0]['html'][:120]}" for rule in found["violations"]]


@pytest.mark.parametrize("rtl", [False, True], ids=["left-to-right", "right-to-left"])
def test_the_main_pages_are_accessible_at_320_pixels(
    enter: Enter, desk: Desk, make_user: Callable[..., User], rtl: bool  # noqa: F811
) -> None:
    sam = make_user(Role.SUPERVISOR, Role.LIST_PUBLISHER, Role.DATA_PROTECTION, Role.AUDITOR, username="sam")
    do_list(desk.ben, desk.waiting_for_ben(), [listed_page(SECRET_ADDRESS)])
    entry, appeal = ListEntry.objects.get(), do_file_appeal(address=SECRET_ADDRESS, reasons="quimber")
    taken = desk.taken("http://one.example/a")
    media = seen_picture(taken)
    asked = do_ask_delisting(make_user(Role.LIST_PUBLISHER), entry, "We no longer list what quimber lists")
    do_place_hold(sam, taken, "Court of Quimber, 17")
    of_anna = {"case": f"/cases/{taken.pk}/", "file": f"/cases/{taken.pk}/files/{media.pk}/", "queue": "/queue/?view=open",
               "wellbeing": "/wellbeing/", "search": "/search/"}  # fmt: skip
    of_sam = {"entry": f"/entries/{entry.pk}/", "withdraw": f"/entries/{entry.pk}/withdraw/",
              "by-policy": f"/entries/{entry.pk}/by-policy/", "request": f"/second-person/{asked.pk}/",
              "appeal": f"/appeals/{appeal.pk}/", "publish": "/publish/", "retention": "/retention/",
              "audit": "/audit/"}  # fmt: skip
    wrong: list[str] = []
    for user, pages in ((desk.anna, of_anna), (sam, of_sam)):
        page = enter(user, viewport=SMALL, rtl=rtl).new_page()
        for name, path in pages.items():
            page.goto(path)
            assert page.evaluate("document.documentElement.dir") == ("rtl" if rtl else "ltr")
            wrong += judged(page, name)
    assert wrong == []

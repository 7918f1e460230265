"""Brands, retention, second persons, wellbeing, a key proposed by command, in a real browser: each way of looking, and keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from pyrage import x25519
from tests.hotline.console_door.conftest import Desk
from tests.hotline.console_door.test_browser import LOOKS, Enter, enter, fits_both_ways, judge  # noqa: F401 - a fixture
from tests.hotline.console_door.test_sorted_case import sorted_
from tests.support.browsing import SCREENS, press

from vigil.base.clock import FixedClock
from vigil.hotline.access.models import ElevationPurpose, User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_request
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.audit.elevation import do_elevate
from vigil.hotline.partners.agreements import Terms, do_propose_agreement, do_propose_partner
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import RecipientChange
from vigil.hotline.partners.recipients import do_propose_recipient
from vigil.hotline.reports.models import Report
from vigil.hotline.retention.actions import do_place_hold
from vigil.hotline.reviews.actions import do_make_calibration
from vigil.hotline.triage.answering import do_answer_likeness
from vigil.hotline.triage.models import BrandAnswer, Likeness
from vigil.hotline.welfare.actions import do_ask_buddy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ALIKE = ("quimber.example", "www2-quimber.test", "quimb3r.invalid", "qiumber.example", "quimbers.example")


def alike() -> Report:
    """The first of several cases whose names look like its own."""
    first, *_ = (sorted_(f"https://{host}/x") for host in ALIKE)
    return first


def furnished(desk: Desk, make_user: Callable[..., User], clock: FixedClock) -> tuple[User, dict[str, str]]:
    """Somebody with every room, and pages on which everything that can be shown is there."""
    sam = make_user(
        Role.SUPERVISOR, Role.LIST_PUBLISHER, Role.DATA_PROTECTION, Role.AUDITOR, Role.WELFARE, Role.QA, username="sam"
    )
    first = alike()
    likenesses = list(Likeness.objects.filter(other=first).order_by("created_at", "pk"))
    do_answer_likeness(desk.anna, likenesses[0], same=True)
    do_answer_likeness(desk.anna, likenesses[1], same=False)
    partner = do_propose_partner(sam, "Quimber Net", PartnerKind.ISP, recipient=str(x25519.Identity.generate().to_public()))
    do_propose_recipient(OPERATOR, partner, str(x25519.Identity.generate().to_public()), "Its machine was lost.")
    terms = Terms("contract 7", ("url",), clock.now(), clock.now() + timedelta(days=90), "Somebody at Quimber Net")
    do_propose_agreement(sam, partner, terms)
    do_place_hold(sam, first, "Court of Quimber, 17")
    do_place_hold(sam, partner, "Court of Quimber, 18")
    asked = do_request(make_user(Role.LIST_PUBLISHER), TwoPersonAct.KEYWORD_EXPORT, first, "They asked for it")
    do_elevate(sam, ElevationPurpose.OVERSIGHT, "A complaint about how it was handled")
    do_ask_buddy(desk.anna)
    do_make_calibration(sam, "November")
    return sam, {
        "brands": f"/cases/{first.pk}/", "retention-holds": "/retention/", "second-person": "/second-person/",
        "second-person-one": f"/second-person/{asked.pk}/", "elevations": "/elevated/sessions/", "wellbeing-own": "/wellbeing/",
        "wellbeing-lead": "/wellbeing/lead/", "take-up": f"/partners/{partner.pk}/", "quality": "/quality/",
        "calibration": "/calibration/", "schemes": "/schemes/", "holds": "/holds/",
    }  # fmt: skip


def test_pages_of_these_rooms_look_right_in_every_way(
    enter: Enter, desk: Desk, make_user: Callable[..., User], clock: FixedClock  # noqa: F811
) -> None:
    sam, pages = furnished(desk, make_user, clock)
    assert RecipientChange.objects.get().names_nobody
    for look in ("light", "dark", "right-to-left", "narrow"):
        page = enter(sam, **LOOKS[look]).new_page()
        for name, path in pages.items():
            page.goto(path)
            if look in ("light", "dark"):
                judge(page, look, name)
            else:
                page.screenshot(path=SCREENS / f"console-{look}-{name}.png", full_page=True)
    page = enter(sam, viewport={"width": 320, "height": 800}).new_page()
    for name, path in pages.items():
        page.goto(path)
        fits_both_ways(page, name)
    assert [rule["id"] for rule in Axe().run(page).response["violations"]] == []


def test_a_brand_is_answered_with_the_keyboard_alone(enter: Enter, desk: Desk) -> None:  # noqa: F811
    """``b`` and ``n`` answer the first proposal; an answer is taken back with Tab and Enter."""
    first = alike()
    page = enter(desk.anna, **LOOKS["light"]).new_page()
    page.goto(f"/cases/{first.pk}/")
    press(page, "n")
    page.get_by_text("Noted: not one brand").wait_for()
    press(page, "b")
    page.get_by_text("Noted as one brand").wait_for()
    assert sorted(BrandAnswer.objects.values_list("same", flat=True)) == [False, True]
    back: Any = page.get_by_role("button", name="Take it back").first
    back.focus()
    press(page, "Enter")
    page.get_by_text("it is a proposal again").wait_for()
    assert BrandAnswer.objects.filter(withdrawn_at=None).count() == 1
    press(page, "?")
    assert page.locator("dialog").get_by_text("the same brand, or not").is_visible()

"""Stories of casework in a real browser: a dispute, an appeal upheld, a look in steps; and what never leaks."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core import mail
from playwright.sync_api import Page
from tests.hotline.console_door.conftest import SECRET_ADDRESS, SECRET_WORDS, Desk
from tests.hotline.console_door.test_browser import LOOKS, Enter, enter, judge
from tests.hotline.lists.cases import page as listed_page
from tests.hotline.reports.test_captures import drawn
from tests.hotline.test_access_matrix import door_addresses
from tests.support.browsing import FINDING, press

from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.assessments.models import Assessment, MediaAssessment
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.holds.actions import do_ask_release, do_set_hold
from vigil.hotline.holds.enumerations import HoldKind
from vigil.hotline.lists.actions import do_list
from vigil.hotline.lists.appeals import do_file_appeal
from vigil.hotline.lists.enumerations import AppellantType
from vigil.hotline.lists.models import Appeal, ListEntry
from vigil.hotline.management.upkeep import once as upkeep
from vigil.hotline.reports.captures import do_hash_file
from vigil.hotline.reports.models import Report
from vigil.hotline.retention.actions import do_run_retention
from vigil.hotline.reviews.actions import do_make_calibration, do_propose_policy
from vigil.hotline.reviews.policy import Policy, Rule
from vigil.hotline.schemes.actions import do_put_in_force
from vigil.hotline.settings.config import Vault
from vigil.hotline.settings.logs import JsonLines
from vigil.hotline.triage.actions import do_triage
from vigil.hotline.vault.actions import do_put
from vigil.hotline.vault.models import EvidenceKind
from vigil.hotline.welfare.models import ExposureEvent
from vigil.media import hash_image

__all__ = ["enter"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def twice(make_user: Callable[..., User], desk: Desk) -> None:
    """The policy that every page is looked at twice, blind."""
    owner = make_user(Role.SCHEME_OWNER, username="olga")
    row, request = do_propose_policy(owner, Policy("1", (Rule("url", ("second",), "all are seen twice"),)), "a try")
    do_approve(make_user(Role.SUPERVISOR, username="rita"), request)
    do_put_in_force(owner, row)


@pytest.fixture
def vault(tmp_path: Path, settings: Any) -> None:
    keys = tmp_path / "apart" / "vault.key"
    keys.parent.mkdir()
    keys.write_text(f"k1 {'11' * 32}\n")
    keys.chmod(0o600)
    table = Vault(str(tmp_path / "sealed"), str(keys), "Permit 7 of the authority of Quimber")
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, vault=table)


def at(page: Page, path: str) -> str:
    page.goto(path)
    return page.locator("main").inner_text()


def assesses(page: Page, report: Report, **changes: str) -> None:
    """Takes the case and fills in the form as a person does."""
    at(page, f"/cases/{report.pk}/")
    page.get_by_role("button", name="Take this case").click()
    page.get_by_text("You hold it").wait_for()
    for name, value in {**FINDING, **changes}.items():
        field = page.locator(f".assess [name={name}]").first
        if field.get_attribute("type") == "radio":
            page.locator(f".assess [name={name}][value={value}]").check()
        else:
            field.select_option(value)
    page.get_by_role("button", name="Save the assessment").click()
    page.get_by_text("Nobody holds it").wait_for()


def test_a_dispute_and_its_adjudication(enter: Enter, desk: Desk, twice: None, make_user: Callable[..., User]) -> None:
    report = desk.reported()
    anna, ben = (enter(user, **LOOKS["light"]).new_page() for user in (desk.anna, desk.ben))
    assesses(anna, report)
    seen = at(ben, f"/cases/{report.pk}/")
    assert "It is blind" in seen and "Assessment 1" not in seen and "Anna" not in seen
    judge(ben, "light", "second-look")
    assesses(ben, report, severity="A")
    sam = enter(make_user(Role.SUPERVISOR, username="sam"), **LOOKS["light"]).new_page()
    seen = at(sam, f"/cases/{report.pk}/")
    assert "The looks differ" in seen and "Anna" in seen and "Ben" in seen
    assesses(sam, report, severity="A")
    assert Assessment.objects.get(number=3).stage == "adjudication"
    lena = enter(make_user(Role.SUPERVISOR, username="lena"), **LOOKS["light"]).new_page()
    at(lena, f"/cases/{report.pk}/")
    press(lena, "t")
    lena.get_by_role("heading", name="Listing decision").wait_for()
    lena.locator("[name=decision][value=list]").check()
    lena.locator("[name=scope]").first.check()
    lena.get_by_role("button", name="Save the decision").click()
    lena.get_by_text("decided by").first.wait_for()
    assert ListEntry.objects.get().decision.assessment.severity == "A"


def test_an_appeal_upheld(enter: Enter, desk: Desk, make_user: Callable[..., User]) -> None:
    do_list(desk.ben, desk.waiting_for_ben(), [listed_page(SECRET_ADDRESS)])
    appeal = do_file_appeal(
        address=SECRET_ADDRESS, appellant_type=AppellantType.PUBLISHER, reasons=SECRET_WORDS, notice_serial="N-7"
    )
    ben = enter(desk.ben, **LOOKS["light"]).new_page()
    assert "needs a second person" in at(ben, f"/appeals/{appeal.pk}/")
    ben.get_by_role("button", name="Take its entries off while it runs").click()
    ben.get_by_text("entries off the lists since").wait_for()
    assert ListEntry.objects.get().tombstone
    page = enter(make_user(Role.SUPERVISOR, username="sam"), **LOOKS["light"]).new_page()
    assert "N-7" in at(page, f"/appeals/{appeal.pk}/")
    page.get_by_role("button", name="They may appeal").click()
    page.get_by_text("accepted", exact=True).wait_for()
    press(page, "v")
    page.get_by_text(SECRET_WORDS).wait_for()
    page.locator("[name=outcome][value=upheld]").check()
    page.locator("[name=notes]").fill("the page is a shop of zorblats")
    page.get_by_role("button", name="Save the decision").click()
    page.get_by_role("button", name="The appellant was told").click()
    page.get_by_text("Appellant told").wait_for()
    found = Appeal.objects.get()
    assert (found.outcome, found.interim_delist) == ("upheld", True) and found.told_at is not None
    assert ListEntry.objects.filter(tombstone=False).count() == 0


def test_a_look_in_steps_with_the_keyboard(enter: Enter, desk: Desk, vault: None) -> None:
    report = desk.taken()
    media = do_hash_file(desk.anna, report, drawn(1), hash_image)
    do_put(desk.anna, report.pk, EvidenceKind.MEDIA, drawn(1))
    page = enter(desk.anna, **LOOKS["light"]).new_page()
    page.goto(f"/cases/{report.pk}/files/{media.pk}/")
    assert page.locator("img.shown-tile").count() == 0
    for key, mode in (("b", "Blurred"), ("g", "A region"), ("f", "Full")):
        press(page, key)
        page.locator(f"img[alt^='The file, {mode.lower()}']").wait_for()
    press(page, "ArrowRight")
    page.locator("img[alt^='The file, a region'][data-region='60 50']").wait_for()
    press(page, "Escape")
    assert page.locator("img.shown-tile").get_attribute("src") is None and not page.locator("img.shown-tile").is_visible()
    page.goto("/wellbeing/")
    modes = list(ExposureEvent.objects.filter(subject=f"media:{media.pk}").order_by("created_at").values_list("mode", flat=True))
    assert sorted(modes) == ["blur", "full", "region", "region"]
    assert ExposureEvent.objects.filter(end__isnull=False).exists()
    page.goto(f"/cases/{report.pk}/files/{media.pk}/")
    page.locator("[name=activity][value=exhibition]").check()
    answers = {"animal": "no", "sadism": "no", "self_generated": "unclear", "new_or_known": "new", "confidence": "high",
               "realism": "photographic", "ai_status": "none_seen", "real_child_link": "unknown", "child1_age_band": "7-10",
               "child1_appears_under_13": "yes", "child1_maturity": "prepubescent", "child1_sex": "unidentified"}  # fmt: skip
    for name, value in answers.items():
        page.locator(f"[name={name}]").select_option(value)
    page.get_by_role("button", name="Save the assessment").click()
    page.get_by_role("heading", name=re.compile("Assessment 1")).wait_for()
    assert MediaAssessment.objects.get().view_mode_max == "full"


def furnished(desk: Desk, make_user: Callable[..., User]) -> dict[str, Any]:
    """A desk with one of everything; the ids by the name of the view's argument."""
    report = desk.taken()
    media = do_hash_file(desk.anna, report, drawn(1), hash_image)
    kept = do_put(desk.anna, report.pk, EvidenceKind.MEDIA, drawn(1), source=SECRET_ADDRESS)
    lia = make_user(Role.POLICE_LIAISON, username="lia")
    hold = do_set_hold(
        lia, report, HoldKind.DO_NOT_NOTIFY, owner=lia, agency="Quimber police", reason_code="operation",
        expires_at=now() + timedelta(days=5), reference=SECRET_WORDS,
    )  # fmt: skip
    request = do_ask_release(lia, hold, SECRET_WORDS)
    owner = make_user(Role.SCHEME_OWNER, username="olgb")
    row, _ = do_propose_policy(owner, Policy("9", (Rule("url", ("qa",), "sample"),)), SECRET_WORDS)
    do_make_calibration(make_user(Role.QA, username="quin"), "November")
    do_list(desk.ben, desk.waiting_for_ben("http://gallery.example/zorblat/8"), [listed_page(SECRET_ADDRESS)])
    appeal = do_file_appeal(address=SECRET_ADDRESS, reasons=SECRET_WORDS, standing=SECRET_WORDS, contact=SECRET_WORDS)
    return {"report": report, "media": media, "kept": kept, "hold": hold, "request": request, "row": row, "appeal": appeal,
            "entry": ListEntry.objects.get()}  # fmt: skip


def pages_of(made: dict[str, Any]) -> dict[str, str]:
    case = f"/cases/{made['report'].pk}"
    return {
        "file": f"{case}/files/{made['media'].pk}/", "wellbeing": "/wellbeing/", "lead": "/wellbeing/lead/", "holds": "/holds/",
        "case-holds": f"{case}/holds/", "retention": "/retention/", "evidence": f"{case}/evidence/",
        "out-of-turn": f"{case}/out-of-turn/",
        "schemes": "/schemes/",
        "mapping": f"/schemes/{made['row'].pk}/", "quality": "/quality/", "calibration": "/calibration/",
        "second-person": "/second-person/", "request": f"/second-person/{made['request'].pk}/",
    }  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_the_pages_of_casework_look_right_and_are_accessible(
    enter: Enter, desk: Desk, vault: None, make_user: Callable[..., User], look: str
) -> None:
    made = furnished(desk, make_user)
    everybody = make_user(*[role for role in Role if role not in (Role.SYSADMIN, Role.INTAKE)], username="ella")
    page = enter(everybody, **LOOKS[look]).new_page()
    shown = (
        pages_of(made)
        if look in ("light", "narrow")
        else {name: pages_of(made)[name] for name in ("file", "wellbeing", "schemes")}
    )
    for name, path in shown.items():
        page.goto(path)
        judge(page, look, name)
    page = enter(desk.anna, **LOOKS[look]).new_page()
    page.goto(shown["file"])
    press(page, "g")
    page.locator("img.shown-tile").wait_for()
    judge(page, look, "look")


def test_no_page_log_line_mail_or_audit_row_leaks_an_entry_or_a_reporters_words(
    desk: Desk, vault: None, make_user: Callable[..., User], caplog: pytest.LogCaptureFixture, settings: Any,
    public_client: Any, partner_client: Any,
) -> None:  # fmt: skip
    """Every page of every door, by somebody with every role, on a desk with one of everything: nothing is shown unasked."""
    secrets = ("zorblat", "gallery.example", SECRET_WORDS, "quimber group")
    with caplog.at_level(logging.DEBUG):
        made = furnished(desk, make_user)
        client = desk.at(make_user(*Role, username="ella"))
        client.overrides["CONFIG"] = settings.CONFIG
        ids = {"cases": made["report"].pk, "files": made["media"].pk, "evidence": made["kept"].pk, "holds": made["hold"].pk,
               "appeals": made["appeal"].pk, "schemes": made["row"].pk, "second-person": made["request"].pk,
               "entries": made["entry"].number, "quality": made["report"].pk}  # fmt: skip
        asked = 0
        for address in door_addresses("console"):
            path = re.sub(r"/([a-z-]+)/(018f0000-0000-7000-8000-000000000000|1)(?=/)",
                          lambda found: f"/{found[1]}/{ids.get(found[1], found[2])}", address.path)  # fmt: skip
            answer = client.get(path)
            asked += answer.status_code == 200
            body = answer.content.decode(errors="replace") + str(dict(answer.headers)) + path
            assert not [word for word in secrets if word in body], address.name
        for other in (public_client, partner_client):
            for address in door_addresses(other.door):
                answer = other.get(address.path)
                body = b"".join(answer.streaming_content) if answer.streaming else answer.content
                assert not [word for word in secrets if word.encode() in body], address.name
        upkeep()
        do_run_retention(WORKER)
        for report in Report.objects.all():
            do_triage(WORKER, report, lambda: 1.0)
    assert asked >= 25
    told = [record for record in caplog.records if not record.name.startswith("django.db")]
    lines = [*(record.getMessage() for record in told), *(JsonLines().format(record) for record in told)]
    assert not [line for line in lines for word in secrets if word in line]
    assert mail.outbox == []
    rows = AuditEvent.objects.values_list("details", "subject", "purpose")
    assert rows and not [row for row in rows for word in secrets if word in str(row)]
    assert ApprovalRequest.objects.exists() and OPERATOR.label == "system:operator"

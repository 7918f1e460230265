"""A blind look is really blind: no page of the console tells the second assessor who looked before or what they found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.hotline.assessments.test_scheme import FINDING
from tests.hotline.console_door.conftest import Desk, form_of
from tests.hotline.console_door.test_files import file_in, grade_form, page, text_of
from tests.hotline.test_access_matrix import addresses

from vigil.base.clock import FixedClock
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve
from vigil.hotline.assessments.models import Assessment, MediaAssessment
from vigil.hotline.assessments.quality import agreement, do_check_quality, samples_waiting
from vigil.hotline.assessments.reviewing import files_hidden_from
from vigil.hotline.doors.console import urls
from vigil.hotline.partners.senders import do_enrol_sender
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Media, Report
from vigil.hotline.reviews.actions import do_propose_policy
from vigil.hotline.reviews.policy import Policy, Rule
from vigil.hotline.schemes.actions import do_put_in_force

pytestmark = pytest.mark.django_db
TELLTALE = re.compile(r"(?i:anna)|Computed from|Assessment 1\b|finding-shown")
"""The first assessor's name; what is computed from their answers; the answers themselves."""


@pytest.fixture
def planned(make_user: Callable[..., User], clock: FixedClock) -> Callable[..., None]:
    """Puts a review policy of these rules in force."""

    def put(*rules: Rule) -> None:
        owner = make_user(Role.SCHEME_OWNER)
        row, request = do_propose_policy(owner, Policy("1", rules), "a try")
        do_approve(make_user(Role.SUPERVISOR), request)
        do_put_in_force(owner, row)

    return put


PAGE_TWICE, FILE_TWICE = Rule("url", ("second",), "pages are seen twice"), Rule("media", ("second",), "files are seen twice")


def first_look(desk: Desk) -> tuple[Report, Media]:
    """Anna does through pages all that a first assessor does: takes, opens, shows, hashes, grades, assesses, looks again."""
    report = do_submit_report(PUBLIC, Arrival("http://gallery.example/zorblat", words="quimber grelm"))
    client = desk.at(desk.anna)
    client.post(f"/cases/{report.pk}/take/")
    client.get(f"/cases/{report.pk}/")
    client.post(f"/cases/{report.pk}/show/", {"what": "address"})
    media = file_in(desk, report)
    assert client.post(page(report, media, "assessment/"), grade_form(media)).status_code == 302
    assert client.post(f"/cases/{report.pk}/assessment/", form_of(report, notes="a note")).status_code == 302
    client.get(f"/cases/{report.pk}/")
    assert MediaAssessment.objects.count() == 1
    assert Assessment.objects.get().roll_up_source == "computed"
    return Report.objects.get(pk=report.pk), media


def every_page(report: Report, media: Media) -> list[str]:
    """Every address of the console that may be asked for, about this case and this file where it is about one; but for the page
    that offers all members of staff by name, to be let in to a restricted case."""
    keys = {"pk": str(report.pk), "media": str(media.pk)}

    def filled(address: Any) -> str:
        return re.sub("018f0000-0000-7000-8000-000000000000", lambda _: next(order, str(report.pk)), address.path)

    found = []
    for each in addresses(urls.urlpatterns):
        order = iter([keys["pk"], keys["media"]])
        found.append(filled(each))
    assert any(str(media.pk) in path for path in found)
    return [path for path in found if "sign-" not in path and not path.endswith(f"{report.pk}/people/")]


def leaks(client: Any, paths: list[str]) -> list[str]:
    """Those of the pages on which something can be read that a blind assessor must not read."""
    with client.standing_there():
        answers = {path: client.get(path) for path in paths}
    shown = {path: text_of(answer) for path, answer in answers.items() if answer.get("Content-Type", "").startswith("text/html")}
    assert sum(answer.status_code == 200 for answer in answers.values()) >= 6
    return [f"{path}: {found.group()}" for path, text in shown.items() if (found := TELLTALE.search(text))]


@pytest.mark.parametrize("rules", [(PAGE_TWICE,), (FILE_TWICE,), (PAGE_TWICE, FILE_TWICE)], ids=["page", "file", "both"])
def test_no_page_tells_who_looked_before_or_what_they_found(
    desk: Desk, make_user: Callable[..., User], planned: Callable[..., None], rules: tuple[Rule, ...]
) -> None:
    """For somebody with every role that may look second: on no page of the case, and of all others where both are planned."""
    planned(*rules)
    report, media = first_look(desk)
    sam = make_user(Role.SUPERVISOR, Role.SECOND_REVIEWER, Role.QA, Role.POLICE_LIAISON, username="sam")
    client = desk.at(sam)
    client.post(f"/cases/{report.pk}/take/")
    pages = every_page(report, media)
    whole = len(rules) == 2
    assert leaks(client, [path for path in pages if whole or path.startswith("/cases/")]) == []
    answer = client.get(f"/cases/{report.pk}/")
    assert "listing_form" not in answer.context and 'name="severity" value=""' not in text_of(answer)
    assert answer.context["assessment_form"]["severity"].value() in (None, "")


def test_once_the_looks_are_done_everything_is_shown(desk: Desk, planned: Callable[..., None]) -> None:
    planned(PAGE_TWICE, FILE_TWICE)
    report, media = first_look(desk)
    client = desk.at(desk.ben)
    client.post(f"/cases/{report.pk}/take/")
    client.post(page(report, media, "assessment/"), grade_form(media))
    assert not files_hidden_from(desk.ben.label, [media])
    assert TELLTALE.search(text_of(client.get(f"/cases/{report.pk}/"))) is None, "the page itself is still to be looked at"
    client.post(f"/cases/{report.pk}/assessment/", form_of(report))
    shown = text_of(client.get(f"/cases/{report.pk}/"))
    assert "Computed from" in shown and "Assessment 1" in shown and "Anna" in shown
    assert {row.blind for row in Assessment.objects.filter(stage="second")} == {True}
    assert {row.blind for row in MediaAssessment.objects.filter(stage="second")} == {True}


def test_who_looked_sees_their_own_and_no_file_means_nothing_to_hide(desk: Desk, planned: Callable[..., None]) -> None:
    planned(FILE_TWICE)
    report, media = first_look(desk)
    assert files_hidden_from(desk.ben.label, [media]) and not files_hidden_from(desk.anna.label, [media])
    assert not files_hidden_from(desk.ben.label, [])
    assert "Assessment 1" in text_of(desk.at(desk.anna).get(f"/cases/{report.pk}/"))


def test_files_are_looked_at_before_anything_is_listed(desk: Desk, planned: Callable[..., None]) -> None:
    planned(FILE_TWICE)
    report, media = first_look(desk)
    client = desk.at(desk.ben)
    client.post(f"/cases/{report.pk}/take/")
    assert "Assess the files first" in text_of(client.get(f"/cases/{report.pk}/"))
    client.post(page(report, media, "assessment/"), grade_form(media))
    assert "listing_form" in client.get(f"/cases/{report.pk}/").context


def test_who_reads_the_audit_log_does_not_look_blind(
    desk: Desk, make_user: Callable[..., User], planned: Callable[..., None]
) -> None:
    """The log tells them what was found; their looks stand, and are left out of agreement."""
    planned(PAGE_TWICE, FILE_TWICE)
    report, media = first_look(desk)
    both = make_user(Role.SECOND_REVIEWER, Role.AUDITOR)
    client = desk.at(both)
    client.post(f"/cases/{report.pk}/take/")
    client.post(page(report, media, "assessment/"), grade_form(media))
    client.post(f"/cases/{report.pk}/assessment/", form_of(report))
    assert [row.blind for row in Assessment.objects.filter(stage="second")] == [False]
    assert [row.blind for row in MediaAssessment.objects.filter(stage="second")] == [False]
    assert agreement() == []


def test_the_partner_door_tells_a_state_and_nothing_of_looks(
    desk: Desk, planned: Callable[..., None], partner_client: Any
) -> None:
    planned(PAGE_TWICE)
    _, token = do_enrol_sender(OPERATOR, "quimber", "member", ["report.send", "report.status"])
    headers = {"Authorization": f"Bearer {token}"}
    sent = partner_client.post(
        "/v1/reports", json.dumps({"url": "http://gallery.example/"}), content_type="application/json", headers=headers
    ).json()
    report = Report.objects.get(ref=sent["ref"])
    client = desk.at(desk.anna)
    client.post(f"/cases/{report.pk}/take/")
    client.post(f"/cases/{report.pk}/assessment/", form_of(report))
    answer = partner_client.get(f"/v1/reports/{report.ref}", headers=headers)
    assert answer.json()["state"] == "in_hand" and TELLTALE.search(answer.content.decode()) is None
    assert "actioned" not in answer.content.decode()


@pytest.mark.parametrize(("opened", "roles", "blind"), [(False, (), True), (True, (), False), (False, (Role.AUDITOR,), False)])
def test_a_quality_check_is_blind_where_the_case_was_not_opened(
    desk: Desk, make_user: Callable[..., User], planned: Callable[..., None], opened: bool, roles: tuple[Role, ...], blind: bool
) -> None:
    planned(Rule("url", ("qa",), "a sample"))
    report = desk.taken()
    given = {"outcome": "not_criminal", "confidence": "high"}
    answers = {name: FINDING[name] for name in ("confidence", "rationale_code", "view_mode_max") if name in FINDING} | given
    empty = {name: "" for name in FINDING if name not in answers}
    assert desk.at(desk.anna).post(f"/cases/{report.pk}/assessment/", form_of(report, **empty, **answers)).status_code == 302
    report.refresh_from_db()
    assert not report.is_open
    quinn = make_user(Role.QA, *roles, username="quinn")
    client = desk.at(quinn)
    if opened:
        client.get(f"/cases/{report.pk}/")
    client.get(f"/quality/{report.pk}/")
    assert (list(samples_waiting(quinn)), list(samples_waiting(desk.anna))) == ([report], []), "nobody checks their own"
    assert do_check_quality(quinn, report, answers, started_at=now())
    assert Assessment.objects.get(stage="qa").blind is blind

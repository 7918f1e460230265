"""Assessing: who may, what is kept, where the case goes, and what two people at once see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from tests.hotline.assessments.test_scheme import FINDING, NOTHING

from vigil.base.errors import InputError, RefusedError, VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import AppendOnlyError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.assessments.actions import NOTES_CHARACTERS, NotAnAssessment, do_assess, do_reveal
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.assessments.queries import assessors_of, history, in_force
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.reports.actions import do_reopen, do_take
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Report

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def anna(make_user: Callable[..., User]) -> User:
    return make_user(Role.ANALYST, username="anna")


@pytest.fixture
def case(anna: User) -> Report:
    return do_take(anna, do_submit_report(PUBLIC, Arrival("http://gallery.example/room/7")))


def assess(person: User, case: Report, answers: dict[str, Any] = FINDING, notes: str = "", **more: Any) -> Assessment:
    case.refresh_from_db()
    return do_assess(person, case, answers, notes, **{"version": case.version, "started_at": now(), **more})


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(VigilError) as caught:
        act()
    return caught.value.code


def test_a_finding_waits_for_a_second_person(anna: User, case: Report) -> None:
    assessment = assess(anna, case, notes="quimber")
    case.refresh_from_db()
    assert (case.status, case.taken_by, case.outcome) == ("second_review", None, "")
    kept = Assessment.objects.get()
    assert kept.answers() == {**dict.fromkeys(["setting", "ai_manner"], ""), "ai_basis": [], **FINDING}
    assert (kept.number, kept.stage, kept.roll_up_source) == (1, "first", "manual_roll_up")
    assert kept.url is not None and kept.notes.open() == "quimber"
    assert in_force(case) == assessment and assessors_of(case) == {"user:anna"}


def test_nothing_found_closes_the_case(anna: User, case: Report) -> None:
    assess(anna, case, NOTHING)
    case.refresh_from_db()
    assert (case.status, case.outcome, case.taken_by) == ("closed", "not_criminal", None)


def test_the_audit_log_holds_codes_and_no_notes(anna: User, case: Report) -> None:
    assess(anna, case, notes="quimber")
    event = AuditEvent.objects.get(code="assessment.made")
    assert event.actor == "user:anna" and "actioned_contains" in event.details and "quimber" not in event.details


def test_notes_lie_sealed(anna: User, case: Report) -> None:
    assess(anna, case, notes="quimber zorblat")
    with connection.cursor() as cursor:
        cursor.execute("SELECT notes FROM assessments_assessment")
        assert "quimber" not in cursor.fetchone()[0]


def test_an_assessment_never_changes(anna: User, case: Report) -> None:
    assessment = assess(anna, case)
    assessment.severity = "C"
    with pytest.raises(AppendOnlyError):
        assessment.save()
    with pytest.raises(AppendOnlyError):
        Assessment.objects.update(severity="C")
    with pytest.raises(AppendOnlyError):
        assessment.delete()


def test_a_correction_is_a_new_row(anna: User, case: Report) -> None:
    first = assess(anna, case)
    do_take(anna, case)
    second = assess(anna, case, {**FINDING, "severity": "C"})
    case.refresh_from_db()
    assert (second.number, second.stage, second.supersedes) == (2, "first", first)
    assert (case.status, case.taken_by) == ("second_review", None)
    assert [row.severity for row in history(case)] == ["C", "B"]
    assert AuditEvent.objects.filter(code="assessment.corrected").count() == 1


def test_a_second_person_is_the_second_stage(anna: User, case: Report, make_user: Callable[..., User]) -> None:
    ben = make_user(Role.SECOND_REVIEWER, username="ben")
    assess(anna, case)
    do_take(ben, case)
    assert assess(ben, case, {**FINDING, "severity": "A"}).stage == "second"
    assert assessors_of(case) == {"user:anna", "user:ben"}


def test_a_second_look_may_close_the_case(anna: User, case: Report, make_user: Callable[..., User]) -> None:
    ben = make_user(Role.SECOND_REVIEWER, username="ben")
    assess(anna, case)
    do_take(ben, case)
    assess(ben, case, NOTHING)
    case.refresh_from_db()
    assert (case.status, case.outcome) == ("closed", "not_criminal")


def test_a_reopened_case_is_assessed_anew(anna: User, case: Report) -> None:
    assess(anna, case, NOTHING)
    case.refresh_from_db()
    do_take(anna, do_reopen(anna, case))
    assert assess(anna, case).number == 2


def test_the_later_of_two_sees_the_conflict(anna: User, case: Report) -> None:
    assert code_of(lambda: assess(anna, case, version=case.version - 1)) == "case_changed"
    assert not Assessment.objects.exists()


def test_the_database_keeps_the_numbers_apart(anna: User, case: Report) -> None:
    first = assess(anna, case)
    twin = Assessment(**{field.attname: getattr(first, field.attname) for field in Assessment._meta.fields if field.name != "id"})
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


def test_the_database_refuses_half_a_finding(anna: User, case: Report) -> None:
    half = Assessment(report=case, number=1, assessor=anna, started_at=now(), scheme_version="1", created_by="user:anna",
                      **{**NOTHING, "outcome": "actioned_contains"})  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic():
        half.save(force_insert=True)


def test_only_who_holds_the_case(anna: User, case: Report, make_user: Callable[..., User]) -> None:
    assert code_of(lambda: assess(make_user(Role.ANALYST), case)) == "case_not_held"


@pytest.mark.parametrize("role", [Role.INTAKE, Role.LIST_PUBLISHER, Role.AUDITOR, Role.SYSADMIN])
def test_only_who_may_assess(case: Report, role: Role, make_user: Callable[..., User]) -> None:
    assert code_of(lambda: assess(make_user(role), case)) == "not_permitted"


def test_a_closed_case_is_not_assessed(anna: User, case: Report) -> None:
    assess(anna, case, NOTHING)
    assert code_of(lambda: assess(anna, case)) == "case_concluded"


def test_bad_answers_keep_everything_as_it_is(anna: User, case: Report) -> None:
    with pytest.raises(NotAnAssessment) as caught:
        assess(anna, case, {**FINDING, "severity": "", "age_youngest": "adult"})
    assert [problem.field for problem in caught.value.problems] == ["severity"]
    with pytest.raises(InputError):
        assess(anna, case, {**FINDING, "zorblat": "1"})
    with pytest.raises(InputError):
        assess(anna, case, notes="x" * (NOTES_CHARACTERS.value + 1))
    assert not Assessment.objects.exists()


def test_revealing_is_logged_before_anything_is_shown(anna: User, case: Report, make_user: Callable[..., User]) -> None:
    do_reveal(anna, case, "address")
    event = AuditEvent.objects.get(code="content.revealed")
    assert (event.actor, event.purpose) == ("user:anna", "casework")
    with pytest.raises(RefusedError):
        do_reveal(make_user(Role.SYSADMIN), case, "address")
    with pytest.raises(InputError):
        do_reveal(anna, case, "everything")

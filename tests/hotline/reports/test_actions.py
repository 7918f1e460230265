"""Taking, giving back, moving, concluding: who may, when, and one person at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import PUBLIC, WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.reports import actions
from vigil.hotline.reports.enumerations import Outcome, Priority, Status, Theme
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Report
from vigil.hotline.reports.queries import (
    PublicState,
    concluded,
    in_hand_of,
    public_state,
    queue,
    report_by_id,
    report_by_reference,
    waiting,
)

pytestmark = pytest.mark.django_db


def case(number: int = 1, theme: Theme | None = None) -> Report:
    return do_submit_report(PUBLIC, Arrival(address=f"https://gallery.example/room/{number}", theme=theme))


@pytest.fixture
def anna(make_user: Callable[..., User]) -> User:
    return make_user(Role.ANALYST, username="anna")


@pytest.fixture
def bert(make_user: Callable[..., User]) -> User:
    return make_user(Role.ANALYST, username="bert")


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises((RefusedError, InputError)) as caught:
        act()
    return caught.value.code


def last_code() -> str:
    event = AuditEvent.objects.order_by("-seq").first()
    assert event is not None
    return event.code


def test_two_people_never_hold_the_same_case(anna: User, bert: User) -> None:
    report = actions.do_take(anna, case())
    assert (report.taken_by, report.status, report.version) == (anna, Status.IN_ASSESSMENT, 2)
    assert last_code() == "report.taken"
    assert refusal(lambda: actions.do_take(bert, report)) == "case_held"
    assert actions.do_take(anna, report).version == 2


def test_the_next_case_is_the_most_urgent_then_the_oldest(anna: User, bert: User, clock: FixedClock) -> None:
    first = case(1)
    clock.advance(minutes=1)
    second = case(2)
    clock.advance(minutes=1)
    urgent = case(3, Theme.SEXTORTION)
    assert list(queue()) == [urgent, first, second]
    assert actions.do_take_next(anna) == urgent
    assert actions.do_take_next(bert) == first
    assert actions.do_take_next(anna) == second
    assert actions.do_take_next(bert) is None
    assert set(in_hand_of(anna)) == {urgent, second}


@pytest.mark.parametrize("role", [Role.WELFARE, Role.AUDITOR, Role.SYSADMIN, Role.NOTICES])
def test_who_does_not_work_on_cases_takes_none(role: Role, make_user: Callable[..., User]) -> None:
    assert refusal(lambda: actions.do_take(make_user(role), case())) == "not_permitted"


def test_systems_take_no_cases() -> None:
    report = case()
    assert refusal(lambda: actions.do_take(WORKER, report)) == "not_permitted"  # type: ignore[arg-type]


def test_giving_back(anna: User, bert: User, make_user: Callable[..., User]) -> None:
    report = actions.do_take(anna, case())
    freed = actions.do_release(anna, report)
    assert (freed.taken_by, freed.status) == (None, Status.TRIAGED)
    assert list(waiting()) == [report]
    assert refusal(lambda: actions.do_release(anna, report)) == "case_not_held"
    again = actions.do_take(bert, report)
    assert refusal(lambda: actions.do_release(make_user(Role.NOTICES), again)) == "not_permitted"
    assert actions.do_release(make_user(Role.INTAKE), again).taken_by is None


def test_moving_on_gives_the_case_to_the_next_person(anna: User, bert: User) -> None:
    report = actions.do_take(anna, case())
    assert refusal(lambda: actions.do_move(bert, report, Status.SECOND_REVIEW)) == "case_not_held"
    moved = actions.do_move(anna, report, Status.SECOND_REVIEW)
    assert (moved.status, moved.taken_by) == (Status.SECOND_REVIEW, None)
    assert list(waiting(Status.SECOND_REVIEW)) == [report]
    assert list(waiting()) == []
    taken = actions.do_take(bert, moved)
    assert taken.status == Status.SECOND_REVIEW
    assert actions.do_release(bert, taken).status == Status.SECOND_REVIEW


def test_moving_along_the_table_only(anna: User) -> None:
    report = actions.do_take(anna, case())
    assert refusal(lambda: actions.do_move(anna, report, Status.NEW)) == "status_not_reachable"
    assert refusal(lambda: actions.do_move(anna, report, Status.CLOSED)) == "use_close"
    kept = actions.do_move(anna, report, Status.AWAITING_POLICE, keep=True)
    assert kept.taken_by == anna


def test_closing(anna: User, bert: User, clock: FixedClock) -> None:
    report = case()
    assert refusal(lambda: actions.do_close(anna, report, Outcome.SPAM)) == "case_not_held"
    report = actions.do_take(anna, report)
    assert refusal(lambda: actions.do_close(bert, report, Outcome.SPAM)) == "case_not_held"
    assert refusal(lambda: actions.do_close(anna, report, Outcome.DUPLICATE)) == "outcome_by_rule"
    assert refusal(lambda: actions.do_close(anna, report, Outcome.SPAM, Status.MONITORING)) == "status_not_final"
    closed = actions.do_close(anna, report, Outcome.NOT_CRIMINAL)
    assert (closed.status, closed.outcome, closed.is_open, closed.taken_by) == (
        Status.CLOSED, Outcome.NOT_CRIMINAL, False, None,
    )  # fmt: skip
    assert closed.concluded_at == clock.now()
    assert list(queue()) == []
    assert list(concluded()) == [report]
    assert refusal(lambda: actions.do_close(anna, report, Outcome.SPAM)) == "case_concluded"
    assert refusal(lambda: actions.do_take(anna, report)) == "case_concluded"


def test_findings_need_an_assessor(make_user: Callable[..., User]) -> None:
    desk = make_user(Role.INTAKE)
    report = actions.do_take(desk, case())
    assert refusal(lambda: actions.do_close(desk, report, Outcome.NOT_CRIMINAL)) == "not_permitted"
    assert actions.do_close(desk, report, Outcome.QUERY_ANSWERED).outcome == Outcome.QUERY_ANSWERED


def test_opening_again(anna: User, make_user: Callable[..., User]) -> None:
    report = actions.do_close(anna, actions.do_take(anna, case()), Outcome.ACTIONED_CONTAINS, Status.ACTIONED)
    duplicate = case()
    assert duplicate.dedupe_of == report
    assert refusal(lambda: actions.do_reopen(anna, duplicate)) == "case_is_duplicate"
    assert refusal(lambda: actions.do_reopen(make_user(Role.WELFARE), report)) == "not_permitted"
    opened = actions.do_reopen(anna, report)
    assert (opened.status, opened.outcome, opened.is_open) == (Status.REOPENED, "", True)
    assert refusal(lambda: actions.do_reopen(anna, report)) == "status_not_reachable"
    assert actions.do_take(anna, opened).status == Status.IN_ASSESSMENT


def test_priority(anna: User, make_user: Callable[..., User]) -> None:
    report = case()
    urgent = actions.do_set_priority(anna, report, Priority.CHILD_AT_RISK)
    assert (urgent.priority, urgent.urgency, urgent.status) == (Priority.CHILD_AT_RISK, 0, Status.TRIAGED)
    assert refusal(lambda: actions.do_set_priority(make_user(Role.NOTICES), report, Priority.LOW)) == "not_permitted"
    actions.do_close(anna, actions.do_take(anna, report), Outcome.SPAM)
    assert refusal(lambda: actions.do_set_priority(anna, report, Priority.LOW)) == "case_concluded"


def test_the_later_of_two_pages_sees_the_conflict(anna: User) -> None:
    report = case()
    shown = report.version
    actions.do_take(anna, report)
    report.refresh_from_db()
    assert refusal(lambda: actions.require_version(report, shown)) == "case_changed"
    actions.require_version(report, report.version)


def test_what_a_reporter_is_told(anna: User) -> None:
    report = case()
    duplicate = case()
    assert public_state("0000-0000-0000") is PublicState.UNKNOWN
    assert public_state(report.ref) is PublicState.RECEIVED
    assert public_state(duplicate.ref) is PublicState.RECEIVED
    taken = actions.do_take(anna, report)
    assert public_state(duplicate.ref) is PublicState.IN_HAND
    actions.do_close(anna, taken, Outcome.NOT_CRIMINAL)
    assert public_state(report.ref) is PublicState.CLOSED
    assert public_state(duplicate.ref) is PublicState.CLOSED


def test_finding_one_case() -> None:
    report = case()
    assert report_by_reference(report.ref) == report_by_id(report.pk) == report
    assert refusal(lambda: report_by_reference("0000-0000-0000")) == "no_such_report"


@pytest.mark.parametrize(
    "wrong",
    [
        {"urgency": 0},
        {"outcome": Outcome.SPAM.value},
        {"is_open": False},
        {"status": Status.CLOSED.value, "is_open": False, "outcome": Outcome.DUPLICATE.value},
    ],
)
def test_the_database_refuses_rows_that_contradict_themselves(wrong: dict[str, object]) -> None:
    report = case()
    with pytest.raises(IntegrityError), transaction.atomic():
        Report.objects.filter(pk=report.pk).update(**wrong)

"""Need to know: who is not named neither opens the case nor meets it in a list."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.hotline.conftest import NOON

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.models import ElevationPurpose, User
from vigil.hotline.access.people import PUBLIC, WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.elevation import do_elevate, do_end_elevations
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.compartments.access import case_subject, hidden_from, may_open, require_inside
from vigil.hotline.compartments.actions import do_let_in, do_lift, do_restrict, do_take_out
from vigil.hotline.compartments.models import Ground
from vigil.hotline.reports.actions import do_take, do_take_next
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Report

REASON = "The hand-over says that the child may be at home with them."


@pytest.fixture
def people(clock: FixedClock, make_user: Callable[..., User]) -> dict[str, User]:
    roles = {"anna": Role.ANALYST, "ben": Role.ANALYST, "sam": Role.SUPERVISOR, "aud": Role.AUDITOR}
    return {name: make_user(role, username=name) for name, role in roles.items()}


@pytest.fixture
def case(people: dict[str, User]) -> Report:
    report = do_submit_report(PUBLIC, Arrival("http://gallery.example/zorblat"))
    do_restrict(people["sam"], report.pk, Ground.POLICE_OPERATION, [people["anna"]])
    return report


def test_only_who_is_named_opens_it(people: dict[str, User], case: Report) -> None:
    assert {name for name, user in people.items() if may_open(user, case.pk)} == {"anna"}
    assert not may_open(WORKER, case.pk)
    with pytest.raises(RefusedError, match="restricted"):
        require_inside(people["ben"], case.pk)


def test_who_is_not_named_never_gets_it(people: dict[str, User], case: Report) -> None:
    assert do_take_next(people["ben"]) is None
    with pytest.raises(RefusedError, match="restricted"):
        do_take(people["ben"], case)
    assert list(hidden_from(people["ben"])) == [case.pk] and list(hidden_from(people["anna"])) == []
    taken = do_take_next(people["anna"])
    assert taken is not None and taken.pk == case.pk


def test_naming_taking_out_and_lifting(people: dict[str, User], case: Report) -> None:
    sam = people["sam"]
    do_let_in(sam, case.pk, people["ben"])
    do_let_in(sam, case.pk, people["ben"])
    assert may_open(people["ben"], case.pk)
    do_take_out(sam, case.pk, people["anna"])
    assert not may_open(people["anna"], case.pk)
    with pytest.raises(RefusedError, match="Nobody would be left"):
        do_take_out(sam, case.pk, people["ben"])
    do_lift(sam, case.pk)
    assert all(may_open(user, case.pk) for user in people.values())
    acts = [e.code for e in AuditEvent.objects.filter(subject=case_subject(case.pk)).order_by("seq")]
    assert acts == ["report.received"] * (acts[0] == "report.received") + [
        "case.restricted", "case.person_let_in", "case.person_taken_out", "case.restriction_lifted",
    ]  # fmt: skip


def test_who_may_restrict_and_what_is_refused(people: dict[str, User], case: Report) -> None:
    with pytest.raises(RefusedError, match="restricted already"):
        do_restrict(people["sam"], case.pk, Ground.OTHER, [people["ben"]])
    other = do_submit_report(PUBLIC, Arrival("http://gallery.example/other"))
    with pytest.raises(RefusedError, match="may not"):
        do_restrict(people["anna"], other.pk, Ground.OTHER, [people["anna"]])
    with pytest.raises(InputError, match="at least one"):
        do_restrict(people["sam"], other.pk, Ground.OTHER, [])
    with pytest.raises(RefusedError, match="not restricted"):
        do_lift(people["sam"], other.pk)
    do_lift(people["sam"], case.pk)
    do_restrict(people["sam"], case.pk, Ground.LEGAL_ADVICE, [people["ben"]])
    assert may_open(people["ben"], case.pk) and not may_open(people["anna"], case.pk)


# ---- elevated sessions


def test_an_elevated_session_opens_one_case_for_half_an_hour(people: dict[str, User], case: Report, clock: FixedClock) -> None:
    sam = people["sam"]
    other = do_submit_report(PUBLIC, Arrival("http://gallery.example/other"))
    do_restrict(sam, other.pk, Ground.OTHER, [people["anna"]])
    do_elevate(sam, ElevationPurpose.CHILD_AT_RISK, REASON, case_subject(case.pk))
    assert may_open(sam, case.pk) and not may_open(sam, other.pk) and not may_open(people["ben"], case.pk)
    clock.advance(minutes=29)
    assert may_open(sam, case.pk)
    clock.advance(minutes=2)
    assert not may_open(sam, case.pk)


def test_an_elevated_session_can_be_ended(people: dict[str, User], case: Report) -> None:
    do_elevate(people["sam"], ElevationPurpose.OVERSIGHT, REASON, case_subject(case.pk))
    assert do_end_elevations(people["sam"]) == 1 and do_end_elevations(people["sam"]) == 0
    assert not may_open(people["sam"], case.pk)


def test_an_elevated_session_needs_the_right_and_a_reason(people: dict[str, User], case: Report) -> None:
    with pytest.raises(RefusedError):
        do_elevate(people["ben"], ElevationPurpose.OVERSIGHT, REASON, case_subject(case.pk))
    for reason in ("", "because", " " * 40, "x" * 2001):
        with pytest.raises(InputError, match="Give a reason"):
            do_elevate(people["sam"], ElevationPurpose.OVERSIGHT, reason)
    event = AuditEvent.objects.filter(code="session.elevated")
    assert not event.exists()


def test_the_log_says_that_a_session_began_and_not_why(people: dict[str, User], case: Report) -> None:
    do_elevate(people["sam"], ElevationPurpose.OVERSIGHT, REASON, case_subject(case.pk))
    event = AuditEvent.objects.get(code="session.elevated")
    assert event.actor == "user:sam" and event.at == NOON and event.purpose == "oversight"
    assert REASON not in event.details + event.subject

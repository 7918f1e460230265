"""Holds stop what they stop, alert when their time is over, and end by two people only; clearance is a gate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from vigil.base.clock import FixedClock
from vigil.base.errors import VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.holds.actions import (
    do_alert,
    do_ask_release,
    do_extend_hold,
    do_release_hold,
    do_set_clearance,
    do_set_hold,
)
from vigil.hotline.holds.enumerations import STOPS, Clearance, HoldKind, HoldScope, Stopped
from vigil.hotline.holds.gate import clearance_of, holding, overdue_of, require_clear
from vigil.hotline.holds.models import Hold
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Report

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def lia(make_user: Callable[..., User]) -> User:
    return make_user(Role.POLICE_LIAISON, username="lia")


@pytest.fixture
def case(db: None) -> Report:
    return do_submit_report(PUBLIC, Arrival("http://gallery.example/room/7"))


def hold(lia: User, case: Report, kind: HoldKind = HoldKind.DO_NOT_NOTIFY, **more: Any) -> Hold:
    chosen: dict[str, Any] = {
        "owner": lia, "agency": "Quimber police", "reason_code": "operation", "expires_at": now() + timedelta(days=7),
    }  # fmt: skip
    return do_set_hold(lia, case, kind, **{**chosen, **more})


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(VigilError) as caught:
        act()
    return caught.value.code


@pytest.mark.parametrize("kind", HoldKind)
@pytest.mark.parametrize("act", Stopped)
def test_each_kind_stops_what_it_stops(lia: User, case: Report, kind: HoldKind, act: Stopped) -> None:
    hold(lia, case, kind)
    if act in STOPS[kind]:
        assert code_of(lambda: require_clear(case, act)) == "held"
    else:
        require_clear(case, act)


def test_an_expiry_alerts_and_never_releases(lia: User, case: Report, clock: FixedClock) -> None:
    made = hold(lia, case)
    assert do_alert(OPERATOR) == 0
    clock.advance(days=8)
    assert do_alert(OPERATOR) == 1 and do_alert(OPERATOR) == 0
    assert code_of(lambda: require_clear(case, Stopped.NOTICE)) == "held"
    assert list(overdue_of(lia)) == [made] and Hold.objects.get().overdue
    assert AuditEvent.objects.filter(code="hold.overdue").count() == 1
    do_extend_hold(lia, made, now() + timedelta(days=3))
    assert list(overdue_of(lia)) == []
    clock.advance(days=4)
    assert do_alert(OPERATOR) == 1, "a hold that was given more time is told of again"


def test_two_people_release(lia: User, case: Report, make_user: Callable[..., User]) -> None:
    made, sue = hold(lia, case), make_user(Role.SUPERVISOR)
    assert code_of(lambda: do_release_hold(lia, made)) == "approval_missing"
    do_approve(sue, do_ask_release(lia, made, "the operation is over"))
    released = do_release_hold(lia, made)
    assert released.released_by is not None and holding(case, Stopped.NOTICE) == []
    require_clear(case, Stopped.NOTICE)
    assert code_of(lambda: do_release_hold(lia, made)) == "hold_released"


def test_the_database_wants_the_approval(lia: User, case: Report) -> None:
    hold(lia, case)
    with pytest.raises(IntegrityError), transaction.atomic():
        Hold.objects.update(released_at=now())


def test_a_hold_of_a_host_reaches_its_other_cases(lia: User, case: Report) -> None:
    other = do_submit_report(PUBLIC, Arrival("http://gallery.example/room/8"))
    far = do_submit_report(PUBLIC, Arrival("http://elsewhere.example/room/8"))
    hold(lia, case, HoldKind.DECONFLICTION, scope=HoldScope.HOST)
    assert code_of(lambda: require_clear(other, Stopped.LISTING)) == "held"
    require_clear(far, Stopped.LISTING)


def test_clearance_is_a_gate_for_notices_and_referrals(lia: User, case: Report, clock: FixedClock) -> None:
    assert clearance_of(case) is Clearance.NOT_REQUIRED
    require_clear(case, Stopped.NOTICE)
    do_set_clearance(lia, case, Clearance.REQUESTED, agency="Quimber police")
    assert code_of(lambda: require_clear(case, Stopped.NOTICE)) == "not_cleared"
    assert code_of(lambda: require_clear(case, Stopped.REFERRAL)) == "not_cleared"
    require_clear(case, Stopped.LISTING)
    clock.advance(minutes=1)
    do_set_clearance(lia, case, Clearance.GIVEN, agency="Quimber police", reference="quimber 12")
    require_clear(case, Stopped.NOTICE)
    assert not AuditEvent.objects.filter(details__contains="quimber 12").exists()


def test_what_is_no_hold(lia: User, case: Report, make_user: Callable[..., User]) -> None:
    assert code_of(lambda: hold(lia, case, expires_at=now() + timedelta(days=91))) == "expiry"
    assert code_of(lambda: hold(lia, case, expires_at=now())) == "expiry"
    assert code_of(lambda: hold(lia, case, agency=" ")) == "agency_missing"
    assert code_of(lambda: hold(lia, case, reason_code="Free words, many")) == "reason_code"
    assert code_of(lambda: hold(make_user(Role.ANALYST), case)) == "not_permitted"
    nameless = do_submit_report(PUBLIC, Arrival("no address at all"))
    assert code_of(lambda: hold(lia, nameless, scope=HoldScope.HOST)) == "host_unclear"

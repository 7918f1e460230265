"""The two-person act: two people, a reason, 24 hours, once; and nobody approves what they took part in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from vigil.base.clock import FixedClock
from vigil.base.errors import VigilError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.permissions import DESCRIPTIONS, PERMISSIONS
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals import acts
from vigil.hotline.approvals.actions import do_approve, do_expire, do_refuse, do_request, do_show_reason, spend
from vigil.hotline.approvals.acts import RULES, ApprovalResult, TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.approvals.queries import approved, seen_by, waiting_for
from vigil.hotline.audit.models import AuditEvent

pytestmark = pytest.mark.usefixtures("clock")
ACT, SUBJECT, REASON = TwoPersonAct.HOLD_RELEASE, "hold:7", "quimber agency, letter 12"


@pytest.fixture
def lia(make_user: Callable[..., User]) -> User:
    return make_user(Role.POLICE_LIAISON, username="lia")


@pytest.fixture
def sue(make_user: Callable[..., User]) -> User:
    return make_user(Role.SUPERVISOR, username="sue")


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(VigilError) as caught:
        act()
    return caught.value.code


def use(person: User, act: TwoPersonAct = ACT, subject: str = SUBJECT) -> ApprovalRequest:
    with transaction.atomic():
        return spend(person, act, subject)


def test_one_asks_another_approves_and_the_act_uses_it_once(lia: User, sue: User) -> None:
    request = do_request(lia, ACT, SUBJECT, REASON)
    assert code_of(lambda: use(lia)) == "approval_missing"
    do_approve(sue, request)
    assert approved(ACT, SUBJECT) == request
    assert use(lia).spent_by == "user:lia"
    assert code_of(lambda: use(lia)) == "approval_missing"
    events = list(AuditEvent.objects.filter(code__startswith="approval.").values_list("code", "actor"))
    assert events == [("approval.requested", "user:lia"), ("approval.approved", "user:sue"), ("approval.spent", "user:lia")]
    assert not AuditEvent.objects.filter(details__contains="quimber").exists()


def test_nobody_has_both_seats(make_user: Callable[..., User]) -> None:
    both = make_user(Role.POLICE_LIAISON, Role.SUPERVISOR)
    request = do_request(both, ACT, SUBJECT, REASON)
    assert code_of(lambda: do_approve(both, request)) == "second_person_needed"


def test_who_approved_does_not_carry_it_out(lia: User, make_user: Callable[..., User]) -> None:
    both = make_user(Role.POLICE_LIAISON, Role.SUPERVISOR)
    do_approve(both, do_request(lia, ACT, SUBJECT, REASON))
    assert code_of(lambda: use(both)) == "second_person_needed"


def test_the_database_refuses_it_too(lia: User) -> None:
    request = do_request(lia, ACT, SUBJECT, REASON)
    with pytest.raises(IntegrityError), transaction.atomic():
        decided = {"result": "approved", "decided_by": "user:lia", "decided_at": request.created_at}
        ApprovalRequest.objects.filter(pk=request.pk).update(**decided)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRequest.objects.filter(pk=request.pk).update(result="approved")
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRequest.objects.filter(pk=request.pk).update(spent_at=request.created_at)


def test_nobody_approves_what_they_assessed(lia: User, sue: User) -> None:
    request = do_request(lia, ACT, SUBJECT, REASON, behind={"user:sue"})
    assert code_of(lambda: do_approve(sue, request)) == "second_person_needed"


@pytest.fixture
def registered() -> Iterator[set[str]]:
    """Who took part, as a room above would say it; may change after the request."""
    before, labels = dict(acts._behind), set[str]()
    acts.register_behind(ACT, lambda subject: frozenset(labels))
    yield labels
    acts._behind.clear()
    acts._behind.update(before)


def test_who_took_part_after_the_request_may_not_approve_either(lia: User, sue: User, registered: set[str]) -> None:
    request = do_request(lia, ACT, SUBJECT, REASON)
    registered.add("user:sue")
    assert code_of(lambda: do_approve(sue, request)) == "second_person_needed"


def test_requests_and_approvals_end_after_24_hours(lia: User, sue: User, clock: FixedClock) -> None:
    waiting, granted = do_request(lia, ACT, SUBJECT, REASON), do_request(lia, ACT, "hold:8", REASON)
    do_approve(sue, granted)
    clock.advance(hours=24)
    assert code_of(lambda: do_approve(sue, waiting)) == "approval_not_pending"
    assert code_of(lambda: use(lia, subject="hold:8")) == "approval_missing"
    assert do_expire(OPERATOR) == 1
    assert {row.state for row in ApprovalRequest.objects.all()} == {ApprovalResult.EXPIRED}
    assert do_request(lia, ACT, SUBJECT, REASON).pk != waiting.pk


def test_a_refused_request_is_over(lia: User, sue: User) -> None:
    request = do_request(lia, ACT, SUBJECT, REASON)
    do_refuse(sue, request)
    assert code_of(lambda: do_approve(sue, request)) == "approval_not_pending"
    assert code_of(lambda: use(lia)) == "approval_missing"


def test_asking_twice_and_asking_without_a_reason(lia: User, sue: User) -> None:
    do_request(lia, ACT, SUBJECT, REASON)
    assert code_of(lambda: do_request(lia, ACT, SUBJECT, REASON)) == "approval_pending"
    assert code_of(lambda: do_request(lia, ACT, "hold:9", "  ")) == "reason_missing"
    assert code_of(lambda: do_request(lia, ACT, "hold:9", "x" * 2001)) == "reason_too_long"
    assert code_of(lambda: do_request(sue, ACT, "hold:9", REASON)) == "not_permitted"


def test_an_approval_of_one_thing_opens_no_other(lia: User, sue: User) -> None:
    do_approve(sue, do_request(lia, ACT, SUBJECT, REASON))
    assert code_of(lambda: use(lia, subject="hold:70")) == "approval_missing"
    assert code_of(lambda: use(lia, act=TwoPersonAct.VAULT_EXPORT)) == "approval_missing"


def test_reasons_lie_sealed_and_showing_them_is_logged(lia: User, sue: User, make_user: Callable[..., User]) -> None:
    request = do_request(lia, ACT, SUBJECT, REASON)
    with connection.cursor() as cursor:
        cursor.execute("SELECT reason FROM approvals_approvalrequest")
        assert "quimber" not in cursor.fetchone()[0]
    assert do_show_reason(sue, ApprovalRequest.objects.get(pk=request.pk)) == REASON
    assert AuditEvent.objects.filter(code="approval.reason_shown", actor="user:sue").count() == 1
    assert code_of(lambda: do_show_reason(make_user(Role.ANALYST), request)) == "not_permitted"


@pytest.mark.parametrize("act", TwoPersonAct)
def test_every_act_has_a_rule_that_two_different_people_can_fill(act: TwoPersonAct) -> None:
    rule = RULES[act]
    firsts = {role for role in Role if rule.first in PERMISSIONS[role]}
    seconds = {role for role in Role if rule.second in PERMISSIONS[role]}
    assert firsts and seconds and rule.first in DESCRIPTIONS and rule.second in DESCRIPTIONS


def test_each_sees_the_acts_of_their_seats(lia: User, sue: User, make_user: Callable[..., User]) -> None:
    request = do_request(lia, ACT, SUBJECT, REASON)
    assert list(waiting_for(sue)) == [request] and list(waiting_for(lia)) == []
    assert list(seen_by(lia)) == [request] and list(seen_by(make_user(Role.DATA_PROTECTION))) == []


class TestPages:
    def test_asked_shown_approved(self, lia: User, sue: User, console_client: Callable[..., Any]) -> None:
        request = do_request(lia, ACT, SUBJECT, REASON)
        client = console_client(sue)
        assert "Release a hold" in client.get("/second-person/").content.decode()
        page = client.get(f"/second-person/{request.pk}/").content.decode()
        assert "Approve" in page and "quimber" not in page
        assert REASON in client.post(f"/second-person/{request.pk}/reason/").content.decode()
        answer = client.post(f"/second-person/{request.pk}/approve/", follow=True).content.decode()
        assert "can carry it out now" in answer and approved(ACT, SUBJECT) is not None

    def test_who_asked_is_told_to_find_a_colleague(self, lia: User, console_client: Callable[..., Any]) -> None:
        request = do_request(lia, ACT, SUBJECT, REASON)
        client = console_client(lia)
        assert "a colleague has to approve" in client.get(f"/second-person/{request.pk}/").content.decode()
        assert "You may not do this" in client.post(f"/second-person/{request.pk}/approve/", follow=True).content.decode()

    def test_refusing(self, lia: User, sue: User, console_client: Callable[..., Any]) -> None:
        request = do_request(lia, ACT, SUBJECT, REASON)
        assert "Nothing happens" in console_client(sue).post(f"/second-person/{request.pk}/refuse/", follow=True).content.decode()
        assert ApprovalRequest.objects.get(pk=request.pk).result == "refused"

    def test_without_a_seat_it_is_not_there(
        self, lia: User, make_user: Callable[..., User], console_client: Callable[..., Any]
    ) -> None:
        request = do_request(lia, ACT, SUBJECT, REASON)
        assert console_client(make_user(Role.DATA_PROTECTION)).get(f"/second-person/{request.pk}/").status_code == 404

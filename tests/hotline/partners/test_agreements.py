"""Partners and agreements: proposed by one, approved by another, stopped at once by either."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.partners.actions import do_enrol_node
from vigil.hotline.partners.agreements import (
    Terms,
    agreements_in_force,
    agreements_waiting,
    do_approve_agreement,
    do_end_agreement,
    do_propose_agreement,
    do_propose_partner,
    do_resume_partner,
    do_stop_partner,
    require_agreement,
)
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Agreement, Partner

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
PEOPLE = "Quim Ber, abuse desk, quim@isp.example"


@pytest.fixture
def paula(make_user: Callable[..., User]) -> User:
    return make_user(Role.LIST_PUBLISHER, username="paula")


@pytest.fixture
def sam(make_user: Callable[..., User]) -> User:
    return make_user(Role.SUPERVISOR, username="sam")


@pytest.fixture
def partner(paula: User) -> Partner:
    return do_propose_partner(paula, "Quimber Net", PartnerKind.ISP, hosts=["quimbernet.example"])


def terms(moment: datetime, days: int = 365, **changes: object) -> Terms:
    given = {"reference": "2026/17", "lists": ("urls",), "starts_at": moment, "ends_at": moment + timedelta(days=days),
             "people": PEOPLE, **changes}  # fmt: skip
    return Terms(**given)  # type: ignore[arg-type]


@pytest.fixture
def agreement(partner: Partner, paula: User, clock: FixedClock) -> Agreement:
    return do_propose_agreement(paula, partner, terms(clock.now()))


def test_nothing_is_in_force_before_a_second_person_approved(
    agreement: Agreement, paula: User, sam: User, clock: FixedClock
) -> None:
    assert list(agreements_waiting()) == [agreement] and not agreements_in_force(clock.now())
    with pytest.raises(RefusedError):
        do_approve_agreement(paula, agreement)
    do_approve_agreement(sam, agreement)
    assert list(agreements_in_force(clock.now())) == [agreement] and not agreements_waiting()
    with pytest.raises(RefusedError, match="decided"):
        do_approve_agreement(sam, agreement)


def test_somebody_with_both_roles_is_still_one_person(
    partner: Partner, make_user: Callable[..., User], clock: FixedClock
) -> None:
    both = make_user(Role.LIST_PUBLISHER, Role.SUPERVISOR, username="both")
    mine = do_propose_agreement(both, partner, terms(clock.now()))
    with pytest.raises(RefusedError) as refusal:
        do_approve_agreement(both, mine)
    assert refusal.value.code == "second_person_needed"
    with pytest.raises(IntegrityError), transaction.atomic():
        Agreement.objects.filter(pk=mine.pk).update(approved_by=mine.created_by)


def test_an_agreement_begins_and_ends_by_itself(partner: Partner, paula: User, sam: User, clock: FixedClock) -> None:
    later = clock.now() + timedelta(days=1)
    do_approve_agreement(sam, do_propose_agreement(paula, partner, terms(later, days=2)))
    assert not agreements_in_force(clock.now())
    clock.advance(days=1)
    assert require_agreement(partner.code)
    clock.advance(days=2)
    with pytest.raises(RefusedError) as refusal:
        require_agreement(partner.code)
    assert refusal.value.code == "no_agreement"


def test_one_person_ends_or_refuses_an_agreement(agreement: Agreement, paula: User, sam: User, clock: FixedClock) -> None:
    do_approve_agreement(sam, agreement)
    do_end_agreement(paula, agreement)
    assert not agreements_in_force(clock.now())
    with pytest.raises(RefusedError):
        do_end_agreement(sam, agreement)


@pytest.mark.parametrize(
    "wrong",
    [{"reference": " "}, {"people": ""}, {"lists": ()}, {"days": 0}, {"days": 3000}, {"jurisdictions": ("Netherlands",)}],
)
def test_terms_that_cannot_be_kept_are_refused(
    wrong: dict[str, object], partner: Partner, paula: User, clock: FixedClock
) -> None:
    with pytest.raises(InputError):
        do_propose_agreement(paula, partner, terms(clock.now(), **wrong))


@pytest.mark.parametrize(("title", "hosts"), [("", []), ("x" * 201, []), ("Q", ["Upper.example"]), ("Q", ["a b"])])
def test_a_partner_that_cannot_be_is_refused(title: str, hosts: list[str], paula: User) -> None:
    with pytest.raises(InputError):
        do_propose_partner(paula, title, PartnerKind.ISP, hosts=hosts)


def test_the_people_of_a_partner_lie_sealed_and_its_code_says_nothing(agreement: Agreement) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT people FROM partners_agreement")
        assert "Quim" not in str(cursor.fetchall())
    assert agreement.people.open() == PEOPLE
    assert "quimber" not in agreement.partner.code
    assert not AuditEvent.objects.filter(details__contains="Quim").exists()


def test_a_node_of_a_partner_needs_its_agreement(agreement: Agreement, sam: User) -> None:
    with pytest.raises(RefusedError, match="agreement"):
        do_enrol_node(OPERATOR, "q-1", partner=agreement.partner.code)
    do_approve_agreement(sam, agreement)
    node, _ = do_enrol_node(OPERATOR, "q-1", partner=agreement.partner.code)
    assert node.partner == agreement.partner.code


def test_the_kill_switch_ends_every_token_and_every_agreement_at_once(
    agreement: Agreement, paula: User, sam: User, clock: FixedClock
) -> None:
    do_approve_agreement(sam, agreement)
    node, _ = do_enrol_node(OPERATOR, "q-1", partner=agreement.partner.code)
    own, _ = do_enrol_node(OPERATOR, "own-1")
    do_stop_partner(paula, agreement.partner, "A copy was found elsewhere.")
    node.refresh_from_db()
    own.refresh_from_db()
    assert not node.in_force(clock.now()) and own.in_force(clock.now())
    assert not agreements_in_force(clock.now())
    assert AuditEvent.objects.filter(code="partner.stopped").count() == 1
    with pytest.raises(RefusedError):
        do_stop_partner(sam, agreement.partner, "again")


def test_a_stopped_partner_comes_back_by_another_person_and_with_new_tokens(
    agreement: Agreement, paula: User, sam: User, make_user: Callable[..., User], clock: FixedClock
) -> None:
    do_approve_agreement(sam, agreement)
    node, _ = do_enrol_node(OPERATOR, "q-1", partner=agreement.partner.code)
    do_stop_partner(sam, agreement.partner, "A test.")
    for person in (paula, sam):
        with pytest.raises(RefusedError):
            do_resume_partner(person, agreement.partner)
    do_resume_partner(make_user(Role.SUPERVISOR, username="sue"), agreement.partner)
    assert agreements_in_force(clock.now())
    node.refresh_from_db()
    assert not node.in_force(clock.now())


def test_who_may_not_propose_or_stop(partner: Partner, make_user: Callable[..., User]) -> None:
    anna = make_user(Role.ANALYST, username="anna")
    for act in (
        lambda: do_propose_partner(anna, "X", PartnerKind.ISP), lambda: do_stop_partner(anna, partner, "x"),
    ):  # fmt: skip
        with pytest.raises(RefusedError):
            act()

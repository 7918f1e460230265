"""Another public key for a partner: proposed by one, approved by another, and each way it can go wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction
from pyrage import x25519

from vigil.base.clock import FixedClock
from vigil.base.errors import VigilError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.partners.agreements import do_propose_partner
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Partner, RecipientChange
from vigil.hotline.partners.recipients import (
    changes_waiting,
    do_approve_recipient,
    do_propose_recipient,
    do_refuse_recipient,
    do_take_up_recipient,
    ended_keys,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def key() -> str:
    return str(x25519.Identity.generate().to_public())


FIRST, SECOND, THIRD = key(), key(), key()


@pytest.fixture
def paula(make_user: Callable[..., User]) -> User:
    return make_user(Role.LIST_PUBLISHER, username="paula")


@pytest.fixture
def sam(make_user: Callable[..., User]) -> User:
    return make_user(Role.SUPERVISOR, username="sam")


@pytest.fixture
def partner(paula: User) -> Partner:
    return do_propose_partner(paula, "Quimber Net", PartnerKind.ISP, recipient=FIRST)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(VigilError) as found:
        act()
    return found.value.code


def test_the_key_changes_once_a_second_person_has_approved_it(partner: Partner, paula: User, sam: User) -> None:
    change = do_propose_recipient(paula, partner, SECOND, "The laptop of Quim was lost.")
    partner.refresh_from_db()
    assert partner.recipient == FIRST and list(changes_waiting()) == [change]
    assert code_of(lambda: do_approve_recipient(paula, change)) == "not_permitted"
    do_approve_recipient(sam, change)
    partner.refresh_from_db()
    assert partner.recipient == SECOND and not changes_waiting()
    assert ended_keys() == {partner.code: frozenset({FIRST})}
    assert code_of(lambda: do_approve_recipient(sam, change)) == "recipient_decided"
    assert code_of(lambda: do_refuse_recipient(sam, change)) == "recipient_decided"
    proposed, approved = (AuditEvent.objects.get(code=f"partner.key_{each}") for each in ("proposed", "approved"))
    assert "The laptop of Quim was lost." in proposed.details and approved.actor == sam.label
    assert FIRST not in proposed.details and SECOND not in proposed.details + approved.details


def test_somebody_with_both_roles_is_still_one_person(partner: Partner, make_user: Callable[..., User]) -> None:
    both = make_user(Role.LIST_PUBLISHER, Role.SUPERVISOR, username="both")
    change = do_propose_recipient(both, partner, SECOND, "Why")
    assert code_of(lambda: do_approve_recipient(both, change)) == "second_person_needed"
    with pytest.raises(IntegrityError), transaction.atomic():
        RecipientChange.objects.filter(pk=change.pk).update(approved=True, decided_by=change.created_by)
    do_refuse_recipient(both, change)
    partner.refresh_from_db()
    assert partner.recipient == FIRST and AuditEvent.objects.filter(code="partner.key_refused").count() == 1


def test_a_key_proposed_by_command_takes_two_people_at_the_console(
    partner: Partner, make_user: Callable[..., User], paula: User, sam: User
) -> None:
    """Whoever has a shell and the console is one person with two names: a command never fills a seat."""
    both = make_user(Role.LIST_PUBLISHER, Role.SUPERVISOR, username="both")
    change = do_propose_recipient(OPERATOR, partner, SECOND, "By the command")
    assert change.names_nobody
    for person in (both, sam):
        assert code_of(lambda person=person: do_approve_recipient(person, change)) == "recipient_names_nobody"  # type: ignore[misc]
    assert code_of(lambda: do_take_up_recipient(sam, change)) == "not_permitted"
    assert code_of(lambda: do_take_up_recipient(OPERATOR, change)) == "second_person_needed"
    taken = do_take_up_recipient(both, change)
    assert not taken.names_nobody and AuditEvent.objects.get(code="partner.key_taken_up").actor == both.label
    assert code_of(lambda: do_take_up_recipient(paula, change)) == "recipient_named"
    assert code_of(lambda: do_approve_recipient(both, change)) == "second_person_needed"
    with pytest.raises(IntegrityError), transaction.atomic():
        RecipientChange.objects.filter(pk=change.pk).update(approved=True, decided_by=both.label)
    partner.refresh_from_db()
    assert partner.recipient == FIRST
    do_approve_recipient(sam, change)
    partner.refresh_from_db()
    assert partner.recipient == SECOND
    assert code_of(lambda: do_take_up_recipient(paula, change)) == "recipient_decided"


def test_a_key_proposed_at_the_console_is_nobody_elses_to_take_up(
    partner: Partner, paula: User, make_user: Callable[..., User]
) -> None:
    change = do_propose_recipient(paula, partner, SECOND, "Why")
    other = make_user(Role.LIST_PUBLISHER, username="pia")
    assert not change.names_nobody and code_of(lambda: do_take_up_recipient(other, change)) == "recipient_named"


def test_what_cannot_be_a_new_key_is_refused(partner: Partner, paula: User, sam: User) -> None:
    other = do_propose_partner(paula, "Brix", PartnerKind.ISP, recipient=THIRD)
    tries = {
        "recipient_malformed": SECOND[:-1], "recipient_secret": "AGE-SECRET-KEY-1Q", "recipient_same": FIRST,
        "recipient_taken": other.recipient,
    }  # fmt: skip
    for code, recipient in tries.items():
        assert code_of(lambda recipient=recipient: do_propose_recipient(paula, partner, recipient, "Why")) == code  # type: ignore[misc]
    assert code_of(lambda: do_propose_recipient(paula, partner, SECOND, " ")) == "reason_missing"
    assert code_of(lambda: do_propose_recipient(paula, partner, SECOND, "x" * 301)) == "reason_missing"
    assert code_of(lambda: do_propose_recipient(sam, partner, SECOND, "Why")) == "not_permitted"
    do_approve_recipient(sam, do_propose_recipient(paula, partner, SECOND, "Why"))
    partner.refresh_from_db()
    assert code_of(lambda: do_propose_recipient(paula, partner, FIRST, "Why")) == "recipient_used"
    assert not changes_waiting()


def test_one_change_waits_at_a_time(partner: Partner, paula: User, sam: User) -> None:
    do_propose_recipient(OPERATOR, partner, SECOND, "By the command")
    assert code_of(lambda: do_propose_recipient(paula, partner, THIRD, "Why")) == "recipient_waits"
    do_refuse_recipient(sam, changes_waiting().get())
    do_propose_recipient(paula, partner, THIRD, "Why")


def test_a_key_that_another_partner_got_meanwhile_is_not_approved(partner: Partner, paula: User, sam: User) -> None:
    change = do_propose_recipient(paula, partner, SECOND, "Why")
    do_propose_partner(paula, "Brix", PartnerKind.ISP, recipient=SECOND)
    assert code_of(lambda: do_approve_recipient(sam, change)) == "recipient_moved"


def test_a_key_that_may_overlap_ends_with_a_later_one_that_does_not(
    partner: Partner, paula: User, sam: User, clock: FixedClock
) -> None:
    do_approve_recipient(sam, do_propose_recipient(paula, partner, SECOND, "Every year", overlap=True))
    assert ended_keys() == {}
    clock.advance(hours=1)
    partner.refresh_from_db()
    do_approve_recipient(sam, do_propose_recipient(paula, partner, THIRD, "It got out"))
    assert ended_keys() == {partner.code: frozenset({FIRST, SECOND})}

"""Restrict a case, let people in and out, lift the restriction. The audit row names the case."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.compartments import codes
from vigil.hotline.compartments.access import case_subject, in_force
from vigil.hotline.compartments.models import Compartment, Ground, Member


def check_restrict(person: Person, case: UUID, people: Iterable[User]) -> None:
    """A supervisor may restrict a case that is not restricted yet, to at least one person who can sign in."""
    must(person, Permission.CASE_RESTRICT)
    if in_force(case) is not None:
        raise RefusedError("case_restricted_already", "This case is restricted already.", mend="Change who is named instead.")
    named = list(people)
    if not named or not all(user.is_active for user in named):
        raise InputError("nobody_named", "Name at least one person who can sign in.", where="people")


def do_restrict(person: Person, case: UUID, ground: Ground, people: Iterable[User]) -> Compartment:
    """From now on only ``people`` open the case or meet it in lists."""
    named = sorted(set(people), key=lambda user: user.username)
    with transaction.atomic():
        check_restrict(person, case, named)
        made = Compartment.objects.create(case=case, ground=ground.value, created_by=person.label)
        for user in named:
            Member.objects.create(compartment=made, user=user, added_by=person.label)
        record(person, codes.RESTRICTED, case_subject(case), ground=ground.value, people=len(named))
    return made


def _locked(person: Person, case: UUID) -> Compartment:
    must(person, Permission.CASE_RESTRICT)
    found = Compartment.objects.select_for_update().filter(case=case, lifted_at=None).first()
    if found is None:
        raise RefusedError("case_not_restricted", "This case is not restricted.")
    return found


def do_let_in(person: Person, case: UUID, user: User) -> None:
    """Name one more person; naming them again changes nothing."""
    with transaction.atomic():
        compartment = _locked(person, case)
        if not user.is_active:
            raise InputError("nobody_named", "Name somebody who can sign in.", where="people")
        if compartment.members.filter(user=user, removed_at=None).exists():
            return
        Member.objects.create(compartment=compartment, user=user, added_by=person.label)
        record(person, codes.MEMBER_ADDED, case_subject(case), user=user.username)


def do_take_out(person: Person, case: UUID, user: User) -> None:
    """Take a person's name away; never the last one: a case that nobody may open would be forgotten."""
    with transaction.atomic():
        compartment = _locked(person, case)
        inside = compartment.members.filter(removed_at=None)
        if inside.filter(user=user).exists() and inside.count() == 1:
            raise RefusedError("last_person", "Nobody would be left in this case.", mend="Name somebody else first.")
        if inside.filter(user=user).update(removed_at=now(), removed_by=person.label):
            record(person, codes.MEMBER_REMOVED, case_subject(case), user=user.username)


def do_lift(person: Person, case: UUID) -> None:
    """Everybody who works on cases may open it again."""
    with transaction.atomic():
        compartment = _locked(person, case)
        compartment.lifted_at, compartment.lifted_by = now(), person.label
        compartment.save(update_fields=["lifted_at", "lifted_by"])
        record(person, codes.LIFTED, case_subject(case))

"""Machines that use banks: their tokens, and who is asking."""

from __future__ import annotations

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from vigil.base.clock import text_of
from vigil.base.errors import InputError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.banks import codes
from vigil.hotline.banks.models import Machine, MachineRole
from vigil.hotline.partners.actions import LONGEST_DAYS, TOKEN_DAYS
from vigil.hotline.partners.tokens import digest_of, new_token, token_in


def do_enrol_machine(person: Person, name: str, role: MachineRole, days: int = TOKEN_DAYS) -> tuple[Machine, str]:
    """Enrol a machine; gives its token too, which nobody can show again."""
    must(person, Permission.NODE_MANAGE)
    if not 0 < days <= LONGEST_DAYS:
        raise InputError("token_lifetime", f"A token lives 1 to {LONGEST_DAYS} days.", where="days")
    token = new_token()
    made = Machine(
        name=name, role=role.value, token_digest=digest_of(token), expires_at=now() + timedelta(days=days),
        created_by=person.label,
    )  # fmt: skip
    try:
        made.full_clean()
    except ValidationError as error:
        raise InputError("machine_refused", "The machine cannot be enrolled: " + " ".join(error.messages)) from error
    with transaction.atomic():
        made.save()
        record(person, codes.MACHINE_ENROLLED, made, name=name, role=role.value, expires=text_of(made.expires_at))
    return made, token


def do_revoke_machine(person: Person, machine: Machine) -> None:
    """End a token at once. Revoking twice changes nothing."""
    must(person, Permission.NODE_MANAGE)
    with transaction.atomic():
        locked = Machine.objects.select_for_update().get(pk=machine.pk)
        if locked.revoked_at is not None:
            return
        locked.revoked_at, locked.revoked_by = now(), person.label
        locked.save(update_fields=["revoked_at", "revoked_by"])
        record(person, codes.MACHINE_REVOKED, locked, name=locked.name)


def machine_named(name: str) -> Machine:
    """The machine of that name."""
    found = Machine.objects.filter(name=name).first()
    if found is None:
        raise InputError("no_such_machine", "There is no machine of that name.", mend="See `vigil hotline bank machines`.")
    return found


def machine_of(request: HttpRequest) -> Machine | None:
    """The machine whose valid token the request carries; None without one, and for expired and revoked ones."""
    token = token_in(request.headers.get("Authorization", ""))
    found = None if token is None else Machine.objects.filter(token_digest=digest_of(token)).first()
    return found if found is not None and found.in_force(now()) else None

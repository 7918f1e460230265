"""The policy of banks. Machines add to banks without a second person; therefore two people say first what banks are for."""

from __future__ import annotations

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.banks import codes
from vigil.hotline.banks.models import BankPolicy

RETENTION_DAYS = Limit(3660, "days", "what nobody looks at again must end by itself")
TEXT = Limit(2000, "characters", "a policy is read by people")


def do_propose_policy(
    person: Person, *, purpose: str, legal_basis: str, owner: str, retention_days: int, max_distance: int = 31
) -> BankPolicy:
    """Propose a policy; it is in force only when another person approves it."""
    must(person, Permission.BANK_POLICY)
    for name, text in (("purpose", purpose), ("legal_basis", legal_basis), ("owner", owner)):
        if not 0 < len(text.strip()) <= (200 if name == "owner" else TEXT.value):
            raise InputError("policy_text", "A policy says what banks are for, on what basis, and who answers.", where=name)
    if not 0 < retention_days <= RETENTION_DAYS.value or not 0 <= max_distance <= 31:
        raise InputError("policy_range", f"Retention is 1 to {RETENTION_DAYS.value} days, the distance 0 to 31 bits.")
    with transaction.atomic():
        made = BankPolicy.objects.create(
            purpose=purpose.strip(), legal_basis=legal_basis.strip(), owner=owner.strip(), retention_days=retention_days,
            max_distance=max_distance, created_by=person.label,
        )  # fmt: skip
        record(person, codes.POLICY_PROPOSED, made, retention_days=retention_days, max_distance=max_distance)
    return made


def check_approve_policy(person: Person, policy: BankPolicy) -> None:
    """A policy that waits, by another person than who proposed it."""
    must(person, Permission.BANK_POLICY)
    if policy.approved_at is not None:
        raise RefusedError("policy_approved", "This policy is approved already.")
    must_differ(person, {policy.created_by}, "The policy of banks")


def do_approve_policy(person: Person, policy: BankPolicy) -> BankPolicy:
    """Put a policy into force, for banks made from now on."""
    with transaction.atomic():
        fresh = BankPolicy.objects.select_for_update().get(pk=policy.pk)
        check_approve_policy(person, fresh)
        fresh.approved_by, fresh.approved_at = person.label, now()
        fresh.save(update_fields=["approved_by", "approved_at"])
        record(person, codes.POLICY_APPROVED, fresh, proposed_by=fresh.created_by)
    return fresh


def policy_in_force() -> BankPolicy:
    """The policy approved last. Raises RefusedError ``bank_policy_missing``."""
    found = BankPolicy.objects.exclude(approved_at=None).order_by("-approved_at", "-pk").first()
    if found is None:
        raise RefusedError(
            "bank_policy_missing",
            "Nobody has said what banks are for.",
            mend="Two people set the policy in the console: one proposes it, another approves it.",
        )
    return found


def waiting_policies() -> list[BankPolicy]:
    """Proposals that nobody has approved yet, the latest first."""
    return list(BankPolicy.objects.filter(approved_at=None).order_by("-created_at"))

"""Changing a partner's public key: whoever holds the new one reads the lists, so one person proposes and another approves.

A proposal by command names nobody: whoever has a shell could hold both seats. It counts for nothing until somebody at the
console who may propose keys has taken it up as theirs; a third person then approves (decision 0411).
"""

from __future__ import annotations

from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.editions.cipher import require_recipient
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.partners import codes
from vigil.hotline.partners.models import Partner, RecipientChange

REASON_CHARACTERS: Final = Limit(300, "characters", "a reason in the audit log is a sentence")


def check_propose_recipient(person: Person, partner: Partner, recipient: str, reason: str) -> None:
    """A key that is one, that this partner never had and that no other one has; and a reason."""
    must(person, Permission.PARTNER_KEY)
    require_recipient(recipient)
    if not reason.strip() or len(reason) > REASON_CHARACTERS.value:
        raise InputError("reason_missing", f"Say why, in up to {REASON_CHARACTERS.value} characters.", where="reason")
    if recipient == partner.recipient:
        raise InputError("recipient_same", "The partner has this key already.", where="recipient")
    if partner.recipient_changes.filter(before=recipient, approved=True).exists():
        raise InputError(
            "recipient_used", "The partner had this key before. It was replaced.", where="recipient", mend="Ask for a new one."
        )
    if Partner.objects.filter(recipient=recipient).exists():
        raise InputError("recipient_taken", "Another partner has this key: one of the two is a mix-up.", where="recipient")


def do_propose_recipient(
    person: Person, partner: Partner, recipient: str, reason: str, *, overlap: bool = False
) -> RecipientChange:
    """Put another key before a second person; until then everything stays as it is.

    Without ``overlap`` the key before reads nothing from the next edition on; with it, for 48 hours more.
    """
    with transaction.atomic():
        fresh = Partner.objects.select_for_update().get(pk=partner.pk)
        check_propose_recipient(person, fresh, recipient, reason)
        change = RecipientChange(
            partner=fresh, before=fresh.recipient, recipient=recipient, overlap=overlap, reason=reason.strip(),
            created_by=person.label,
        )  # fmt: skip
        try:
            with transaction.atomic():
                change.save(force_insert=True)
        except IntegrityError as error:
            raise RefusedError(
                "recipient_waits", "Another key of this partner waits for a second person.", mend="Have that decided first."
            ) from error
        record(person, codes.RECIPIENT_PROPOSED, change, partner=fresh.code, overlap=overlap, reason=change.reason)
    return change


def check_take_up_recipient(person: Person, change: RecipientChange) -> None:
    """A change that waits, was proposed by command, and has nobody at the console who answers for it yet."""
    must(person, Permission.PARTNER_KEY)
    _require_waiting(change)
    must_differ(person, {change.created_by}, "A key that was proposed by command")
    if not change.names_nobody:
        raise RefusedError("recipient_named", "Somebody answers for this proposal already.")


def do_take_up_recipient(person: Person, change: RecipientChange) -> RecipientChange:
    """Answer for a key that was proposed by command, as if one had proposed it: somebody else approves it."""
    with transaction.atomic():
        fresh = _locked(change)
        check_take_up_recipient(person, fresh)
        fresh.taken_up_by, fresh.taken_up_at = person.label, now()
        fresh.save(update_fields=["taken_up_by", "taken_up_at"])
        record(person, codes.RECIPIENT_TAKEN_UP, fresh, partner=fresh.partner.code)
    return fresh


def check_approve_recipient(person: Person, change: RecipientChange) -> None:
    """A change that waits and still fits, before somebody who neither proposed it nor took it up; somebody has."""
    must(person, Permission.PARTNER_APPROVE)
    _require_waiting(change)
    must_differ(person, {change.created_by, change.taken_up_by}, "Another key of a partner")
    if change.names_nobody:
        raise RefusedError(
            "recipient_names_nobody", "This key was proposed by command, which names nobody.",
            mend="Have a list publisher take it up first.",
        )  # fmt: skip
    if change.partner.recipient != change.before or Partner.objects.filter(recipient=change.recipient).exists():
        raise RefusedError("recipient_moved", "The keys of partners have changed since.", mend="Refuse this and propose it anew.")


def do_approve_recipient(person: Person, change: RecipientChange) -> RecipientChange:
    """Put the key into the partner's row. Editions follow with the next one: see :mod:`vigil.hotline.lists.recipients`."""
    with transaction.atomic():
        fresh = _locked(change)
        check_approve_recipient(person, fresh)
        _decide(person, fresh, approved=True)
        Partner.objects.filter(pk=fresh.partner_id).update(recipient=fresh.recipient)
        record(person, codes.RECIPIENT_APPROVED, fresh, partner=fresh.partner.code, overlap=fresh.overlap)
    fresh.partner.refresh_from_db()
    return fresh


def check_refuse_recipient(person: Person, change: RecipientChange) -> None:
    """A change that waits. One person is enough, also the one who proposed it: it gives nothing away."""
    must(person, Permission.PARTNER_STOP)
    _require_waiting(change)


def do_refuse_recipient(person: Person, change: RecipientChange) -> RecipientChange:
    """Leave the key as it is."""
    with transaction.atomic():
        fresh = _locked(change)
        check_refuse_recipient(person, fresh)
        _decide(person, fresh, approved=False)
        record(person, codes.RECIPIENT_REFUSED, fresh, partner=fresh.partner.code)
    return fresh


def changes_waiting() -> QuerySet[RecipientChange]:
    """Keys that a second person has to look at."""
    return RecipientChange.objects.select_related("partner").filter(approved=None).order_by("created_at")


def ended_keys() -> dict[str, frozenset[str]]:
    """By code of the partner, the keys that must not read anything new: those before the last change without an overlap."""
    ended: dict[str, frozenset[str]] = {}
    before: dict[str, set[str]] = {}
    rows = RecipientChange.objects.filter(approved=True).order_by("decided_at", "created_at")
    for code, key, overlap in rows.values_list("partner__code", "before", "overlap"):
        before.setdefault(code, set()).add(key)
        if not overlap:
            ended[code] = frozenset(before[code])
    return ended


def _decide(person: Person, change: RecipientChange, *, approved: bool) -> None:
    change.approved, change.decided_by, change.decided_at = approved, person.label, now()
    change.save(update_fields=["approved", "decided_by", "decided_at"])


def _require_waiting(change: RecipientChange) -> None:
    if change.approved is not None:
        raise RefusedError("recipient_decided", "This is decided already.")


def _locked(change: RecipientChange) -> RecipientChange:
    found: RecipientChange = (
        RecipientChange.objects.select_for_update(of=("self", "partner")).select_related("partner").get(pk=change.pk)
    )
    return found

"""Taking an entry off: at once by one person, because a wrong block is a harm; reviewed by another one afterwards."""

from __future__ import annotations

from django.db import transaction

from vigil.base.errors import RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.actions import name_of
from vigil.hotline.lists.enumerations import RemovedReason
from vigil.hotline.lists.models import ListEntry


def check_withdraw_entry(person: Person, entry: ListEntry) -> None:
    """An entry in force, by who may withdraw."""
    must(person, Permission.ENTRY_WITHDRAW)
    if entry.tombstone:
        raise RefusedError("entry_withdrawn", "This entry is withdrawn already.")


def do_withdraw_entry(person: Person, entry: ListEntry, reason: RemovedReason) -> ListEntry:
    """Withdraw an entry: it is absent from the next edition. A second person reviews it later."""
    with transaction.atomic():
        fresh = ListEntry.objects.select_for_update(of=("self",)).select_related("list").get(pk=entry.pk)
        check_withdraw_entry(person, fresh)
        return take_off(person, fresh, reason, review_due=reason is not RemovedReason.APPEAL_UPHELD)


def take_off(person: Person, entry: ListEntry, reason: RemovedReason, *, review_due: bool) -> ListEntry:
    """Turn a locked entry into a tombstone; inside the caller's transaction, after the caller's checks."""
    entry.tombstone, entry.review_due = True, review_due
    entry.removed_at, entry.removed_by, entry.removed_reason = now(), person.label, reason.value
    entry.save(update_fields=["tombstone", "review_due", "removed_at", "removed_by", "removed_reason"])
    record(person, codes.ENTRY_WITHDRAWN, name_of(entry), list=entry.list.name, reason=reason.value)
    return entry


def check_review_withdrawal(person: Person, entry: ListEntry) -> None:
    """A withdrawal that waits for review, by another person than who withdrew it."""
    must(person, Permission.WITHDRAWAL_REVIEW)
    if not entry.review_due:
        raise RefusedError("no_review_due", "This withdrawal waits for no review.")
    must_differ(person, {entry.removed_by}, "The review of a withdrawal")


def do_review_withdrawal(person: Person, entry: ListEntry) -> ListEntry:
    """Note that a second person looked at a withdrawal and agrees. Who disagrees reopens the case instead."""
    with transaction.atomic():
        fresh = ListEntry.objects.select_for_update().get(pk=entry.pk)
        check_review_withdrawal(person, fresh)
        fresh.review_due, fresh.reviewed_at, fresh.reviewed_by = False, now(), person.label
        fresh.save(update_fields=["review_due", "reviewed_at", "reviewed_by"])
        record(person, codes.WITHDRAWAL_REVIEWED, name_of(fresh))
    return fresh

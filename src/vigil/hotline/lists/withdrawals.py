"""Taking an entry off: at once by one person, because a wrong block is a harm; reviewed by another one afterwards. By policy,
where nothing is wrong with it, by two people before it happens."""

from __future__ import annotations

from django.db import transaction

from vigil.base.errors import RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import OFFICE, Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.approvals.actions import do_request, spend
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.actions import name_of
from vigil.hotline.lists.enumerations import HeldReason, RemovedReason
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.lists.queries import people_behind


def check_withdraw_entry(person: Person, entry: ListEntry) -> None:
    """An entry in force, by who may withdraw."""
    must(person, Permission.ENTRY_WITHDRAW)
    if entry.tombstone:
        raise RefusedError("entry_withdrawn", "This entry is withdrawn already.")


def do_withdraw_entry(person: Person, entry: ListEntry, reason: RemovedReason) -> ListEntry:
    """Withdraw an entry, and ask for an edition without it at once. A second person reviews it later."""
    if reason is RemovedReason.POLICY:
        raise RefusedError("approval_missing", "Taking an entry off by policy needs a second person first.", mend="Ask for one.")
    with transaction.atomic():
        fresh = ListEntry.objects.select_for_update(of=("self",)).select_related("list").get(pk=entry.pk)
        check_withdraw_entry(person, fresh)
        return take_off(person, fresh, reason, review_due=reason is not RemovedReason.APPEAL_UPHELD)


def take_off(person: Person, entry: ListEntry, reason: RemovedReason, *, review_due: bool) -> ListEntry:
    """Turn a locked entry into a tombstone and ask for an edition; inside the caller's transaction, after the caller's checks."""
    entry.tombstone, entry.review_due = True, review_due
    entry.removed_at, entry.removed_by, entry.removed_reason = now(), person.label, reason.value
    entry.save(update_fields=["tombstone", "review_due", "removed_at", "removed_by", "removed_reason"])
    record(person, codes.ENTRY_WITHDRAWN, name_of(entry), list=entry.list.name, reason=reason.value)
    do_request_publication(OFFICE)
    return entry


def again_in_force(person: Person, entry: ListEntry) -> ListEntry | None:
    """List again what a tombstone held, under a new number; None where it is listed anyhow. Inside the caller's transaction."""
    if ListEntry.objects.filter(list=entry.list, digest=entry.digest, tombstone=False).exists():
        return None
    made = ListEntry.objects.create(
        list=entry.list, signal=entry.signal, scope=entry.scope, flags=entry.flags, algorithm=entry.algorithm,
        content=entry.content.open(), digest=entry.digest, reason=entry.reason, labels=entry.labels,
        jurisdictions=entry.jurisdictions, decision=entry.decision, added_by=entry.added_by, expires_at=entry.expires_at,
    )  # fmt: skip
    record(
        person, codes.ENTRY_ADDED, name_of(made), list=entry.list.name, signal=made.signal, scope=made.scope, reason=made.reason
    )
    return made


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


# ---- by policy: nothing is wrong with the entry, so that it can wait for a second person


def do_ask_delisting(person: Person, entry: ListEntry, reason: str) -> ApprovalRequest:
    """Ask a second person to approve taking an entry off by policy; nobody who had part in listing it may."""
    check_withdraw_entry(person, entry)
    return do_request(person, TwoPersonAct.POLICY_DELISTING, name_of(entry), reason, behind=people_behind([entry]))


def do_delist(person: Person, entry: ListEntry) -> ListEntry:
    """Take an entry off by policy, as a second person approved; nobody reviews it afterwards."""
    with transaction.atomic():
        fresh = _locked(entry)
        check_withdraw_entry(person, fresh)
        spend(person, TwoPersonAct.POLICY_DELISTING, name_of(fresh))
        return take_off(person, fresh, RemovedReason.POLICY, review_due=False)


# ---- guarded entries


def check_approve_entry(person: Person, entry: ListEntry) -> None:
    """A guarded entry that waits, before somebody who took no part in listing it."""
    must(person, Permission.WIDE_SCOPE_APPROVE)
    if not entry.approval_due or entry.tombstone:
        raise RefusedError("no_approval_due", "This entry waits for no approval.")
    must_differ(person, people_behind([entry]), "A guarded entry")


def do_approve_entry(person: Person, entry: ListEntry) -> ListEntry:
    """Let a guarded entry take effect with the next edition."""
    with transaction.atomic():
        fresh = _locked(entry)
        check_approve_entry(person, fresh)
        fresh.approval_due, fresh.approved_at, fresh.approved_by = False, now(), person.label
        fresh.save(update_fields=["approval_due", "approved_at", "approved_by"])
        record(person, codes.ENTRY_APPROVED, name_of(fresh), guards=",".join(fresh.guards))
    return fresh


def do_refuse_entry(person: Person, entry: ListEntry) -> ListEntry:
    """Refuse a guarded entry: it never took effect and becomes a tombstone."""
    with transaction.atomic():
        fresh = _locked(entry)
        check_approve_entry(person, fresh)
        record(person, codes.ENTRY_REFUSED, name_of(fresh), guards=",".join(fresh.guards))
        return take_off(person, fresh, RemovedReason.RISK, review_due=False)


# ---- entries that are held back


def check_hold_entry(person: Person, entry: ListEntry) -> None:
    """An entry in force that is not held, by who may hold it."""
    must(person, Permission.ENTRY_HOLD)
    if entry.tombstone or entry.held_at is not None:
        raise RefusedError("entry_not_in_force", "This entry is withdrawn or held already.")


def do_hold_entry(person: Person, entry: ListEntry, reason: HeldReason, number: int = 0) -> ListEntry:
    """Hold an entry back: it leaves with an edition that is asked for at once, and waits for a person's decision.

    ``number`` is how many matches made it suspicious, where that was the reason.
    """
    with transaction.atomic():
        fresh = _locked(entry)
        check_hold_entry(person, fresh)
        fresh.held_at, fresh.held_by, fresh.held_reason = now(), person.label, reason.value
        fresh.save(update_fields=["held_at", "held_by", "held_reason"])
        record(person, codes.ENTRY_HELD, name_of(fresh), reason=reason.value, number=number)
        do_request_publication(OFFICE)
    return fresh


def check_release_entry(person: Person, entry: ListEntry) -> None:
    """A held entry, by another person than who held it: letting it go again adds to a list."""
    must(person, Permission.ENTRY_HOLD)
    if entry.held_at is None or entry.tombstone:
        raise RefusedError("entry_not_held", "This entry is not held back.")
    must_differ(person, {entry.held_by}, "Letting a held entry go")


def do_release_entry(person: Person, entry: ListEntry) -> ListEntry:
    """Let a held entry go: it is in the next edition again."""
    with transaction.atomic():
        fresh = _locked(entry)
        check_release_entry(person, fresh)
        fresh.held_at, fresh.held_by, fresh.held_reason, fresh.approved_at = None, "", "", now()
        fresh.save(update_fields=["held_at", "held_by", "held_reason", "approved_at"])
        record(person, codes.ENTRY_RELEASED, name_of(fresh))
    return fresh


def _locked(entry: ListEntry) -> ListEntry:
    return ListEntry.objects.select_for_update(of=("self",)).select_related("list").get(pk=entry.pk)

"""Changing what an entry says beside what it covers: labels, jurisdictions, expiry. What it covers is another entry.

Every change looks again at everything that a listing looks at: the allow list, the guards, the policy of the list. Making an
entry reach further, in time or in jurisdictions, takes another person than those who listed it; making it reach less takes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.redaction import Sealed
from vigil.editions.model import ListInfo, ListKind, require_labels
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import OFFICE, Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.actions import name_of
from vigil.hotline.lists.enumerations import EntryReason, Signal
from vigil.hotline.lists.guards import guards_on, is_wide, require_not_allowed
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.proposals import HashProposal, Proposal, UrlProposal
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.lists.queries import people_behind
from vigil.match.urls import EntryFlag, Scope

_CHANGED: Final = ("labels", "jurisdictions", "expires_at")
_GUARDED: Final = ("guards", "approval_due", "approved_at", "approved_by")


@dataclass(frozen=True, slots=True)
class EntryChange:
    """What the entry is to say from now on. ``jurisdictions`` none: every one. ``expires_at`` None: never."""

    labels: tuple[str, ...]
    jurisdictions: tuple[str, ...]
    expires_at: datetime | None


def check_change_entry(person: Person, entry: ListEntry) -> None:
    """An entry that is not withdrawn, by who decides on listings; of a whole host by who may list one."""
    must(person, Permission.LISTING_DECIDE)
    if entry.tombstone:
        raise RefusedError("entry_withdrawn", "This entry is withdrawn already.")
    proposal = _proposal(entry)
    if proposal is not None and is_wide(proposal):
        must(person, Permission.WIDE_SCOPE_APPROVE)


def do_change_entry(person: Person, entry: ListEntry, change: EntryChange) -> ListEntry:
    """Change an entry; with the next edition, or with one that is asked for at once where it reaches less than before.

    A guard that was not there at the listing makes it wait for a second approver, out of editions, like a new entry.
    """
    with transaction.atomic():
        fresh = ListEntry.objects.select_for_update(of=("self",)).select_related("list", "decision").get(pk=entry.pk)
        check_change_entry(person, fresh)
        _check_terms(fresh, change)
        if _reaches_further(fresh, change):
            must_differ(person, people_behind([fresh]), "Making an entry reach further")
        guards = _recheck(person, fresh)
        narrower, what = _reaches_less(fresh, change), _differences(fresh, change)
        fresh.labels, fresh.jurisdictions = list(require_labels(change.labels)), sorted(set(change.jurisdictions))
        fresh.expires_at = change.expires_at
        fresh.save(update_fields=[*_CHANGED, *_GUARDED])
        record(person, codes.ENTRY_CHANGED, name_of(fresh), what=",".join(what), guards=",".join(guards))
        if narrower or guards:
            do_request_publication(OFFICE)
    return fresh


def _check_terms(entry: ListEntry, change: EntryChange) -> None:
    """Known jurisdictions within those of the list, an end that lies ahead and within what the list allows."""
    ListInfo("x", ListKind.URL.value, change.jurisdictions)  # refuses what is no jurisdiction
    require_labels(change.labels)
    allowed = set(entry.list.jurisdictions)
    if allowed and (not change.jurisdictions or not set(change.jurisdictions) <= allowed):
        raise InputError("jurisdictions_wide", "The list is not kept for all of these jurisdictions.", where="jurisdictions")
    if change.expires_at is not None and change.expires_at <= now():
        raise InputError("expiry_past", "This end has passed.", where="expires", mend="Withdraw the entry instead.")
    longest = entry.list.default_days
    if longest is not None and (change.expires_at is None or change.expires_at > now() + timedelta(days=longest)):
        raise InputError("expiry_late", f"Entries of this list end within {longest} days.", where="expires")


def _recheck(person: Person, entry: ListEntry) -> list[str]:
    """Look at the allow list and the guards again; gives the guards that are new, which wait for a second approver."""
    proposal = _proposal(entry)
    if proposal is None:
        return []
    require_not_allowed(proposal)
    found = [guard.value for guard in guards_on(person, proposal, EntryReason(entry.reason))]
    new = [guard for guard in found if guard not in entry.guards]
    if new:
        entry.guards = [*entry.guards, *new]
        entry.approval_due, entry.approved_at, entry.approved_by = True, None, ""
    return new


def _proposal(entry: ListEntry) -> Proposal | None:
    """What the entry covers, as it was proposed; None for a word, which has no guards."""
    content, labels = Sealed(entry.content.open()), tuple(entry.labels)
    if entry.signal == Signal.URL:
        return UrlProposal(content, Scope(entry.scope), EntryFlag(entry.flags), labels)
    return HashProposal(entry.algorithm, content, labels=labels) if entry.signal == Signal.HASH else None


def _reaches_further(entry: ListEntry, change: EntryChange) -> bool:
    later = entry.expires_at is not None and (change.expires_at is None or change.expires_at > entry.expires_at)
    return later or _wider(set(entry.jurisdictions), set(change.jurisdictions))


def _reaches_less(entry: ListEntry, change: EntryChange) -> bool:
    sooner = change.expires_at is not None and (entry.expires_at is None or change.expires_at < entry.expires_at)
    return sooner or _wider(set(change.jurisdictions), set(entry.jurisdictions))


def _wider(before: set[str], after: set[str]) -> bool:
    """Whether ``after`` has a jurisdiction that ``before`` has not; none at all are every one."""
    return bool(before) and (not after or not after <= before)


def _differences(entry: ListEntry, change: EntryChange) -> list[str]:
    found = {
        "labels": set(entry.labels) != set(change.labels),
        "jurisdictions": set(entry.jurisdictions) != set(change.jurisdictions),
        "expiry": entry.expires_at != change.expires_at,
    }
    if not any(found.values()):
        raise InputError("nothing_changed", "Nothing was changed.", where="labels")
    return [name for name, differs in found.items() if differs]

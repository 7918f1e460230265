"""What imported entries are used for: nothing, until two people say so, source by source.

``match``  entries are shown on the case page, so that nobody looks at what a partner has assessed already
``list``   fingerprints of named types become entries of one of our lists, as partner-assessed; when the source takes one back,
           or the policy ends, our entry goes as well
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from vigil.base.errors import InputError, RefusedError, VigilError
from vigil.base.redaction import Sealed
from vigil.editions.model import ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import WORKER, Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.prepared import Prepared
from vigil.hotline.audit.actions import record
from vigil.hotline.audit.codes import define
from vigil.hotline.lists import codes
from vigil.hotline.lists.actions import expiry_of, name_of
from vigil.hotline.lists.enumerations import EntryReason, RemovedReason
from vigil.hotline.lists.exchange.models import ImportedListing, ImportPolicy, PolicyUse
from vigil.hotline.lists.guards import require_not_allowed
from vigil.hotline.lists.models import List, ListEntry
from vigil.hotline.lists.placement import KINDS_FOR
from vigil.hotline.lists.proposals import HashProposal
from vigil.hotline.lists.withdrawals import take_off
from vigil.hotline.partners.sources.models import ImportedEntry, ImportedFingerprint, Source
from vigil.hotline.partners.sources.queries import kept_of

AT_ONCE: Final = 500
PROPOSED: Final = define("import_policy.proposed", "A use of imported entries was proposed.", "source", "use", "list")
APPROVED: Final = define("import_policy.approved", "A use of imported entries was approved.", "source", "use", "list")
ENDED: Final = define("import_policy.ended", "A use of imported entries was ended.", "source", "use", "list")
APPLIED: Final = define(
    "import_policy.applied", "Imported entries were listed or let go by policy.", "source", "added", "removed"
)


def check_propose_policy(person: Person, use: PolicyUse, target: List | None, algorithms: tuple[str, ...]) -> None:
    """Refuse a list that cannot hold hashes, and listing without saying which types."""
    must(person, Permission.PARTNER_PROPOSE)
    if use is PolicyUse.MATCH:
        if target is not None:
            raise InputError("policy_list", "Matching names no list.", where="list")
        return
    if target is None or not algorithms:
        raise InputError("policy_list", "Listing names a list and the types of fingerprints.", where="list")
    if ListKind(target.kind) not in KINDS_FOR[HashProposal("md5", Sealed("")).signal]:
        raise InputError("list_of_other_kind", "This list does not hold hashes.", where="list")


def do_propose_policy(
    person: Person, source: Source, use: PolicyUse, *, target: List | None = None, algorithms: tuple[str, ...] = ()
) -> ImportPolicy:
    """Propose what entries of ``source`` are used for; nothing changes until somebody else approves."""
    check_propose_policy(person, use, target, algorithms)
    with transaction.atomic():
        made = ImportPolicy.objects.create(
            source=source, use=use.value, list=target, algorithms=sorted(set(algorithms)), created_by=person.label
        )
        record(person, PROPOSED, made, **_about(made))
    return made


def check_approve_policy(person: Person, policy: ImportPolicy) -> None:
    """Refuse the proposer, and what is decided."""
    must(person, Permission.PARTNER_APPROVE)
    must_differ(person, {policy.created_by}, "A use of imported entries")
    if policy.approved_at is not None or policy.ended_at is not None:
        raise RefusedError("policy_decided", "This proposal is decided already.")


def do_approve_policy(person: Person, policy: ImportPolicy) -> ImportPolicy:
    """Bring a proposed use into force, as the second person. One use of each kind is in force for a source and a list."""
    try:
        with transaction.atomic():
            held = ImportPolicy.objects.select_for_update(of=("self",)).get(pk=policy.pk)
            check_approve_policy(person, held)
            held.approved_at, held.approved_by = now(), person.label
            held.save(update_fields=["approved_at", "approved_by"])
            record(person, APPROVED, held, **_about(held))
    except IntegrityError as error:
        raise RefusedError("policy_in_force", "Such a use is in force already.", mend="End that one first.") from error
    return held


def do_end_policy(person: Person, policy: ImportPolicy) -> ImportPolicy:
    """End a use at once; one person is enough. What it listed is let go by the worker."""
    must(person, Permission.PARTNER_STOP)
    with transaction.atomic():
        held = ImportPolicy.objects.select_for_update(of=("self",)).get(pk=policy.pk)
        if held.ended_at is None:
            held.ended_at, held.ended_by = now(), person.label
            held.save(update_fields=["ended_at", "ended_by"])
            record(person, ENDED, held, **_about(held))
    return held


def in_force(use: PolicyUse) -> QuerySet[ImportPolicy]:
    """Uses that two people agreed on and nobody ended."""
    return ImportPolicy.objects.filter(use=use.value, approved_at__isnull=False, ended_at=None).select_related("source", "list")


_TO_MATCH: Final = Prepared(ImportPolicy, lambda: in_force(PolicyUse.MATCH))


def sources_to_match() -> list[Source]:
    """Sources whose entries are shown before anybody looks."""
    return [policy.source for policy in _TO_MATCH.all()]


def apply_all() -> int:
    """Bring our lists in line with every policy; gives how many entries came or went. Run by the worker."""
    must(WORKER, Permission.SOURCE_FETCH)
    return sum(_apply(policy) for policy in in_force(PolicyUse.LIST)) + _let_go()


def _apply(policy: ImportPolicy) -> int:
    number = 0
    for some in _batches(policy):
        with transaction.atomic():
            added = sum(_list(policy, *each) for each in some)
            if added:
                record(WORKER, APPLIED, policy, source=policy.source.name, added=added, removed=0)
        number += added
        if not added:
            break
    return number


def _batches(policy: ImportPolicy) -> Iterator[list[tuple[ImportedEntry, str, str]]]:
    """(entry, type, value) of what is not listed yet, a batch at a time."""
    fresh = ImportedFingerprint.objects.filter(
        entry__source=policy.source, entry__gone=False, algorithm__in=policy.algorithms
    ).exclude(entry__listings__policy=policy)  # fmt: skip
    while True:
        pks = list(fresh.order_by("entry_id").values_list("entry_id", flat=True).distinct()[:AT_ONCE])
        if not pks:
            return
        entries = ImportedEntry.objects.filter(pk__in=pks).select_related("page")
        yield [
            (entry, name, value)
            for entry, kept in kept_of(entries)
            for name, value in kept.fingerprints
            if name in policy.algorithms
        ]


def _list(policy: ImportPolicy, imported: ImportedEntry, algorithm: str, value: str) -> int:
    """List one fingerprint, or note why not; gives 1 where it was dealt with."""
    target = policy.list
    if target is None:
        return 0
    proposal = HashProposal(algorithm, Sealed(value))
    entry: ListEntry | None = None
    why = ""
    try:
        require_not_allowed(proposal)
        digest = proposal.digest()
        if ListEntry.objects.filter(list=target, digest=digest, tombstone=False).exists():
            why = "listed_already"
    except VigilError as error:
        why = error.code
    if not why:
        entry = ListEntry.objects.create(
            list=target, signal=proposal.signal.value, algorithm=algorithm, content=proposal.content(), digest=digest,
            reason=EntryReason.PARTNER_ASSESSED.value, jurisdictions=target.jurisdictions, added_by=policy.created_by,
            approved_by=policy.approved_by, approved_at=now(), expires_at=expiry_of(target),
        )  # fmt: skip
        record(
            WORKER, codes.ENTRY_ADDED, name_of(entry), list=target.name, signal=entry.signal, scope="", reason=entry.reason
        )
    ImportedListing.objects.create(policy=policy, imported=imported, algorithm=algorithm, entry=entry, why_not=why[:60])
    return 1


def _let_go() -> int:
    """Withdraw what the source took back, and what an ended policy had listed."""
    number = 0
    standing = ImportedListing.objects.filter(entry__tombstone=False).select_related("entry__list", "policy__source")
    for listing in [*standing.filter(imported__gone=True), *standing.filter(policy__ended_at__isnull=False)]:
        with transaction.atomic():
            held = ListEntry.objects.select_for_update(of=("self",)).select_related("list").get(imported_from=listing)
            if not held.tombstone:
                take_off(WORKER, held, RemovedReason.ERROR, review_due=True)
                record(WORKER, APPLIED, listing.policy, source=listing.policy.source.name, added=0, removed=1)
                number += 1
    ImportedListing.objects.filter(imported__gone=True, entry=None).delete()
    return number


def _about(policy: ImportPolicy) -> dict[str, str]:
    return {"source": policy.source.name, "use": policy.use, "list": policy.list.name if policy.list else ""}

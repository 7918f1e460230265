"""What comes back about entries: partners' votes, the allow list, and entries that suddenly match far too much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.redaction import Sealed
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import OFFICE, Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.actions import name_of
from vigil.hotline.lists.enumerations import HeldReason, Opinion, RemovedReason, Signal, VoteReason
from vigil.hotline.lists.models import AllowEntry, ListEntry, Vote
from vigil.hotline.lists.proposals import HashProposal, Proposal, UrlProposal, digests_covering
from vigil.hotline.lists.withdrawals import do_hold_entry, take_off
from vigil.hotline.partners.models import Node
from vigil.match.urls import Scope, canonical

FLOOD_FACTOR: Final = 20
"""How many times its usual hour an entry may match before it is a flood."""
DISPUTES: Final = 2
"""Partners who must reject an entry, with none confirming it, before it is held back for a person to look at."""

REASONS: Final[dict[Opinion, frozenset[VoteReason]]] = {
    Opinion.CONFIRM: frozenset({VoteReason.SEEN_AND_AGREED}),
    Opinion.REJECT: frozenset(VoteReason) - {VoteReason.SEEN_AND_AGREED},
}


# ---- votes


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a node says about an entry, by the hotline's own number."""

    entry: int
    edition: int
    opinion: Opinion
    reason: VoteReason


def check_vote(node: Node, ballot: Ballot) -> ListEntry:
    """An entry that is not withdrawn, and a reason that fits the opinion."""
    must(node, Permission.VOTE_SEND)
    if ballot.reason not in REASONS[ballot.opinion]:
        raise InputError("vote_reason", "This reason does not fit the opinion.", where="reason")
    entry = ListEntry.objects.select_related("list").filter(pk=ballot.entry).first()
    if entry is None:
        raise InputError("entry_unknown", "There is no entry of that number.", where="entry")
    if entry.tombstone:
        raise RefusedError("entry_withdrawn", "This entry is withdrawn already; nothing needs to be said about it.")
    return entry


def do_vote(node: Node, ballot: Ballot) -> bool:
    """Keep a vote; True where it says something new. The newest vote of a node counts; entries that several partners
    reject and none confirms are held back until a person has decided."""
    entry = check_vote(node, ballot)
    with transaction.atomic():
        Node.objects.select_for_update().get(pk=node.pk)  # one vote of a node at a time: the same twice stays one
        last = Vote.objects.filter(node=node, entry=entry).order_by("-created_at", "-pk").first()
        if last is not None and (last.opinion, last.reason) == (ballot.opinion, ballot.reason):
            return False
        Vote.objects.create(
            node=node, partner=node.partner, entry=entry, opinion=ballot.opinion.value, reason=ballot.reason.value,
            edition=ballot.edition, created_by=node.label,
        )  # fmt: skip
        record(node, codes.VOTED, name_of(entry), entry=entry.number, opinion=ballot.opinion.value, reason=ballot.reason.value)
        _hold_if_disputed(entry)
    return True


def _hold_if_disputed(entry: ListEntry) -> None:
    found = tally(entry)
    if found.rejected >= DISPUTES and not found.confirmed and entry.held_at is None and not entry.approval_due:
        do_hold_entry(OFFICE, entry, HeldReason.DISPUTED, found.rejected)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many partners confirm and reject an entry; the nodes of one partner are one voice. ``reasons`` of the rejections."""

    confirmed: int
    rejected: int
    reasons: dict[str, int]


def tally(entry: ListEntry) -> Tally:
    """The votes that count, one for each partner: its newest."""
    newest: dict[str, Vote] = {}
    for vote in Vote.objects.filter(entry=entry).select_related("node").order_by("created_at", "pk"):
        newest[vote.partner or f"node:{vote.node_id}"] = vote
    opinions = Counter(vote.opinion for vote in newest.values())
    reasons = Counter(vote.reason for vote in newest.values() if vote.opinion == Opinion.REJECT)
    return Tally(opinions[Opinion.CONFIRM], opinions[Opinion.REJECT], dict(sorted(reasons.items())))


# ---- the allow list


def check_allow(person: Person, proposal: Proposal, why: str) -> None:
    """Something that can be on a list, with a reason."""
    must(person, Permission.ENTRY_WITHDRAW)
    if not why.strip() or len(why) > 300:
        raise InputError("why_missing", "Say why, in up to 300 characters.", where="why")
    if AllowEntry.objects.filter(digest=proposal.digest(), ended_at=None).exists():
        raise RefusedError("allowed_already", "This stands on the allow list already.")


def do_allow(person: Person, proposal: Proposal, why: str) -> tuple[AllowEntry, int]:
    """Put something on the allow list; entries that it covers are withdrawn at once. Gives the row and how many.

    A whole host on the allow list covers each page of it: entries below it go too.
    """
    check_allow(person, proposal, why)
    with transaction.atomic():
        row = AllowEntry.objects.create(
            signal=proposal.signal.value, content=proposal.content(), digest=proposal.digest(), why=why.strip(),
            scope=proposal.scope.value if isinstance(proposal, UrlProposal) else "",
            algorithm=proposal.algorithm if isinstance(proposal, HashProposal) else "", created_by=person.label,
        )  # fmt: skip
        entries = _covered(row)
        for entry in entries:
            take_off(person, entry, RemovedReason.ERROR, review_due=True)
        record(person, codes.ALLOWED, row, signal=row.signal, scope=row.scope, taken_off=len(entries))
    return row, len(entries)


def _covered(row: AllowEntry) -> list[ListEntry]:
    alive = ListEntry.objects.select_for_update(of=("self",)).select_related("list").filter(tombstone=False)
    if row.signal == Signal.HASH or row.scope in (Scope.URL, Scope.PAGE):
        return list(alive.filter(digest=row.digest))
    pages = alive.filter(signal=Signal.URL.value).iterator(chunk_size=2000)
    return [entry for entry in pages if row.digest in digests_covering(canonical(entry.content.open()))]


def check_review_allow(person: Person, row: AllowEntry) -> None:
    """A row that waits for a second person."""
    must(person, Permission.WITHDRAWAL_REVIEW)
    if not row.review_due or row.ended_at is not None:
        raise RefusedError("no_review_due", "This row waits for no review.")
    must_differ(person, {row.created_by}, "The review of the allow list")


def do_review_allow(person: Person, row: AllowEntry) -> AllowEntry:
    """Note that a second person agrees."""
    with transaction.atomic():
        fresh = AllowEntry.objects.select_for_update().get(pk=row.pk)
        check_review_allow(person, fresh)
        fresh.review_due, fresh.reviewed_by, fresh.reviewed_at = False, person.label, now()
        fresh.save(update_fields=["review_due", "reviewed_by", "reviewed_at"])
        record(person, codes.ALLOW_REVIEWED, fresh)
    return fresh


def check_end_allow(person: Person, row: AllowEntry) -> None:
    """A row in force, by who may review it and did not make it: what it covers can be listed again then."""
    must(person, Permission.WITHDRAWAL_REVIEW)
    if row.ended_at is not None:
        raise RefusedError("allow_ended", "This row is ended already.")
    must_differ(person, {row.created_by}, "Ending a row of the allow list")


def do_end_allow(person: Person, row: AllowEntry) -> AllowEntry:
    """End a row. What it took off stays off until somebody lists it anew."""
    with transaction.atomic():
        fresh = AllowEntry.objects.select_for_update().get(pk=row.pk)
        check_end_allow(person, fresh)
        fresh.ended_by, fresh.ended_at = person.label, now()
        fresh.save(update_fields=["ended_by", "ended_at"])
        record(person, codes.ALLOW_ENDED, fresh)
    return fresh


def allow_proposal(signal: Signal, text: str, scope: Scope = Scope.URL, algorithm: str = "sha256") -> Proposal:
    """What a person typed, as a row of the allow list would cover it."""
    return UrlProposal(Sealed(text), scope) if signal is Signal.URL else HashProposal(algorithm, Sealed(text))


# ---- floods


def is_flood(entry: ListEntry, number: int, usual: Sequence[int]) -> bool:
    """Whether ``number`` matches of an entry in one hour are far too many, given what its hours usually had."""
    return number >= max(entry.list.flood_floor, FLOOD_FACTOR * median(usual) if usual else 0)


def do_hold_flood(entry: ListEntry, number: int) -> ListEntry | None:
    """Hold a flooding entry back; None where it is held or withdrawn already. A person decides what becomes of it."""
    if entry.held_at is not None or entry.tombstone:
        return None
    return do_hold_entry(OFFICE, entry, HeldReason.FLOOD, number)

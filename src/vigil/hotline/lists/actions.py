"""Deciding what is listed. The one who decides never assessed the case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.editions.marks import ADDRESSES
from vigil.editions.model import ListInfo, ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.approvals.actions import do_request, spend
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.assessments.queries import assessors_of
from vigil.hotline.assessments.queries import in_force as assessment_in_force
from vigil.hotline.assessments.reviewing import require_reviews_met
from vigil.hotline.audit.actions import record
from vigil.hotline.holds.enumerations import Stopped
from vigil.hotline.holds.gate import require_clear
from vigil.hotline.lists import codes
from vigil.hotline.lists.enumerations import ListingDecision, LivePolicy
from vigil.hotline.lists.guards import check_scope, guards_on, is_wide, reason_for, require_not_allowed
from vigil.hotline.lists.models import Decision, List, ListEntry
from vigil.hotline.lists.placement import KINDS_FOR, kinds_of, reason_of
from vigil.hotline.lists.proposals import HashProposal, Proposal, UrlProposal
from vigil.hotline.lists.queries import list_of_kind
from vigil.hotline.reports.actions import check_close, do_close, locked
from vigil.hotline.reports.enumerations import Outcome, Status
from vigil.hotline.reports.models import Media, Report

PROPOSALS: Final = Limit(600, "proposals", "one decision must be small enough for a person to have looked at")
EMERGENCY_LIFE: Final = timedelta(hours=24)
"""An emergency entry expires with the build after this, unless the usual decision lists it."""
AGAINST: Final = frozenset(
    {
        ListingDecision.DO_NOT_LIST_RISK,
        ListingDecision.DO_NOT_LIST_HOME_HOSTED,
        ListingDecision.DO_NOT_LIST_NOT_LIVE,
    }
)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a list is kept. See :class:`vigil.hotline.lists.models.List`; None means never or not asked for."""

    jurisdictions: tuple[str, ...] = ()
    max_distance: int = 31
    legal_basis: str = ""
    owner: str = ""
    live_hours: int | None = None
    live_policy: LivePolicy = LivePolicy.OFF
    default_days: int | None = None
    flood_floor: int = 1000


def check_policy(person: Person, name: str, kind: ListKind, policy: Policy) -> None:
    """Refuse a policy that an edition could not hold or that contradicts itself."""
    must(person, Permission.LIST_MANAGE)
    ListInfo(name, kind.value, policy.jurisdictions, policy.max_distance)
    if (policy.live_policy is LivePolicy.OFF) != (policy.live_hours is None):
        raise InputError("live_window", "A live re-check needs its window in hours, and a window its policy.", where="live_hours")
    if policy.live_hours is not None and kind not in ADDRESSES:
        raise InputError("live_of_addresses", "Only addresses can be looked at again.", where="live_hours")
    for value, most, where in ((policy.live_hours, 24 * 90, "live_hours"), (policy.default_days, 3660, "default_days")):
        if value is not None and not 0 < value <= most:
            raise InputError("period_wrong", f"Choose 1 to {most}.", where=where)
    if not 0 < policy.flood_floor <= 10**9:
        raise InputError("flood_floor", "Choose 1 to 1,000,000,000.", where="flood_floor")


def do_change_list(person: Person, target: List, policy: Policy) -> List:
    """Change how a list is kept; its name and its kind never change. The version of its policy goes up."""
    with transaction.atomic():
        fresh = List.objects.select_for_update().get(pk=target.pk)
        check_policy(person, fresh.name, ListKind(fresh.kind), policy)
        for field in fields(policy):
            setattr(fresh, field.name, _stored(getattr(policy, field.name)))
        version = int(fresh.policy_version) + 1 if fresh.policy_version.isdigit() else 1
        fresh.policy_version = str(version)
        fresh.save()
        record(person, codes.LIST_CHANGED, fresh, list=fresh.name, policy_version=fresh.policy_version)
    return fresh


def _stored(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value.value if isinstance(value, LivePolicy) else value


def do_create_list(
    person: Person,
    name: str,
    kind: ListKind,
    *,
    jurisdictions: Sequence[str] = (),
    max_distance: int = 31,
    policy: Policy | None = None,
) -> List:
    """Set up a list; its place in editions is after those that are there. ``policy`` takes the place of the two before it."""
    kept = policy or Policy(tuple(jurisdictions), max_distance)
    check_policy(person, name, kind, kept)
    with transaction.atomic():
        if List.objects.filter(name=name).exists():
            raise InputError("list_exists", "There is a list of that name already.", where="name")
        made = List.objects.create(
            name=name,
            kind=kind.value,
            position=List.objects.count(),
            **{field.name: _stored(getattr(kept, field.name)) for field in fields(kept)},
            created_by=person.label,
        )
        record(person, codes.LIST_CREATED, made, name=name, kind=kind.value)
    return made


def check_decide(person: Person, report: Report) -> Assessment:
    """The assessment a decision would rest on; refused to its assessors, and for a case that waits for no decision."""
    must(person, Permission.LISTING_DECIDE)
    assessment = assessment_in_force(report)
    if assessment is None or not assessment.found:
        raise RefusedError("nothing_to_list", "Nothing was found in this case that could be listed.")
    must_differ(person, assessors_of(report), "A listing decision")
    require_reviews_met(report)
    check_close(person, report, Outcome(assessment.outcome))
    return assessment


def check_list(person: Person, report: Report, proposals: Sequence[Proposal], wide_scope: str = "") -> Assessment:
    """Refuse unless this person may list all of ``proposals`` for this case, and no hold and no pending look stops it."""
    assessment = check_decide(person, report)
    require_clear(report, Stopped.LISTING)
    files = {proposal.media for proposal in proposals if isinstance(proposal, HashProposal) and proposal.media}
    require_reviews_met(report, Media.objects.filter(pk__in=files) if files else ())
    if not 0 < len(proposals) <= PROPOSALS.value:
        raise InputError("proposals_count", f"Choose 1 to {PROPOSALS.value} things to list.", where="entries")
    for proposal in proposals:
        check_scope(person, proposal, wide_scope)
        proposal.content()
        require_not_allowed(proposal)
    return assessment


def do_list(
    person: User,
    report: Report,
    proposals: Sequence[Proposal],
    *,
    wide_scope: str = "",
    expires_at: datetime | None = None,
) -> Decision:
    """List what was found in a case and conclude it as actioned, in one transaction with the audit rows.

    Each proposal goes to the lists that realism and AI status call for; what is in force there already stays as it is.
    """
    with transaction.atomic():
        fresh = locked(report)
        assessment = check_list(person, fresh, proposals, wide_scope)
        decision = _decide(person, assessment, ListingDecision.LIST, wide_scope=wide_scope)
        entries = [
            entry
            for proposal in proposals
            for kind in kinds_of(proposal.signal, assessment.realism, assessment.ai_status)
            if (entry := _add(person, decision, proposal, list_of_kind(kind), expires_at)) is not None
        ]
        record(
            person, codes.LISTING_DECIDED, decision, decision=decision.decision, entries=len(entries),
            wide_scope=any(map(is_wide, proposals)),
        )  # fmt: skip
        do_close(person, fresh, Outcome(assessment.outcome), Status.ACTIONED)
    return decision


def do_emergency_list(person: User, report: Report, proposals: Sequence[Proposal]) -> Decision:
    """List out of turn, before the planned looks, with a second person's approval; only what is narrow, and for a short time.

    The one who carries it out did not assess the case. The entries end after ``EMERGENCY_LIFE`` unless the usual decision
    lists them; the case stays where it is, so that the usual looks go on.
    """
    with transaction.atomic():
        fresh = locked(report)
        assessment = assessment_in_force(fresh)
        if assessment is None or not assessment.found:
            raise RefusedError("nothing_to_list", "Nothing was found in this case that could be listed.")
        must_differ(person, assessors_of(fresh), "An emergency listing")
        require_clear(fresh, Stopped.LISTING)
        if any(is_wide(proposal) for proposal in proposals) or not 0 < len(proposals) <= PROPOSALS.value:
            raise RefusedError("emergency_too_wide", "In an emergency only pages and files are listed.", where="entries")
        for proposal in proposals:
            require_not_allowed(proposal)
        spend(person, TwoPersonAct.LIST_EMERGENCY_ADD, fresh)
        decision = _decide(person, assessment, ListingDecision.LIST)
        until = now() + EMERGENCY_LIFE
        entries = [
            entry
            for proposal in proposals
            for kind in kinds_of(proposal.signal, assessment.realism, assessment.ai_status)
            if (entry := _add(person, decision, proposal, list_of_kind(kind), until)) is not None
        ]
        record(person, codes.EMERGENCY_LISTED, decision, entries=len(entries))
    return decision


def do_ask_emergency(person: Person, report: Report, reason: str) -> ApprovalRequest:
    """Ask a second person to approve listing a case out of turn; nobody who assessed it may."""
    return do_request(person, TwoPersonAct.LIST_EMERGENCY_ADD, report, reason, behind=assessors_of(report))


def do_decline(person: User, report: Report, decision: ListingDecision, risk_reason: str = "") -> Decision:
    """Decide against listing, which says nothing about legality, and conclude the case as actioned."""
    if decision not in AGAINST:
        raise InputError("decision_not_against", "This is not a decision against listing.", where="decision")
    if decision is ListingDecision.DO_NOT_LIST_RISK and not risk_reason.strip():
        raise InputError("risk_reason_missing", "Say what the risk is.", where="risk_reason")
    with transaction.atomic():
        fresh = locked(report)
        assessment = check_decide(person, fresh)
        made = _decide(person, assessment, decision, risk_reason=risk_reason)
        record(person, codes.LISTING_DECIDED, made, decision=made.decision, entries=0, wide_scope=False)
        do_close(person, fresh, Outcome(assessment.outcome), Status.ACTIONED)
    return made


def _decide(
    person: Person, assessment: Assessment, decision: ListingDecision, *, risk_reason: str = "", wide_scope: str = ""
) -> Decision:
    return Decision.objects.create(
        report=assessment.report,
        assessment=assessment,
        decision=decision.value,
        proposed_by=assessment.created_by,
        risk_reason=risk_reason or None,
        wide_scope=wide_scope or None,
        created_by=person.label,
    )


def _add(
    person: Person, decision: Decision, proposal: Proposal, target: List, expires_at: datetime | None
) -> ListEntry | None:
    """Add one entry; None where the list has it already."""
    digest = proposal.digest()
    there = ListEntry.objects.filter(list=target, digest=digest, tombstone=False)
    if there.exists():
        if expires_at is None:
            there.exclude(expires_at=None).update(expires_at=expiry_of(target), decision=decision)  # an emergency is confirmed
        return None
    if ListKind(target.kind) not in KINDS_FOR[proposal.signal]:
        raise InputError("list_of_other_kind", "This list holds entries of another kind.", where=target.name)
    reason = reason_for(proposal, reason_of(decision.assessment.realism))
    guards = guards_on(person, proposal, reason)
    entry = ListEntry.objects.create(
        list=target,
        signal=proposal.signal.value,
        scope=proposal.scope.value if isinstance(proposal, UrlProposal) else "",
        flags=int(proposal.flags) if isinstance(proposal, UrlProposal) else 0,
        algorithm=proposal.algorithm if isinstance(proposal, HashProposal) else "",
        content=proposal.content(),
        digest=digest,
        reason=reason.value,
        labels=list(proposal.labels),
        jurisdictions=target.jurisdictions,
        decision=decision,
        added_by=person.label,
        expires_at=expires_at or expiry_of(target),
        guards=[guard.value for guard in guards],
        approval_due=bool(guards),
    )
    record(
        person, codes.ENTRY_ADDED, name_of(entry), list=target.name, signal=entry.signal, scope=entry.scope,
        reason=entry.reason,
    )  # fmt: skip
    return entry


def expiry_of(target: List) -> datetime | None:
    """When a new entry of a list ends by itself."""
    return None if target.default_days is None else now() + timedelta(days=target.default_days)


def name_of(entry: ListEntry) -> str:
    """How the audit log names an entry."""
    return f"entry:{entry.number}"



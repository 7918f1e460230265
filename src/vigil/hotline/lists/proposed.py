"""Entries that rest on no case of ours: keywords, tests, domains, partners' findings. Proposed by one person with evidence,
listed by another. Keyword lists ship empty, and what is proposed lies sealed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.base.redaction import Sealed
from vigil.editions.model import ListKind, require_labels
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.sealing import matching_digest
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.actions import expiry_of, name_of
from vigil.hotline.lists.enumerations import EntryReason, ProposalState, Signal
from vigil.hotline.lists.guards import guards_on, is_public_suffix, is_wide, require_not_allowed
from vigil.hotline.lists.models import EntryProposal, List, ListEntry
from vigil.hotline.lists.placement import KINDS_FOR
from vigil.hotline.lists.proposals import HashProposal, UrlProposal
from vigil.match.index.keyword import KeywordMatcher
from vigil.match.keywords import Term, plain_text
from vigil.match.urls import EntryFlag, Scope, hosts_of

LIFE: Final = timedelta(days=7)
EVIDENCE_CHARACTERS: Final = Limit(10_000, "characters", "evidence is a reasoned paragraph or two")
RESERVED: Final = (".example", ".test", ".invalid")
REASONS: Final[dict[ListKind, frozenset[EntryReason]]] = {
    ListKind.KEYWORD: frozenset({EntryReason.EVIDENCE_OF_NEED}),
    ListKind.TEST: frozenset({EntryReason.TEST}),
}
USUAL: Final = frozenset({EntryReason.PARTNER_ASSESSED, EntryReason.DEDICATED_DOMAIN, EntryReason.LINKS_DEDICATED})


@dataclass(frozen=True, slots=True)
class KeywordProposal:
    """A word or phrase. ``group``: it counts only together with a term of another group of its list."""

    text: Sealed[str]
    language: str = ""
    whole_word: bool = True
    evasions: bool = True
    group: str = ""
    labels: tuple[str, ...] = ()
    signal: Signal = field(default=Signal.KEYWORD, init=False)

    def content(self) -> str:
        """The term; refused where it cannot be looked for."""
        term = self.text.open().strip()
        KeywordMatcher.build([Term(0, term, self.whole_word, self.language, self.evasions)])
        return term

    def digest(self) -> str:
        return matching_digest("entry-keyword", f"{self.group}\0{plain_text(self.content())}")

    def attributes(self) -> dict[str, Any]:
        return {"language": self.language, "whole_word": self.whole_word, "evasions": self.evasions, "group": self.group}


Proposed = UrlProposal | HashProposal | KeywordProposal


def reasons_for(kind: ListKind) -> frozenset[EntryReason]:
    """The reasons that an entry without a case may have on a list of this kind."""
    return REASONS.get(kind, USUAL)


def check_propose_entry(person: Person, target: List, proposed: Proposed, reason: EntryReason, evidence: str) -> None:
    """Refuse what the list cannot hold, a reason that is none there, and a proposal without evidence."""
    must(person, Permission.ENTRY_PROPOSE)
    kind = ListKind(target.kind)
    if kind not in KINDS_FOR[proposed.signal]:
        raise InputError("list_of_other_kind", "This list holds entries of another kind.", where="list")
    if reason not in reasons_for(kind):
        raise InputError("reason_of_other_kind", "An entry of this list has another reason.", where="reason")
    if not evidence.strip():
        raise InputError("evidence_missing", "Say what shows that it is needed, and how that was checked.", where="evidence")
    if len(evidence) > EVIDENCE_CHARACTERS.value:
        raise InputError("evidence_long", f"At most {EVIDENCE_CHARACTERS.value} characters.", where="evidence")
    require_labels(proposed.labels)
    proposed.content()
    if isinstance(proposed, UrlProposal):
        _check_address(proposed, kind)
    if not isinstance(proposed, KeywordProposal):
        require_not_allowed(proposed)
    if ListEntry.objects.filter(list=target, digest=proposed.digest(), tombstone=False).exists():
        raise RefusedError("listed_already", "The list has it already.")


def _check_address(proposed: UrlProposal, kind: ListKind) -> None:
    """Tests stand on reserved names or the hotline's own; no list has a suffix under which strangers live."""
    url = proposed.canonical()
    own = {*settings.CONFIG.lists.own_hosts, *settings.CONFIG.lists.canary_domains}
    if kind is ListKind.TEST and not url.host.endswith(RESERVED) and own.isdisjoint(hosts_of(url)):
        raise RefusedError(
            "test_not_ours", "A test entry must be harmless to everybody else.", where="address",
            mend="Use a name of your own (lists.own_hosts) or one below .example, .test or .invalid.",
        )  # fmt: skip
    if is_wide(proposed) and is_public_suffix(url):
        raise RefusedError("public_suffix", "This host is shared by strangers; it cannot be listed whole.", where="address")


def do_propose_entry(
    person: Person, target: List, proposed: Proposed, reason: EntryReason, evidence: str, *, expires_at: datetime | None = None
) -> EntryProposal:
    """Put an entry before a second person; it waits seven days."""
    check_propose_entry(person, target, proposed, reason, evidence)
    guards = () if isinstance(proposed, KeywordProposal) else guards_on(person, proposed, reason)
    with transaction.atomic():
        proposal = EntryProposal.objects.create(
            list=target, signal=proposed.signal.value, content=proposed.content(), labels=list(proposed.labels),
            scope=proposed.scope.value if isinstance(proposed, UrlProposal) else "",
            flags=int(proposed.flags) if isinstance(proposed, UrlProposal) else 0,
            algorithm=proposed.algorithm if isinstance(proposed, HashProposal) else "",
            attributes=proposed.attributes() if isinstance(proposed, KeywordProposal) else {},
            reason=reason.value, evidence=evidence.strip(), guards=[guard.value for guard in guards],
            entry_expires_at=expires_at, expires_at=now() + LIFE, created_by=person.label,
        )  # fmt: skip
        record(person, codes.ENTRY_PROPOSED, proposal, list=target.name, signal=proposal.signal, reason=reason.value)
    return proposal


def check_decide_proposal(person: Person, proposal: EntryProposal) -> None:
    """A proposal that waits, before another person: a supervisor where a guard asks for one."""
    must(person, Permission.WIDE_SCOPE_APPROVE if proposal.guards else Permission.LISTING_DECIDE)
    if proposal.state != ProposalState.PENDING or proposal.expires_at <= now():
        raise RefusedError("proposal_decided", "This proposal is decided, or its time is over.", mend="Propose it anew.")
    must_differ(person, {proposal.created_by}, "A proposed entry")


def do_approve_proposal(person: Person, proposal: EntryProposal) -> ListEntry:
    """List what was proposed, as the second person; it is in the next edition."""
    with transaction.atomic():
        fresh = _locked(proposal)
        check_decide_proposal(person, fresh)
        proposed = proposed_of(fresh)
        if not isinstance(proposed, KeywordProposal):
            require_not_allowed(proposed)
        if ListEntry.objects.filter(list=fresh.list, digest=proposed.digest(), tombstone=False).exists():
            raise RefusedError("listed_already", "The list has it already.")
        entry = ListEntry.objects.create(
            list=fresh.list, signal=fresh.signal, scope=fresh.scope, flags=fresh.flags, algorithm=fresh.algorithm,
            content=proposed.content(), digest=proposed.digest(), reason=fresh.reason, labels=fresh.labels,
            attributes=fresh.attributes, jurisdictions=fresh.list.jurisdictions, guards=fresh.guards,
            added_by=fresh.created_by, approved_by=person.label, approved_at=now(),
            expires_at=fresh.entry_expires_at or expiry_of(fresh.list),
        )  # fmt: skip
        fresh.entry = entry
        _decided(fresh, person, ProposalState.APPROVED)
        record(person, codes.PROPOSAL_APPROVED, fresh, list=fresh.list.name, entry=entry.number)
        record(
            person, codes.ENTRY_ADDED, name_of(entry), list=fresh.list.name, signal=entry.signal, scope=entry.scope,
            reason=entry.reason,
        )  # fmt: skip
    return entry


def do_refuse_proposal(person: Person, proposal: EntryProposal) -> EntryProposal:
    """Refuse what was proposed."""
    with transaction.atomic():
        fresh = _locked(proposal)
        check_decide_proposal(person, fresh)
        _decided(fresh, person, ProposalState.REFUSED)
        record(person, codes.PROPOSAL_REFUSED, fresh, list=fresh.list.name)
    return fresh


def do_show_proposal(person: Person, proposal: EntryProposal) -> tuple[str, str]:
    """(what is proposed, the evidence), for the one who proposed it and those who may decide; each showing is logged."""
    if person.label != proposal.created_by:
        must(person, Permission.LISTING_DECIDE)
    with transaction.atomic():
        record(person, codes.PROPOSAL_SHOWN, proposal, purpose="review")
    return proposal.content.open(), proposal.evidence.open()


def proposed_of(proposal: EntryProposal) -> Proposed:
    """What a row proposes."""
    content, labels = Sealed(proposal.content.open()), tuple(proposal.labels)
    if proposal.signal == Signal.KEYWORD:
        return KeywordProposal(content, labels=labels, **proposal.attributes)
    if proposal.signal == Signal.HASH:
        return HashProposal(proposal.algorithm, content, labels=labels)
    return UrlProposal(content, Scope(proposal.scope), EntryFlag(proposal.flags), labels)


def _locked(proposal: EntryProposal) -> EntryProposal:
    return EntryProposal.objects.select_for_update(of=("self",)).select_related("list").get(pk=proposal.pk)


def _decided(proposal: EntryProposal, person: Person, state: ProposalState) -> None:
    proposal.state, proposal.decided_by, proposal.decided_at = state.value, person.label, now()
    proposal.save(update_fields=["state", "decided_by", "decided_at", "entry"])

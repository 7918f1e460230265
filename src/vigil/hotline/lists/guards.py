"""What may not be listed because it would cover too much, and what waits for a second approver before it takes effect."""

from __future__ import annotations

from functools import cache
from typing import Final

from publicsuffixlist import PublicSuffixList

from vigil.base.errors import RefusedError
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.lists.enumerations import EntryReason, Guard
from vigil.hotline.lists.models import AllowEntry
from vigil.hotline.lists.proposals import Proposal, UrlProposal, digests_covering
from vigil.hotline.lists.reach import Preview, guards_of, preview
from vigil.hotline.partners.models import Partner
from vigil.match.urls import CanonicalUrl, EntryFlag, Scope

WHOLE_HOST: Final = frozenset({Scope.HOST, Scope.DOMAIN, Scope.IP})


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def is_wide(proposal: Proposal) -> bool:
    """True where a whole host or more would be covered, or where adapters that see only the host may act on it."""
    if not isinstance(proposal, UrlProposal):
        return False
    whole = proposal.scope in WHOLE_HOST or (proposal.scope is Scope.PREFIX and proposal.canonical().path == "/")
    return whole or EntryFlag.HOST_APPROVED in proposal.flags


def is_public_suffix(url: CanonicalUrl) -> bool:
    """True for hosts under which strangers register names of their own, such as ``co.uk`` or a hosting service."""
    return not url.is_address() and bool(_suffixes().is_public(url.host))


def check_scope(person: Person, proposal: Proposal, wide_scope: str) -> None:
    """Refuse a whole host without a supervisor's reason, and a public suffix always."""
    if not is_wide(proposal) or not isinstance(proposal, UrlProposal):
        return
    must(person, Permission.WIDE_SCOPE_APPROVE)
    if not wide_scope.strip():
        raise RefusedError(
            "wide_scope_reason", "Covering a whole host needs a written reason.", mend="Say what shows that it is dedicated."
        )
    if is_public_suffix(proposal.canonical()):
        raise RefusedError(
            "public_suffix",
            "This host is shared by strangers; it cannot be listed whole.",
            mend="List the page, or a name below it.",
        )


def reason_for(proposal: Proposal, usual: EntryReason) -> EntryReason:
    """The reason of an entry: a whole host is listed because it is dedicated, not because of one page."""
    return EntryReason.DEDICATED_DOMAIN if is_wide(proposal) else usual


def guards_on(person: Person, proposal: Proposal, reason: EntryReason) -> tuple[Guard, ...]:
    """Why this proposal waits for a second approver. A supervisor who decides on a whole host, after somebody else assessed
    it, is that second person already; what is popular, our own, a partner's, or wider than its reason is looked at again."""
    if not isinstance(proposal, UrlProposal):
        return ()
    found = guards_of(proposal.canonical(), proposal.scope, proposal.flags, reason, partner_hosts())
    decided = {Guard.WHOLE_HOST} if person.may(Permission.WIDE_SCOPE_APPROVE) else set()
    return tuple(guard for guard in found if guard not in decided)


def preview_of(proposal: UrlProposal, usual: EntryReason) -> Preview:
    """What a proposed address would match and which guards it would meet, before anything is saved."""
    reason = reason_for(proposal, usual)
    return preview(proposal.canonical(), proposal.scope, proposal.flags, reason, partner_hosts())


def partner_hosts() -> frozenset[str]:
    """Names of the partners' own space."""
    return frozenset(host for hosts in Partner.objects.values_list("hosts", flat=True) for host in hosts)


def require_not_allowed(proposal: Proposal) -> None:
    """Refuse what stands on the allow list, by itself or by something that covers it."""
    digests = [proposal.digest()]
    if isinstance(proposal, UrlProposal):
        digests += digests_covering(proposal.canonical())
    if AllowEntry.objects.filter(digest__in=digests, ended_at=None).exists():
        raise RefusedError(
            "allow_listed", "This stands on the allow list.", mend="If that is wrong, end the row there first."
        )

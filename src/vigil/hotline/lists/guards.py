"""What may not be listed, because it would cover too much."""

from __future__ import annotations

from functools import cache
from typing import Final

from publicsuffixlist import PublicSuffixList

from vigil.base.errors import RefusedError
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.lists.proposals import Proposal, UrlProposal
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

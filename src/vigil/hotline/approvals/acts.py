"""The acts that need two people (facts: data model, section 5; hotline process, section 14), and who may take which seat.

Permissions stand in the one table of the access room; here is only which of them an act asks for. Two acts of the data model
are not here: a whole domain is proposed and decided by two people in the room of lists, and notices are sent by nobody yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vigil.hotline.access.permissions import Permission


class TwoPersonAct(StrEnum):
    REPORTER_IDENTITY_RELEASE = "reporter_identity_release"
    LIST_EMERGENCY_ADD = "list_emergency_add"
    VAULT_EXPORT = "vault_export"
    HOLD_RELEASE = "hold_release"
    POLICY_DELISTING = "policy_delisting"
    KEYWORD_EXPORT = "keyword_export"
    RETENTION_OVERRIDE = "retention_override"
    SCHEME_MAPPING_CHANGE = "scheme_mapping_change"


class ApprovalResult(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may ask (``first``), who may approve (``second``), and the act in words for the person who approves."""

    first: Permission
    second: Permission
    text: str


P, A = Permission, TwoPersonAct

RULES: Final[dict[TwoPersonAct, Rule]] = {
    A.REPORTER_IDENTITY_RELEASE: Rule(P.IDENTITY_RELEASE, P.APPROVE_DATA, "Release who reported, against a written legal basis."),
    A.LIST_EMERGENCY_ADD: Rule(P.LIST_EMERGENCY, P.APPROVE_OPERATION, "Add to a list out of turn, before the usual reviews."),
    A.VAULT_EXPORT: Rule(P.VAULT_EXPORT, P.APPROVE_OPERATION, "Take evidence out of the vault for a named recipient."),
    A.HOLD_RELEASE: Rule(P.HOLD_MANAGE, P.APPROVE_OPERATION, "Release a hold that the police or the law has set."),
    A.POLICY_DELISTING: Rule(P.ENTRY_WITHDRAW, P.APPROVE_ASSESSMENT, "Take an entry off by policy: nothing is wrong with it."),
    A.KEYWORD_EXPORT: Rule(P.LIST_MANAGE, P.APPROVE_OPERATION, "Hand the keyword list to a recipient."),
    A.RETENTION_OVERRIDE: Rule(P.RETENTION_MANAGE, P.APPROVE_OPERATION, "Let go of what a legal hold keeps."),
    A.SCHEME_MAPPING_CHANGE: Rule(P.SCHEME_MANAGE, P.APPROVE_ASSESSMENT, "Change a mapping of a scheme, or the review policy."),
}

Behind = Callable[[str], frozenset[str]]
"""Labels of everybody who took part in a subject (named as in the audit log): they may not approve."""

_behind: dict[TwoPersonAct, Behind] = {}


def register_behind(act: TwoPersonAct, find: Behind) -> None:
    """Called by the room above that knows who took part in the subjects of ``act``. The last one counts."""
    _behind[act] = find


def people_behind(act: TwoPersonAct, subject: str) -> frozenset[str]:
    """Everybody who took part in ``subject`` as the registered room knows it; empty where none is registered."""
    find = _behind.get(act)
    return find(subject) if find else frozenset()

"""The one permission table. Nothing else in Vigil says who may do what.

A permission names an act on a kind of thing. People have permissions through roles; systems and enforcement nodes,
which have no roles, have theirs listed here as well.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Final

from vigil.hotline.access.roles import Role


class Permission(StrEnum):
    # the front desk
    REPORT_SUBMIT = "report.submit"
    REPORT_SUBMIT_BULK = "report.submit_bulk"
    REPORT_STATUS = "report.status"
    CHILD_HAND_OVER = "child_case.hand_over"
    CHILD_OUTCOME_READ = "child_case.read_outcome"
    APPEAL_FILE = "appeal.file"
    # casework
    CONSOLE_ENTER = "console.enter"
    QUEUE_READ = "queue.read"
    CASE_READ = "case.read"
    CONTENT_REVEAL = "content.reveal"
    REPORT_TRIAGE = "report.triage"
    TRIAGE_RUN = "triage.run"
    CHILD_CASE_WORK = "child_case.work"
    CASE_RESTRICT = "case.restrict"
    CASE_SEARCH = "case.search"
    CAPTURE_REQUEST = "capture.request"
    CAPTURE_RUN = "capture.run"
    ASSESS = "assessment.make"
    SECOND_REVIEW = "assessment.review"
    # lists
    LIST_MANAGE = "list.manage"
    LISTING_DECIDE = "listing.decide"
    WIDE_SCOPE_APPROVE = "listing.approve_wide_scope"
    ENTRY_READ = "entry.read"
    ENTRY_WITHDRAW = "entry.withdraw"
    WITHDRAWAL_REVIEW = "entry.review_withdrawal"
    PUBLICATION_REQUEST = "publication.request"
    PUBLICATION_BUILD = "publication.build"
    APPEAL_READ = "appeal.read"
    APPEAL_DECIDE = "appeal.decide"
    ENTRY_PROPOSE = "entry.propose"
    ENTRY_HOLD = "entry.hold"
    # partners and their agreements
    PARTNER_READ = "partner.read"
    PARTNER_PROPOSE = "partner.propose"
    PARTNER_KEY = "partner.key"
    PARTNER_APPROVE = "partner.approve"
    PARTNER_STOP = "partner.stop"
    # two-person acts: the first seats that have no permission of their own yet, and the second seats
    APPROVAL_READ = "approval.read"
    IDENTITY_RELEASE = "identity.release"
    LIST_EMERGENCY = "list.emergency_add"
    RETENTION_MANAGE = "retention.manage"
    APPROVE_OPERATION = "approval.approve_operation"
    APPROVE_ASSESSMENT = "approval.approve_assessment"
    APPROVE_DATA = "approval.approve_data"
    # evidence, holds, schemes, review, welfare
    VAULT_USE = "vault.use"
    VAULT_ADD = "vault.add"
    VAULT_EXPORT = "vault.export"
    HOLD_READ = "hold.read"
    HOLD_MANAGE = "hold.manage"
    SCHEME_READ = "scheme.read"
    SCHEME_MANAGE = "scheme.manage"
    REVIEW_QUALITY = "review.quality"
    WELFARE_OWN = "welfare.own"
    WELFARE_LEAD = "welfare.lead"
    # oversight
    STATISTICS_READ = "statistics.read"
    AUDIT_READ = "audit.read"
    AUDIT_SIGN = "audit.sign"
    SESSION_ELEVATE = "session.elevate"
    ELEVATION_READ = "session.read_elevations"
    # running it
    PEOPLE_MANAGE = "people.manage"
    NODE_MANAGE = "node.manage"
    CAPTURE_ALLOW = "capture.allow"
    RETENTION_RUN = "retention.run"
    MAIL_IMPORT = "mail.import"
    # personal data
    RETENTION_READ = "retention.read"
    SUBJECT_EXPORT = "subject.export"
    # banks of a platform
    BANK_POLICY = "bank.policy"
    BANK_READ = "bank.read"
    BANK_CURATE = "bank.curate"
    BANK_FOLLOW = "bank.follow"
    BANK_EXPIRE = "bank.expire"
    # lists of others
    SOURCE_MANAGE = "source.manage"
    SOURCE_READ = "source.read"
    SOURCE_VOTE = "source.vote"
    SOURCE_FETCH = "source.fetch"
    # machines of partners
    COUNTS_SEND = "counts.send"
    EDITION_FETCH = "edition.fetch"
    VOTE_SEND = "vote.send"


P, R = Permission, Role

_CASEWORK: Final = frozenset({P.CONSOLE_ENTER, P.QUEUE_READ, P.CASE_READ, P.STATISTICS_READ, P.WELFARE_OWN})

PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    R.INTAKE: _CASEWORK | {P.REPORT_TRIAGE, P.CASE_SEARCH,
       P.IDENTITY_RELEASE, P.APPROVAL_READ},
    R.ANALYST: _CASEWORK | {P.CASE_SEARCH, P.CONTENT_REVEAL, P.REPORT_TRIAGE, P.CAPTURE_REQUEST, P.ASSESS, P.ENTRY_READ,
       P.VAULT_USE, P.VAULT_EXPORT, P.HOLD_READ, P.SCHEME_READ, P.APPROVAL_READ, P.ENTRY_PROPOSE,
       P.SOURCE_VOTE},
    R.IMAGE_ASSESSOR: _CASEWORK | {P.CONTENT_REVEAL, P.ASSESS,
       P.VAULT_USE, P.SCHEME_READ},
    R.SECOND_REVIEWER: _CASEWORK
    | {P.CASE_SEARCH, P.CONTENT_REVEAL, P.CAPTURE_REQUEST, P.ASSESS, P.SECOND_REVIEW, P.LISTING_DECIDE, P.ENTRY_READ,
       P.ENTRY_WITHDRAW, P.APPEAL_READ, P.APPEAL_DECIDE,
       P.VAULT_USE, P.HOLD_READ, P.SCHEME_READ, P.REVIEW_QUALITY, P.APPROVE_ASSESSMENT, P.APPROVAL_READ,
       P.SOURCE_VOTE},
    R.QA: _CASEWORK | {P.CONTENT_REVEAL, P.SECOND_REVIEW, P.ENTRY_READ,
       P.VAULT_USE, P.SCHEME_READ, P.REVIEW_QUALITY},
    R.SUPERVISOR: _CASEWORK
    | {P.CASE_RESTRICT, P.SESSION_ELEVATE, P.CASE_SEARCH,
       P.CONTENT_REVEAL, P.REPORT_TRIAGE, P.CAPTURE_REQUEST, P.ASSESS, P.SECOND_REVIEW, P.LISTING_DECIDE,
       P.WIDE_SCOPE_APPROVE, P.ENTRY_READ, P.ENTRY_WITHDRAW, P.WITHDRAWAL_REVIEW, P.APPEAL_READ, P.APPEAL_DECIDE,
       P.VAULT_USE, P.HOLD_READ, P.SCHEME_READ, P.REVIEW_QUALITY, P.IDENTITY_RELEASE,
       P.APPROVE_OPERATION, P.APPROVE_ASSESSMENT, P.APPROVAL_READ,
       P.ENTRY_PROPOSE, P.ENTRY_HOLD, P.PARTNER_READ, P.PARTNER_APPROVE, P.PARTNER_STOP, P.BANK_POLICY,
       P.SOURCE_READ, P.SOURCE_VOTE},
    R.CHILD_DESK: _CASEWORK
    | {P.CHILD_CASE_WORK, P.CONTENT_REVEAL, P.REPORT_TRIAGE, P.CAPTURE_REQUEST, P.ASSESS, P.ENTRY_READ,
       P.HOLD_READ, P.SCHEME_READ},
    R.NOTICES: _CASEWORK | {P.CONTENT_REVEAL, P.ENTRY_READ,
       P.HOLD_READ, P.APPROVAL_READ},
    R.POLICE_LIAISON: _CASEWORK | {P.SESSION_ELEVATE, P.CASE_SEARCH, P.ENTRY_READ, P.ENTRY_WITHDRAW, P.APPEAL_READ,
       P.HOLD_READ, P.HOLD_MANAGE, P.VAULT_EXPORT, P.APPROVAL_READ},
    R.LIST_PUBLISHER: _CASEWORK
    | {P.LIST_MANAGE, P.ENTRY_READ, P.ENTRY_WITHDRAW, P.PUBLICATION_REQUEST, P.APPEAL_READ,
       P.HOLD_READ, P.LIST_EMERGENCY, P.APPROVAL_READ,
       P.ENTRY_PROPOSE, P.ENTRY_HOLD, P.PARTNER_READ, P.PARTNER_PROPOSE, P.PARTNER_KEY, P.PARTNER_STOP, P.BANK_POLICY,
       P.SOURCE_READ},
    R.SCHEME_OWNER: frozenset({P.CONSOLE_ENTER, P.STATISTICS_READ,
       P.SCHEME_READ, P.SCHEME_MANAGE, P.APPROVAL_READ}),
    R.WELFARE: frozenset({P.CONSOLE_ENTER,
       P.WELFARE_OWN, P.WELFARE_LEAD}),
    R.DATA_PROTECTION: frozenset({P.SESSION_ELEVATE, P.ELEVATION_READ, P.CONSOLE_ENTER, P.STATISTICS_READ, P.AUDIT_READ,
       P.RETENTION_MANAGE, P.APPROVE_DATA, P.APPROVAL_READ, P.RETENTION_READ, P.SUBJECT_EXPORT}),
    R.AUDITOR: frozenset({P.SESSION_ELEVATE, P.ELEVATION_READ,
       P.CONSOLE_ENTER, P.STATISTICS_READ, P.AUDIT_READ, P.ENTRY_READ, P.APPEAL_READ,
       P.APPROVAL_READ, P.SCHEME_READ, P.PARTNER_READ,
       P.SOURCE_READ}),
    R.SYSADMIN: frozenset({P.CONSOLE_ENTER, P.PEOPLE_MANAGE, P.NODE_MANAGE,
       P.SOURCE_MANAGE, P.SOURCE_READ}),
}  # fmt: skip

SYSTEMS: Final[dict[str, frozenset[Permission]]] = {
    "public": frozenset({P.REPORT_SUBMIT, P.APPEAL_FILE}),
    "worker": frozenset(
        {P.SOURCE_FETCH, P.SOURCE_MANAGE,
         P.CAPTURE_RUN, P.TRIAGE_RUN, P.RETENTION_RUN, P.MAIL_IMPORT, P.REPORT_SUBMIT, P.BANK_EXPIRE, P.VAULT_ADD}
    ),
    "office": frozenset(
        {P.PUBLICATION_BUILD, P.PUBLICATION_REQUEST, P.ENTRY_READ, P.AUDIT_SIGN, P.ENTRY_HOLD, P.CAPTURE_REQUEST}
    ),
    "operator": frozenset(
        {P.SOURCE_MANAGE, P.SOURCE_READ, P.SOURCE_VOTE,
         P.PEOPLE_MANAGE, P.NODE_MANAGE, P.LIST_MANAGE, P.AUDIT_READ, P.AUDIT_SIGN, P.CAPTURE_ALLOW, P.RETENTION_RUN,
         P.MAIL_IMPORT, P.REPORT_SUBMIT, P.PARTNER_READ, P.PARTNER_KEY, P.PARTNER_STOP}
    ),
}
READS_LOGGED: Final = frozenset(
    {P.CASE_READ, P.CHILD_CASE_WORK, P.ENTRY_READ, P.APPEAL_READ, P.APPROVAL_READ, P.PARTNER_READ, P.HOLD_READ, P.VAULT_USE,
     P.AUDIT_READ, P.ELEVATION_READ, P.RETENTION_READ, P.SUBJECT_EXPORT, P.WELFARE_LEAD}
)  # fmt: skip
"""Looking at a page that asks for one of these leaves an audit row, as a change does."""
NODE: Final = frozenset({P.COUNTS_SEND, P.EDITION_FETCH, P.VOTE_SEND})
SCOPES: Final[dict[str, Permission]] = {
    "report.send": P.REPORT_SUBMIT,
    "report.bulk": P.REPORT_SUBMIT_BULK,
    "report.status": P.REPORT_STATUS,
    "child.hand_over": P.CHILD_HAND_OVER,
    "child.outcomes": P.CHILD_OUTCOME_READ,
}
"""What the token of a sender (a partner that reports) may be given; each scope is one permission."""
# Software of a platform, by the role of its token.
BANK_MACHINES: Final[dict[str, frozenset[Permission]]] = {
    "reader": frozenset({P.BANK_READ}),
    "curator": frozenset({P.BANK_READ, P.BANK_CURATE}),
    "follower": frozenset({P.BANK_FOLLOW}),
}

DESCRIPTIONS: Final[dict[Permission, str]] = {
    P.REPORT_SUBMIT: "hand in a report",
    P.REPORT_SUBMIT_BULK: "hand in many reports at once",
    P.REPORT_STATUS: "ask what became of one's own reports",
    P.CHILD_HAND_OVER: "hand over the case of a child that a service partner looks after",
    P.CHILD_OUTCOME_READ: "read the outcome of one's own children's cases",
    P.APPEAL_FILE: "file an appeal",
    P.CONSOLE_ENTER: "enter the console and see one's own account",
    P.QUEUE_READ: "see the queue",
    P.CASE_READ: "open a case: facts, history, matches",
    P.CONTENT_REVEAL: "reveal the address and the reporter's words of a case",
    P.REPORT_TRIAGE: "set priority, close spam and duplicates",
    P.TRIAGE_RUN: "sort what arrives: known, spam, urgent, related",
    P.CHILD_CASE_WORK: "see and work on cases that children reported about themselves",
    P.CAPTURE_REQUEST: "ask for a capture of a page",
    P.CAPTURE_RUN: "fetch a page and its pictures through the configured proxy",
    P.ASSESS: "record an assessment",
    P.SECOND_REVIEW: "record a second assessment",
    P.LIST_MANAGE: "set up lists",
    P.LISTING_DECIDE: "decide the listing of what somebody else assessed",
    P.WIDE_SCOPE_APPROVE: "approve the listing of a whole host or domain",
    P.ENTRY_READ: "see the entries of the lists",
    P.ENTRY_WITHDRAW: "withdraw an entry at once",
    P.WITHDRAWAL_REVIEW: "review a withdrawal afterwards",
    P.PUBLICATION_REQUEST: "ask the list office for a new edition",
    P.PUBLICATION_BUILD: "build, sign and publish an edition",
    P.APPEAL_READ: "see the appeals",
    P.APPEAL_DECIDE: "decide an appeal",
    P.ENTRY_PROPOSE: "propose an entry that rests on no case: a keyword, a test, what a partner assessed",
    P.ENTRY_HOLD: "hold an entry back from editions, and let it go again",
    P.PARTNER_READ: "see partners, their agreements, deliveries and alarms",
    P.PARTNER_PROPOSE: "propose a partner or an agreement",
    P.PARTNER_KEY: "propose another public key of a partner, or take up one that was proposed by command",
    P.PARTNER_APPROVE: "approve what somebody else proposed for a partner",
    P.PARTNER_STOP: "stop a partner at once",
    P.APPROVAL_READ: "see the two-person acts in which one has a seat",
    P.IDENTITY_RELEASE: "ask for the release of who reported",
    P.LIST_EMERGENCY: "ask for an addition to a list out of turn",
    P.RETENTION_MANAGE: "place legal holds, and ask to let go of them",
    P.APPROVE_OPERATION: "approve emergency listings, exports, releases of holds (second seat)",
    P.APPROVE_ASSESSMENT: "approve delistings by policy, changes of schemes (second seat)",
    P.APPROVE_DATA: "approve the release of who reported (second seat)",
    P.VAULT_USE: "put evidence into the vault and look at it, for a purpose",
    P.VAULT_ADD: "put the record of a capture into the vault; look at nothing in it",
    P.VAULT_EXPORT: "ask to take evidence out of the vault, and take it out once approved",
    P.HOLD_READ: "see holds and the clearance of the police",
    P.HOLD_MANAGE: "set holds, ask to release them, record the clearance of the police",
    P.SCHEME_READ: "see labels and mappings of schemes",
    P.SCHEME_MANAGE: "import labels, propose mappings and the review policy",
    P.REVIEW_QUALITY: "see agreement, quality samples and calibration",
    P.WELFARE_OWN: "see one's own exposure, take breaks, swap, ask for a buddy",
    P.WELFARE_LEAD: "see the welfare page, as far as policy and the people themselves allow",
    P.CASE_RESTRICT: "restrict a case to named people, change who is named, lift it",
    P.CASE_SEARCH: "search cases by reference, host, address or file digest",
    P.SESSION_ELEVATE: "open an elevated session for half an hour, with a written reason",
    P.ELEVATION_READ: "see who opened elevated sessions, and why",
    P.STATISTICS_READ: "see the statistics",
    P.AUDIT_READ: "read and export the audit log",
    P.AUDIT_SIGN: "sign a tree head of the audit log",
    P.PEOPLE_MANAGE: "add people, give and take roles",
    P.NODE_MANAGE: "enrol and revoke enforcement nodes",
    P.CAPTURE_ALLOW: "record the legal basis for captures, or end it",
    P.RETENTION_RUN: "dispose of what is past its time",
    P.MAIL_IMPORT: "take in reports from the mailbox folder",
    P.RETENTION_READ: "see the retention policy and the proofs of disposal",
    P.SUBJECT_EXPORT: "export what is held about a reporter",
    P.BANK_POLICY: "propose what banks are for, or approve what somebody else proposed",
    P.BANK_READ: "see banks and what they hold",
    P.BANK_CURATE: "set up, change and delete banks and what they hold",
    P.BANK_FOLLOW: "follow what banks hold, to match it",
    P.BANK_EXPIRE: "erase what is past its retention",
    P.SOURCE_MANAGE: "set up, change and remove sources of lists",
    P.SOURCE_READ: "see how sources do and what was set aside",
    P.SOURCE_VOTE: "send an opinion on an imported entry to its source",
    P.SOURCE_FETCH: "fetch sources",
    P.COUNTS_SEND: "send counts of blocked requests",
    P.EDITION_FETCH: "fetch editions",
    P.VOTE_SEND: "confirm or reject matches",
}


@cache
def permissions_of(roles: frozenset[Role]) -> frozenset[Permission]:
    """Everything that at least one of ``roles`` allows."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles))


def roles_with(permission: Permission) -> tuple[Role, ...]:
    """The roles that allow ``permission``, in the order of the enumeration."""
    return tuple(role for role in Role if permission in PERMISSIONS[role])


def reference() -> str:
    """The permission table as the Markdown page ``docs/reference/permissions.md``."""
    lines = [
        "# Permissions",
        "",
        "Generated from `vigil.hotline.access.permissions` by `vigil hotline permissions`; a test keeps them equal.",
        "A person has what at least one of their roles allows. Views without a declared rule are refused.",
        "",
        "| Permission | Allows to | Roles | Systems |",
        "|---|---|---|---|",
    ]
    for permission in Permission:
        roles = ", ".join(f"`{role}`" for role in roles_with(permission)) or "–"
        systems = [f"`{name}`" for name, allowed in SYSTEMS.items() if permission in allowed]
        systems += ["enforcement nodes"] if permission in NODE else []
        systems += ["partners' tokens by scope"] if permission in SCOPES.values() else []
        systems += [f"{role} machines" for role, allowed in BANK_MACHINES.items() if permission in allowed]
        lines.append(f"| `{permission}` | {DESCRIPTIONS[permission]} | {roles} | {', '.join(systems) or '–'} |")
    return "\n".join(lines) + "\n"

"""Enumeration values in words, and the shape of the tag each is shown with (kind of the design's ``status_tag``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vigil.editions.model import ListKind
from vigil.hotline.audit.codes import REGISTRY
from vigil.hotline.lists.enumerations import (
    AppealOutcome,
    AppellantType,
    EntryReason,
    Guard,
    HeldReason,
    ListingDecision,
    LivePolicy,
    PoliceView,
    ProposalState,
    PublicationState,
    RemovedReason,
    VoteReason,
)
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.reports.enumerations import Priority, Status, Theme
from vigil.hotline.reports.models.capture import CaptureStatus
from vigil.match.urls import Scope


@dataclass(frozen=True, slots=True)
class Tag:
    """A status as word and shape; without a ``kind`` plain words are enough."""

    kind: str
    text: str


STATUS: Final[dict[Status, Tag]] = {
    Status.NEW: Tag("new", "New"),
    Status.TRIAGED: Tag("new", "In the queue"),
    Status.IN_ASSESSMENT: Tag("working", "Being assessed"),
    Status.SECOND_REVIEW: Tag("waits", "Waits for a second person"),
    Status.ADJUDICATION: Tag("waits", "Adjudication"),
    Status.AWAITING_POLICE: Tag("waits", "Waits for the police"),
    Status.ACTIONED: Tag("done", "Actioned"),
    Status.MONITORING: Tag("done", "Watched"),
    Status.CLOSED: Tag("done", "Closed"),
    Status.REOPENED: Tag("new", "Opened again"),
}

PRIORITY: Final[dict[Priority, Tag]] = {
    Priority.CHILD_AT_RISK: Tag("danger", "Child at risk"),
    Priority.URGENT: Tag("waits", "Urgent"),
    Priority.NORMAL: Tag("", "Normal"),
    Priority.LOW: Tag("", "Low"),
}

CAPTURE: Final[dict[str, Tag]] = {
    CaptureStatus.REQUESTED: Tag("new", "Waits for the worker"),
    CaptureStatus.RUNNING: Tag("working", "Running"),
    CaptureStatus.DONE: Tag("done", "Done"),
    CaptureStatus.FAILED: Tag("waits", "Failed"),
}

PUBLICATION: Final[dict[PublicationState, Tag]] = {
    PublicationState.REQUESTED: Tag("new", "Waits for the list office"),
    PublicationState.BUILDING: Tag("working", "Being built and signed"),
    PublicationState.AWAITING: Tag("working", "Waits for the release person's signature"),
    PublicationState.PUBLISHED: Tag("done", "Published"),
    PublicationState.FAILED: Tag("waits", "Failed"),
}

THEME: Final[dict[Theme, str]] = {
    Theme.CSAM: "CSAM",
    Theme.CSEM_GROOMING: "Grooming of a child for sexual purposes",
    Theme.SEXTORTION: "Sexual extortion of a child",
    Theme.NON_PHOTOGRAPHIC: "Drawn or rendered material",
    Theme.TEXT_CSAM: "Text",
    Theme.NUDISM_POSING: "Sexualised images of children",
    Theme.TRAFFICKING_TOURISM: "Trafficking, travel and tourism",
    Theme.OTHER_ILLEGAL: "Something else that is illegal",
    Theme.LEGAL_CONCERN: "Legal, but of concern",
    Theme.QUERY: "A question",
    Theme.SPAM: "Spam",
}

DECISION: Final[dict[ListingDecision, str]] = {
    ListingDecision.LIST: "List it",
    ListingDecision.DO_NOT_LIST_RISK: "Do not list: listing would do harm",
    ListingDecision.DO_NOT_LIST_HOME_HOSTED: "Do not list: hosted here, removed at its source",
    ListingDecision.DO_NOT_LIST_NOT_LIVE: "Do not list: no longer there",
}

SCOPE: Final[dict[Scope, str]] = {
    Scope.URL: "Exactly this address",
    Scope.PAGE: "This page, with any query",
    Scope.PREFIX: "Everything below a folder",
    Scope.HOST: "Everything on this host",
    Scope.DOMAIN: "This host and every name below it",
    Scope.IP: "Everything at this IP address",
}

REASON: Final[dict[EntryReason, str]] = {
    EntryReason.ASSESSED_CRIMINAL: "Assessed as criminal",
    EntryReason.PARTNER_ASSESSED: "Assessed by a partner",
    EntryReason.DEDICATED_DOMAIN: "Dedicated domain",
    EntryReason.LINKS_DEDICATED: "Dedicated to links",
    EntryReason.NP_CRIMINAL: "Prohibited, not photographic",
    EntryReason.EVIDENCE_OF_NEED: "Needed, with evidence",
    EntryReason.TEST: "Harmless, for tests",
}

SCOPE_OF: Final[dict[str, str]] = {scope.value: text for scope, text in SCOPE.items()}

LIST_KIND: Final[dict[ListKind, str]] = {
    ListKind.URL: "Addresses of CSAM",
    ListKind.NP_URL: "Addresses of non-photographic material",
    ListKind.DOMAIN: "Whole names dedicated to CSAM",
    ListKind.HASH_CSAM: "Hashes of CSAM",
    ListKind.HASH_AI: "Hashes of AI-generated CSAM",
    ListKind.HASH_NP: "Hashes of non-photographic material",
    ListKind.HASH_EXPLOITATIVE: "Hashes of exploitative material",
    ListKind.KEYWORD: "Words, sealed",
    ListKind.TLD_HOP: "Names that move between top-level domains",
    ListKind.PAYMENT: "Payment indicators",
    ListKind.TEST: "Harmless entries for tests",
}

PROPOSAL: Final[dict[ProposalState, Tag]] = {
    ProposalState.PENDING: Tag("waits", "Waits for a second person"),
    ProposalState.APPROVED: Tag("done", "Listed"),
    ProposalState.REFUSED: Tag("done", "Refused"),
    ProposalState.EXPIRED: Tag("done", "Expired"),
}

GUARD: Final[dict[Guard, str]] = {
    Guard.WHOLE_HOST: "It covers a whole host.",
    Guard.POPULAR_HOST: "The host is among the popular ones of your file.",
    Guard.OWN_SPACE: "It lies in the hotline's own space.",
    Guard.PARTNER_SPACE: "It lies in a partner's own space.",
    Guard.WIDER_THAN_REASON: "It would block more than its reason says.",
    Guard.BENIGN_SAMPLE: "It would block addresses of your harmless sample.",
}

HELD: Final[dict[HeldReason, str]] = {
    HeldReason.FLOOD: "It suddenly matched far too much",
    HeldReason.DISPUTED: "Partners reject it",
    HeldReason.BY_HAND: "Held by hand",
}

LIVE_POLICY: Final[dict[LivePolicy, str]] = {
    LivePolicy.OFF: "Not looked at again",
    LivePolicy.FLAG: "Stays, with a flag",
    LivePolicy.LEAVE_OUT: "Left out of the edition",
}

VOTE_REASON: Final[dict[VoteReason, str]] = {
    VoteReason.SEEN_AND_AGREED: "seen and agreed",
    VoteReason.NOT_THE_SAME: "not the same",
    VoteReason.LAWFUL_HERE: "lawful where they are",
    VoteReason.OWN_CONTENT: "their own content",
    VoteReason.GONE: "gone",
    VoteReason.TOO_WIDE: "too wide",
    VoteReason.OTHER: "other",
}

PARTNER_KIND: Final[dict[PartnerKind, str]] = {
    PartnerKind.HOST: "Hosting provider",
    PartnerKind.CDN: "Content delivery network",
    PartnerKind.REGISTRAR: "Registrar",
    PartnerKind.REGISTRY: "Registry",
    PartnerKind.PLATFORM: "Platform",
    PartnerKind.ISP: "Internet provider",
    PartnerKind.PAYMENT: "Payment service",
    PartnerKind.SEARCH: "Search engine",
    PartnerKind.HOTLINE: "Hotline",
    PartnerKind.POLICE: "Police",
    PartnerKind.NGO: "Non-governmental organisation",
    PartnerKind.REGULATOR: "Regulator",
    PartnerKind.CLEARING_HOUSE: "Clearing house",
}

REMOVED: Final[dict[RemovedReason, str]] = {
    RemovedReason.TAKEN_DOWN: "Taken down at its source",
    RemovedReason.MOVED: "Moved elsewhere",
    RemovedReason.APPEAL_UPHELD: "Appeal upheld",
    RemovedReason.RISK: "Listing does harm",
    RemovedReason.ERROR: "Listed in error",
    RemovedReason.EXPIRED: "Expired",
    RemovedReason.POLICE_REQUEST: "The police asked for it",
    RemovedReason.NOT_LIVE_AT_BUILD: "Not there when the edition was built",
    RemovedReason.POLICY: "By policy, decided by two people",
}

APPELLANT: Final[dict[AppellantType, str]] = {
    AppellantType.VICTIM: "The person depicted",
    AppellantType.VICTIM_REPRESENTATIVE: "Somebody for the person depicted",
    AppellantType.HOST: "The host",
    AppellantType.PUBLISHER: "The publisher of the page",
    AppellantType.BLOCKED_USER: "Somebody who met a block",
    AppellantType.DEPLOYER: "A deployer of our lists",
    AppellantType.OTHER_PARTY: "Somebody else",
}

APPEAL_OUTCOME: Final[dict[AppealOutcome, str]] = {
    AppealOutcome.UPHELD: "Upheld: withdraw every entry below",
    AppealOutcome.PARTLY_UPHELD: "Partly upheld: withdraw the entries ticked",
    AppealOutcome.NOT_UPHELD: "Not upheld: the entries stay",
    AppealOutcome.REFERRED_TO_POLICE: "Referred to the police",
    AppealOutcome.WITHDRAWN: "Withdrawn by who appealed",
    AppealOutcome.NO_STANDING: "No standing",
}

POLICE_VIEW: Final[dict[PoliceView, str]] = {
    PoliceView.CRIMINAL: "Criminal",
    PoliceView.NOT_CRIMINAL: "Not criminal",
    PoliceView.NO_VIEW: "No view",
}


def actor(label: str) -> str:
    """Who acted, from the label of the audit log: a name, or which part of Vigil."""
    kind, _, name = label.partition(":")
    return name if kind == "user" else f"{name} (Vigil)" if kind == "system" else label


def act(code: str) -> str:
    """What an audit code means; the code itself where this version does not know it."""
    known = REGISTRY.get(code)
    return known.text if known else code

"""Enumeration values in words, and the shape of the tag each is shown with (kind of the design's ``status_tag``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vigil.hotline.audit.codes import REGISTRY
from vigil.hotline.lists.enumerations import (
    AppealOutcome,
    AppellantType,
    EntryReason,
    ListingDecision,
    PoliceView,
    PublicationState,
    RemovedReason,
)
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

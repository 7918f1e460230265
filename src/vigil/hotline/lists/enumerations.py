"""Enumerations of this room (facts: data model, section 5). Kinds of lists stand in :class:`vigil.editions.model.ListKind`."""

from __future__ import annotations

from enum import StrEnum


class Signal(StrEnum):
    """What an entry holds."""

    URL = "url"
    HASH = "hash"
    KEYWORD = "keyword"


class EntryReason(StrEnum):
    ASSESSED_CRIMINAL = "assessed_criminal"
    PARTNER_ASSESSED = "partner_assessed"
    DEDICATED_DOMAIN = "dedicated_domain"
    LINKS_DEDICATED = "links_dedicated"
    NP_CRIMINAL = "np_criminal"
    EVIDENCE_OF_NEED = "evidence_of_need"
    TEST = "test"


class RemovedReason(StrEnum):
    TAKEN_DOWN = "taken_down"
    MOVED = "moved"
    APPEAL_UPHELD = "appeal_upheld"
    RISK = "risk"
    ERROR = "error"
    EXPIRED = "expired"
    POLICE_REQUEST = "police_request"
    NOT_LIVE_AT_BUILD = "not_live_at_build"
    POLICY = "policy"  # nothing is wrong with the entry: two people, before it happens


class LivePolicy(StrEnum):
    """What the edition does with an entry whose last live check is older than the window of its list."""

    OFF = "off"
    FLAG = "flag"
    LEAVE_OUT = "leave_out"


class Guard(StrEnum):
    """Why an entry waits for a second approver before it takes effect."""

    WHOLE_HOST = "whole_host"
    POPULAR_HOST = "popular_host"
    OWN_SPACE = "own_space"
    PARTNER_SPACE = "partner_space"
    WIDER_THAN_REASON = "wider_than_reason"
    BENIGN_SAMPLE = "benign_sample"


class HeldReason(StrEnum):
    """Why an entry is held back from editions."""

    FLOOD = "flood"
    DISPUTED = "disputed"
    BY_HAND = "by_hand"


class ProposalState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"


class Opinion(StrEnum):
    """What a partner says about a match."""

    CONFIRM = "confirm"
    REJECT = "reject"


class VoteReason(StrEnum):
    """Why, as a code: no free text comes in."""

    SEEN_AND_AGREED = "seen_and_agreed"
    NOT_THE_SAME = "not_the_same"
    LAWFUL_HERE = "lawful_here"
    OWN_CONTENT = "own_content"
    GONE = "gone"
    TOO_WIDE = "too_wide"
    OTHER = "other"


class ListingDecision(StrEnum):
    LIST = "list"
    DO_NOT_LIST_RISK = "do_not_list_risk"
    DO_NOT_LIST_HOME_HOSTED = "do_not_list_home_hosted"
    DO_NOT_LIST_NOT_LIVE = "do_not_list_not_live"
    DELIST = "delist"
    PENDING = "pending"


class PublicationState(StrEnum):
    REQUESTED = "requested"
    BUILDING = "building"
    AWAITING = "awaiting"  # its draft waits for the release person's signature
    PUBLISHED = "published"
    FAILED = "failed"


class AppellantType(StrEnum):
    VICTIM = "victim"
    VICTIM_REPRESENTATIVE = "victim_representative"
    HOST = "host"
    PUBLISHER = "publisher"
    BLOCKED_USER = "blocked_user"
    DEPLOYER = "deployer"
    OTHER_PARTY = "other_party"


class AppealOutcome(StrEnum):
    UPHELD = "upheld"
    NOT_UPHELD = "not_upheld"
    PARTLY_UPHELD = "partly_upheld"
    REFERRED_TO_POLICE = "referred_to_police"
    WITHDRAWN = "withdrawn"
    NO_STANDING = "no_standing"


class PoliceView(StrEnum):
    CRIMINAL = "criminal"
    NOT_CRIMINAL = "not_criminal"
    NO_VIEW = "no_view"

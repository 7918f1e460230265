"""Enumerations of the intake (facts: data model, section 5). The only place where these values are written down."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """The technical way in; never derived from the source class or the other way round."""

    WEB_FORM = "web_form"
    PORTAL = "portal"
    PARTNER_API = "partner_api"
    EXCHANGE_PLATFORM = "exchange_platform"
    EMAIL = "email"
    PHONE = "phone"
    POST = "post"
    POLICE = "police"
    MEMBER = "member"
    CRAWLER = "crawler"
    PROACTIVE_SEARCH = "proactive_search"
    CHILD_SELF_REPORT = "child_self_report"


class SourceClass(StrEnum):
    """The statistical class of who reports."""

    PUBLIC = "public"
    POLICE = "police"
    MEMBER = "member"
    HOTLINE = "hotline"
    OTHER = "other"
    PROACTIVE = "proactive"
    CHILD_SERVICE = "child_service"


class SubmissionType(StrEnum):
    URL = "url"
    FILE = "file"
    HASH = "hash"
    TEXT = "text"
    ACCOUNT = "account"
    NEWSGROUP = "newsgroup"
    APP = "app"


class Theme(StrEnum):
    """What a report says it is about. A claim, never a finding."""

    CSAM = "csam"
    CSEM_GROOMING = "csem_grooming"
    SEXTORTION = "sextortion"
    NON_PHOTOGRAPHIC = "non_photographic"
    TEXT_CSAM = "text_csam"
    NUDISM_POSING = "nudism_posing"
    TRAFFICKING_TOURISM = "trafficking_tourism"
    OTHER_ILLEGAL = "other_illegal"
    LEGAL_CONCERN = "legal_concern"
    QUERY = "query"
    SPAM = "spam"


class AiNexus(StrEnum):
    """How artificial intelligence comes into it, as claimed."""

    AI_GENERATED = "ai_generated"
    AI_MANIPULATED_REAL_CHILD = "ai_manipulated_real_child"
    KNOWN_MATERIAL_IN_TRAINING_DATA = "known_material_in_training_data"
    PROMPT_OR_TEXT_ATTEMPT = "prompt_or_text_attempt"
    TOOL_OR_MODEL_OFFERED = "tool_or_model_offered"
    CHATBOT_CHARACTER = "chatbot_character"
    NO_INDICATION = "no_indication"
    UNKNOWN = "unknown"


class Priority(StrEnum):
    """In falling order of urgency: the queue goes by this first, then by age."""

    CHILD_AT_RISK = "child_at_risk"
    URGENT = "urgent"
    NORMAL = "normal"
    LOW = "low"


URGENCY: Final[dict[Priority, int]] = {priority: place for place, priority in enumerate(Priority)}


class Status(StrEnum):
    NEW = "new"
    TRIAGED = "triaged"
    IN_ASSESSMENT = "in_assessment"
    SECOND_REVIEW = "second_review"
    ADJUDICATION = "adjudication"
    AWAITING_POLICE = "awaiting_police"
    ACTIONED = "actioned"
    MONITORING = "monitoring"
    CLOSED = "closed"
    REOPENED = "reopened"


class Outcome(StrEnum):
    ACTIONED_CONTAINS = "actioned_contains"
    ACTIONED_LINKS = "actioned_links"
    ACTIONED_ADVERT = "actioned_advert"
    ACTIONED_INCHOATE = "actioned_inchoate"
    NON_PHOTOGRAPHIC = "non_photographic"
    NOT_CRIMINAL = "not_criminal"
    NOT_ACCESSIBLE = "not_accessible"
    DUPLICATE = "duplicate"
    OUT_OF_REMIT = "out_of_remit"
    SPAM = "spam"
    QUERY_ANSWERED = "query_answered"
    INSUFFICIENT_INFORMATION = "insufficient_information"


class AgeRange(StrEnum):
    """What a child says, or its service: never measured here."""

    UNDER_13 = "under_13"
    FROM_13_TO_15 = "13_15"
    FROM_16_TO_17 = "16_17"


class AgeAssurance(StrEnum):
    """What the service found out about the age: yes or no, never a date of birth."""

    CONFIRMED_UNDER_18 = "confirmed_under_18"
    NOT_REQUIRED = "not_required"
    FAILED = "failed"
    NOT_DONE = "not_done"


class ChildOutcome(StrEnum):
    """What a child is told, as a template in plain words."""

    HASHED_AND_SHARED = "hashed_and_shared"
    NOT_CRIMINAL = "not_criminal"
    ALREADY_KNOWN = "already_known"
    URL_REMOVED = "url_removed"
    REFERRED = "referred"
    MORE_INFORMATION_NEEDED = "more_information_needed"


class Tri(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class HashAlgorithm(StrEnum):
    """Fingerprints that a report may name a file by."""

    SHA256 = "sha256"
    SHA1 = "sha1"
    MD5 = "md5"
    PDQ = "pdq"


HEX_DIGITS: Final[dict[HashAlgorithm, int]] = {
    HashAlgorithm.SHA256: 64,
    HashAlgorithm.SHA1: 40,
    HashAlgorithm.MD5: 32,
    HashAlgorithm.PDQ: 64,
}

"""The assessment scheme: every value an assessor can choose, and the words shown for it.

The values are those of Vigil's data model and are stored as they stand here. Forms, database choices and
the analyst's guide are generated from this module or tested against it; nothing else spells them out.
``uk_severity`` follows the Sentencing Council's categories A to C; ``none`` and ``undetermined`` are additions
of Vigil, because a missing finding is never the mildest one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import TextChoices

from vigil.hotline.reports.enumerations import Outcome
from vigil.hotline.reports.lifecycle import ACTIONED_OUTCOMES
from vigil.hotline.welfare.modes import ViewMode

SCHEME_VERSION: Final = "1"


class ContentRole(TextChoices):
    """Why the page matters."""

    CONTAINS = "contains", "Contains"
    LINKS = "links", "Links to"
    ADVERTISES = "advertises", "Advertises"
    ENCOURAGES = "encourages", "Encourages, without a live link"


class SiteType(TextChoices):
    IMAGE_HOST = "image_host", "Image host"
    IMAGE_STORE = "image_store", "Image store"
    CYBERLOCKER = "cyberlocker", "Cyberlocker"
    FORUM = "forum", "Forum"
    WEBSITE_DEDICATED = "website_dedicated", "Website, dedicated to it"
    WEBSITE_OTHER = "website_other", "Website, other"
    SOCIAL = "social", "Social network"
    CHAT_MESSAGING = "chat_messaging", "Chat or messaging"
    VIDEO_CHANNEL = "video_channel", "Video channel"
    BLOG = "blog", "Blog"
    SEARCH_TRANSIENT = "search_transient", "Search result"
    LINK_LIST = "link_list", "List of links"
    WEB_ARCHIVE = "web_archive", "Web archive"
    NEWSGROUP = "newsgroup", "Newsgroup"
    P2P = "p2p", "Peer to peer"
    GENERATIVE_AI_SERVICE = "generative_ai_service", "Generative AI service"
    APP_STORE = "app_store", "App store"
    OTHER = "other", "Other"


class Severity(TextChoices):
    """The axis ``uk_severity``; stored with its prefix wherever it leaves this room."""

    A = "A", "Category A (gravest)"
    B = "B", "Category B"
    C = "C", "Category C"
    NONE = "none", "None of the three"
    UNDETERMINED = "undetermined", "Undetermined"


class AgeBand(TextChoices):
    AGE_0_2 = "0-2", "0 to 2"
    AGE_3_6 = "3-6", "3 to 6"
    AGE_7_10 = "7-10", "7 to 10"
    AGE_11_13 = "11-13", "11 to 13"
    AGE_14_15 = "14-15", "14 to 15"
    AGE_16_17 = "16-17", "16 to 17"
    ADULT = "adult", "Adult"
    INDETERMINATE = "indeterminate", "Cannot be told"


class SexRollUp(TextChoices):
    GIRLS = "girls", "Girls"
    BOYS = "boys", "Boys"
    BOTH = "both", "Both"
    UNIDENTIFIED = "unidentified", "Cannot be told"


class Realism(TextChoices):
    """How it looks under law; where it comes from is ``AiStatus``."""

    PHOTOGRAPHIC = "photographic", "Photographic"
    PSEUDO_PHOTOGRAPH = "pseudo_photograph", "Looks like a photograph"
    NON_PHOTOGRAPHIC = "non_photographic", "Drawn or rendered"


class AiStatus(TextChoices):
    CONFIRMED = "confirmed", "AI confirmed"
    SUSPECTED = "suspected", "AI suspected"
    NONE_SEEN = "none_seen", "No sign of AI"
    UNKNOWN = "unknown", "Not known"


class AiBasis(TextChoices):
    """On what the AI status rests."""

    DECLARED = "declared", "Declared by the publisher"
    WATERMARK = "watermark", "Watermark"
    PROVENANCE_METADATA = "provenance_metadata", "Provenance metadata"
    ARTEFACT = "artefact", "Visible artefacts"
    SOURCE_CONTEXT = "source_context", "Context of the source"
    KNOWN_ORIGINAL = "known_original", "Original is known"


class AiManner(TextChoices):
    FULLY_GENERATED = "fully_generated", "Fully generated"
    ALTERED_REAL_IMAGE = "altered_real_image", "A real image, altered"
    FACE_REPLACED = "face_replaced", "Face replaced"
    KNOWN_VICTIM_LIKENESS = "known_victim_likeness", "Likeness of a known victim"
    UNKNOWN = "unknown", "Not known"


class SelfGenerated(TextChoices):
    """Shown as "taken by the child": the word must not put blame on the child."""

    YES_COERCED = "yes_coerced", "Yes, under coercion"
    YES_SHARED_ON = "yes_shared_on", "Yes, shared on by others"
    NO = "no", "No"
    UNCLEAR = "unclear", "Unclear"


class RealChildLink(TextChoices):
    KNOWN_VICTIM = "known_victim", "A known victim"
    LIKELY_REAL = "likely_real", "Likely a real child"
    NONE_FOUND = "none_found", "None found"
    UNKNOWN = "unknown", "Not known"


class Setting(TextChoices):
    DOMESTIC = "domestic", "Domestic"
    OUTDOOR = "outdoor", "Outdoor"
    INSTITUTION = "institution", "Institution"
    VEHICLE = "vehicle", "Vehicle"
    STUDIO = "studio", "Studio"
    OTHER = "other", "Other"
    UNKNOWN = "unknown", "Not known"


class Confidence(TextChoices):
    HIGH = "high", "High"
    MEDIUM = "medium", "Medium"
    LOW = "low", "Low"


class Stage(TextChoices):
    FIRST = "first", "First"
    SECOND = "second", "Second"
    THIRD = "third", "Third"
    ADJUDICATION = "adjudication", "Adjudication"
    APPEAL = "appeal", "Appeal"
    QA = "qa", "Quality sample"


class RollUpSource(TextChoices):
    COMPUTED = "computed", "Computed from labels"
    MANUAL_ROLL_UP = "manual_roll_up", "Chosen by the assessor"


class Rationale(TextChoices):
    """Coded reason; free words go to the sealed notes. The codes are Vigil's own."""

    KNOWN_MATCH = "known_match", "Matches known material"
    SEEN_AT_SOURCE = "seen_at_source", "Seen at its source"
    PARTNER_FINDING = "partner_finding", "A partner's finding, checked"
    PAGE_CONTEXT = "page_context", "Text and context of the page"
    LINKS_CHECKED = "links_checked", "Links lead to known material"
    NOTHING_FOUND = "nothing_found", "Nothing of the kind found"
    GONE_OR_CLOSED = "gone_or_closed", "Gone, or behind a closed door"
    REMIT_OR_LAW = "remit_or_law", "Remit or law"
    REPORT_UNCLEAR = "report_unclear", "The report is unclear"


OUTCOMES: Final[dict[Outcome, str]] = {
    Outcome.ACTIONED_CONTAINS: "CSAM: the page contains it",
    Outcome.ACTIONED_LINKS: "CSAM: the page links to it",
    Outcome.ACTIONED_ADVERT: "CSAM: the page advertises it",
    Outcome.ACTIONED_INCHOATE: "CSAM: the page encourages or signposts",
    Outcome.NON_PHOTOGRAPHIC: "Prohibited non-photographic material",
    Outcome.NOT_CRIMINAL: "Not found to be CSAM",
    Outcome.NOT_ACCESSIBLE: "Could not be reached",
    Outcome.OUT_OF_REMIT: "Outside our remit",
    Outcome.SPAM: "Spam",
    Outcome.QUERY_ANSWERED: "A question, answered",
    Outcome.INSUFFICIENT_INFORMATION: "Not enough to go on",
}
"""What an assessor can find, in words. ``duplicate`` is missing: only the duplicate rule gives it."""

FOUND: Final = ACTIONED_OUTCOMES | {Outcome.NON_PHOTOGRAPHIC}
"""Outcomes that say something was found: they need a full finding, and a second person decides on listing."""

ROLE_OF_OUTCOME: Final = {
    Outcome.ACTIONED_CONTAINS: ContentRole.CONTAINS,
    Outcome.ACTIONED_LINKS: ContentRole.LINKS,
    Outcome.ACTIONED_ADVERT: ContentRole.ADVERTISES,
    Outcome.ACTIONED_INCHOATE: ContentRole.ENCOURAGES,
}


@dataclass(frozen=True, slots=True)
class Question:
    """One thing an assessor is asked.

    ``group`` is the heading it stands under; ``finding`` marks answers that belong to a finding (see
    ``FOUND``): asked then, and out of place otherwise. ``many`` allows several answers.
    """

    name: str
    choices: tuple[tuple[str, str], ...]
    label: str
    group: str
    hint: str = ""
    finding: bool = True
    required: bool = True
    many: bool = False

    @property
    def values(self) -> frozenset[str]:
        """The values as stored."""
        return frozenset(value for value, _ in self.choices)

    def words(self, value: str) -> str:
        """A stored value in words; the value itself where a later scheme dropped it."""
        return dict(self.choices).get(value, value)


def choices_of(enumeration: type[TextChoices]) -> tuple[tuple[str, str], ...]:
    """An enumeration as pairs of value and words."""
    return tuple((member.value, str(member.label)) for member in enumeration)


RESULT, PAGE, DEPICTED, ORIGIN = "Result", "The page", "What is depicted", "Where it comes from"
GROUPS: Final = (RESULT, PAGE, DEPICTED, ORIGIN)

QUESTIONS: Final = (
    Question("outcome", tuple((str(k), v) for k, v in OUTCOMES.items()), "Outcome", RESULT, finding=False),
    Question("confidence", choices_of(Confidence), "Confidence", RESULT, finding=False),
    Question("rationale_code", choices_of(Rationale), "Reason", RESULT, finding=False),
    Question(
        "view_mode_max",
        choices_of(ViewMode),
        "Most you have seen",
        RESULT,
        "What you saw here is filled in. Say more if you saw more elsewhere, for example at the source.",
        finding=False,
    ),
    Question("site_type", choices_of(SiteType), "Kind of site", PAGE),
    Question("content_role", choices_of(ContentRole), "What the page does", PAGE),
    Question("severity", choices_of(Severity), "Severity (UK A to C)", DEPICTED, "The gravest seen on the page."),
    Question("age_youngest", choices_of(AgeBand), "Age of the youngest", DEPICTED, "The youngest seen on the page."),
    Question("sex", choices_of(SexRollUp), "Sex", DEPICTED),
    Question("setting", choices_of(Setting), "Setting", DEPICTED, required=False),
    Question(
        "self_generated",
        choices_of(SelfGenerated),
        "Taken by the child",
        DEPICTED,
        "Coercion and grooming are common. The answer puts no blame on the child.",
    ),
    Question("realism", choices_of(Realism), "Realism", ORIGIN, "How it looks, not where it comes from."),
    Question("ai_status", choices_of(AiStatus), "AI", ORIGIN),
    Question("ai_basis", choices_of(AiBasis), "AI: on what basis", ORIGIN, required=False, many=True),
    Question("ai_manner", choices_of(AiManner), "AI: in what manner", ORIGIN, required=False),
    Question("real_child_link", choices_of(RealChildLink), "Link to a real child", ORIGIN),
)

BY_NAME: Final = {question.name: question for question in QUESTIONS}

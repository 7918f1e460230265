"""Questions about one file, and the rules of its answers: the image-level stream, kept apart from that of the page.

Severity is not asked: it is computed from the labels by the mappings in force. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import TextChoices

from vigil.base.limits import Limit
from vigil.hotline.assessments import scheme
from vigil.hotline.assessments.rules import Problem
from vigil.hotline.assessments.scheme import AgeBand, AiStatus, Question, choices_of
from vigil.hotline.schemes.labels import OWN

CHILDREN: Final = Limit(12, "children", "a form has an end; a crowd is said in the notes")


class Tri(TextChoices):
    YES = "yes", "Yes"
    NO = "no", "No"
    UNKNOWN = "unknown", "Cannot be told"


class Maturity(TextChoices):
    """What A1 to B2 asks for: not years."""

    INFANT = "infant", "Infant"
    PREPUBESCENT = "prepubescent", "Prepubescent"
    PUBESCENT = "pubescent", "Pubescent"
    ADULT = "adult", "Adult"
    INDETERMINATE = "indeterminate", "Cannot be told"


class ChildSex(TextChoices):
    GIRL = "girl", "Girl"
    BOY = "boy", "Boy"
    UNIDENTIFIED = "unidentified", "Cannot be told"


class CaptureType(TextChoices):
    STILL = "still", "Still picture"
    VIDEO = "video", "Video"
    LIVE_STREAM_CAPTURE = "live_stream_capture", "Captured live stream"
    SCREEN_RECORDING = "screen_recording", "Recording of a screen"
    UNKNOWN = "unknown", "Not known"


class NewOrKnown(TextChoices):
    NEW = "new", "New to us"
    KNOWN_OWN = "known_own", "Known to us"
    KNOWN_PARTNER = "known_partner", "Known to a partner"
    KNOWN_POLICE = "known_police", "Known to the police"


ACTIVITY: Final = tuple((label.label_id.partition("=")[2], label.text) for label in OWN if label.label_id.startswith("activity="))

DEPICTED, FILE, ORIGIN = "What is depicted", "The file", "Where it comes from"
GROUPS: Final = (DEPICTED, FILE, ORIGIN)

QUESTIONS: Final = (
    Question("activity", ACTIVITY, "Activity", DEPICTED, "Everything that applies.", many=True),
    Question("animal", choices_of(Tri), "Animal", DEPICTED),
    Question("sadism", choices_of(Tri), "Sadism or degradation", DEPICTED),
    Question("violence", choices_of(Tri), "Violence", DEPICTED, required=False),
    Question("adult_present", choices_of(Tri), "Adult present", DEPICTED, required=False),
    Question("setting", choices_of(scheme.Setting), "Setting", DEPICTED, required=False),
    Question("self_generated", choices_of(scheme.SelfGenerated), "Taken by the child", DEPICTED,
             "Coercion and grooming are common. The answer puts no blame on the child."),
    Question("capture_type", choices_of(CaptureType), "Kind", FILE, required=False),
    Question("new_or_known", choices_of(NewOrKnown), "New or known", FILE),
    Question("confidence", choices_of(scheme.Confidence), "Confidence", FILE),
    Question("realism", choices_of(scheme.Realism), "Realism", ORIGIN),
    Question("ai_status", choices_of(AiStatus), "AI", ORIGIN),
    Question("ai_basis", choices_of(scheme.AiBasis), "AI: on what basis", ORIGIN, required=False, many=True),
    Question("ai_manner", choices_of(scheme.AiManner), "AI: in what manner", ORIGIN, required=False),
    Question("real_child_link", choices_of(scheme.RealChildLink), "Link to a real child", ORIGIN),
)  # fmt: skip
BY_NAME: Final = {question.name: question for question in QUESTIONS}

CHILD_QUESTIONS: Final = (
    Question("age_band", choices_of(AgeBand), "Age", DEPICTED),
    Question("appears_under_13", choices_of(Tri), "Appears under 13", DEPICTED),
    Question("maturity", choices_of(Maturity), "Maturity", DEPICTED),
    Question("sex", choices_of(ChildSex), "Sex", DEPICTED),
)
YOUNGEST_FIRST: Final = tuple(AgeBand.values)
UNDER_13: Final = frozenset({"0-2", "3-6", "7-10"})
OVER_13: Final = frozenset({"14-15", "16-17", "adult"})


@dataclass(frozen=True, slots=True)
class Child:
    """One visible child. ``appears_under_13`` and ``maturity`` are asked apart: an age band cannot give them."""

    age_band: str
    appears_under_13: str
    maturity: str
    sex: str


def problems_of(answers: Mapping[str, Any], children: Sequence[Child]) -> list[Problem]:
    """Everything that keeps these answers from being the assessment of a file."""
    return [*_questions(answers), *_activity(answers), *_ai(answers), *_children(answers, children)]


def _questions(answers: Mapping[str, Any]) -> Iterator[Problem]:
    for question in QUESTIONS:
        given = answers.get(question.name)
        values = list(given or []) if question.many else [given] if given else []
        if any(value not in question.values for value in values):
            yield Problem(question.name, "value_unknown", "Choose one of the answers offered.")
        elif question.required and not values:
            yield Problem(question.name, "answer_missing", f"{question.label}: choose an answer.")


def _activity(answers: Mapping[str, Any]) -> Iterator[Problem]:
    given = set(answers.get("activity") or [])
    if "no_activity" in given and len(given) > 1:
        yield Problem("activity", "answers_disagree", "None of these goes with no other answer.")


def _ai(answers: Mapping[str, Any]) -> Iterator[Problem]:
    ai = answers.get("ai_status") in (AiStatus.CONFIRMED, AiStatus.SUSPECTED)
    if ai and not answers.get("ai_basis"):
        yield Problem("ai_basis", "basis_missing", "Say on what the finding of AI rests.")
    if not ai and (answers.get("ai_basis") or answers.get("ai_manner")):
        yield Problem("ai_basis", "answer_out_of_place", "Clear this, or say that AI was found.")


def _children(answers: Mapping[str, Any], children: Sequence[Child]) -> Iterator[Problem]:
    indecent = set(answers.get("activity") or []) - {"no_activity"}
    if indecent and not children:
        yield Problem("children", "children_missing", "Say age, maturity and sex of at least one child.")
    if len(children) > CHILDREN.value:
        yield Problem("children", "children_many", f"At most {CHILDREN.value} children; say the rest in the notes.")
    for child in children:
        yield from _child(child)


def _child(child: Child) -> Iterator[Problem]:
    given = {question.name: getattr(child, question.name) for question in CHILD_QUESTIONS}
    if any(given[question.name] not in question.values for question in CHILD_QUESTIONS):
        yield Problem("children", "value_unknown", "Each child needs age, appears under 13, maturity and sex.")
        return
    under = child.appears_under_13
    if (child.age_band in UNDER_13 and under == Tri.NO) or (child.age_band in OVER_13 and under == Tri.YES):
        yield Problem("children", "ages_disagree", "The age and whether the child appears under 13 do not fit.")


def labels_of(answers: Mapping[str, Any], children: Sequence[Child]) -> dict[str, frozenset[str]]:
    """What the mappings read: the gravest reading over all children (the youngest maturity; under 13 if anyone is)."""
    groups: dict[str, frozenset[str]] = {"activity": frozenset(answers.get("activity") or [])}
    for name in ("animal", "sadism", "realism", "real_child_link"):
        value = str(answers.get(name) or "")
        groups[name] = frozenset({value} if value else ())
    groups["maturity"] = _youngest_maturity(children)
    groups["appears_under_13"] = _under_13(children)
    return groups


def _youngest_maturity(children: Sequence[Child]) -> frozenset[str]:
    found = {"prepubescent" if child.maturity == Maturity.INFANT else child.maturity for child in children}
    for value in (Maturity.PREPUBESCENT, Maturity.PUBESCENT):
        if value in found:
            # Somebody whose maturity cannot be told may be younger than the youngest that can.
            certain = value == Maturity.PREPUBESCENT or Maturity.INDETERMINATE not in found
            return frozenset({value.value}) if certain else frozenset()
    return frozenset({Maturity.ADULT.value}) if found == {Maturity.ADULT} else frozenset()


def _under_13(children: Sequence[Child]) -> frozenset[str]:
    found = {child.appears_under_13 for child in children}
    if Tri.YES in found:
        return frozenset({"yes"})
    return frozenset({"no"}) if found == {Tri.NO} else frozenset()

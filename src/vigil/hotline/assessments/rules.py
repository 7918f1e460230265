"""Which answers belong together. Pure: answers in, problems out.

Each rule names the fields it speaks about, so that a form can put the message beside the right question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vigil.hotline.assessments import scheme
from vigil.hotline.assessments.scheme import AgeBand, AiStatus, Question, Realism, Severity
from vigil.hotline.reports.enumerations import Outcome


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the answer to one question. The text holds no answer."""

    field: str
    code: str
    what: str


Answers = Mapping[str, Any]


def problems_of(answers: Answers) -> list[Problem]:
    """Everything that keeps these answers from being an assessment; empty when they are one."""
    problems = [*_unknown_values(answers), *_missing(answers), *_out_of_place(answers)]
    return problems or [*_finding_rules(answers), *_ai_rules(answers)]


def _unknown_values(answers: Answers) -> Iterator[Problem]:
    for question in scheme.QUESTIONS:
        if any(value not in question.values for value in _given(question, answers)):
            yield Problem(question.name, "value_unknown", "Choose one of the answers offered.")


def _given(question: Question, answers: Answers) -> list[str]:
    answer = answers.get(question.name)
    if not answer:
        return []
    return list(answer) if question.many else [answer]


def _missing(answers: Answers) -> Iterator[Problem]:
    found = answers.get("outcome") in scheme.FOUND
    for question in scheme.QUESTIONS:
        asked = question.required and (found or not question.finding)
        if asked and not answers.get(question.name):
            yield Problem(question.name, "answer_missing", f"{question.label}: choose an answer.")


def _out_of_place(answers: Answers) -> Iterator[Problem]:
    if answers.get("outcome") in scheme.FOUND:
        return
    for question in scheme.QUESTIONS:
        if question.finding and question.name != "site_type" and answers.get(question.name):
            yield Problem(
                question.name,
                "answer_out_of_place",
                "This belongs to a finding. Clear it, or choose an outcome that says something was found.",
            )


def _finding_rules(answers: Answers) -> Iterator[Problem]:
    outcome = answers["outcome"]
    if outcome not in scheme.FOUND:
        return
    expected = scheme.ROLE_OF_OUTCOME.get(outcome)
    if expected is not None and answers["content_role"] != expected:
        yield Problem("content_role", "role_disagrees", "This does not fit the outcome. Change one of them.")
    drawn = answers["realism"] == Realism.NON_PHOTOGRAPHIC
    if drawn != (outcome == Outcome.NON_PHOTOGRAPHIC):
        yield Problem("realism", "realism_disagrees", "Drawn or rendered material has an outcome of its own.")
    if outcome == Outcome.ACTIONED_CONTAINS:
        yield from _depicted_rules(answers)


def _depicted_rules(answers: Answers) -> Iterator[Problem]:
    """What a page is said to contain must be a depiction of a child, and have a category."""
    if answers["age_youngest"] == AgeBand.ADULT:
        yield Problem("age_youngest", "youngest_is_adult", "If the youngest is an adult, this is not CSAM.")
    if answers["severity"] == Severity.NONE:
        yield Problem("severity", "severity_none", "Give a category, or say that it is undetermined.")


def _ai_rules(answers: Answers) -> Iterator[Problem]:
    if answers["outcome"] not in scheme.FOUND:
        return
    ai = answers["ai_status"] in (AiStatus.CONFIRMED, AiStatus.SUSPECTED)
    if ai and not answers.get("ai_basis"):
        yield Problem("ai_basis", "basis_missing", "Say on what the finding of AI rests.")
    if not ai:
        for name in ("ai_basis", "ai_manner"):
            if answers.get(name):
                yield Problem(name, "answer_out_of_place", "Clear this, or say that AI was found.")

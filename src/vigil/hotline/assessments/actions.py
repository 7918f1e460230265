"""Recording an assessment, and showing what is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Model

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.assessments import codes, scheme
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.assessments.queries import in_force
from vigil.hotline.assessments.rules import problems_of
from vigil.hotline.assessments.scheme import Stage
from vigil.hotline.audit.actions import record
from vigil.hotline.reports.actions import (
    do_close,
    do_move,
    do_release,
    locked,
    require_holder,
    require_open,
    require_version,
)
from vigil.hotline.reports.enumerations import Outcome, Status
from vigil.hotline.reports.models import Report

NOTES_CHARACTERS: Final = Limit(10_000, "characters", "notes are for a few lines; more belongs elsewhere")
REVEALABLE: Final = ("address", "words", "notes", "entry", "appeal")
"""What can be shown of a case (its address, the reporter's words, assessors' notes), an entry, an appeal."""


class NotAnAssessment(InputError):  # noqa: N818 - named for what it says
    """The answers do not make an assessment; ``problems`` say why, field by field."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.problems = problems_of(answers)
        super().__init__(
            "answers_incomplete",
            "These answers are not yet an assessment.",
            where=", ".join(sorted({problem.field for problem in self.problems})),
            mend="Go through the marked questions.",
        )


def check_assess(person: Person, report: Report, answers: Mapping[str, Any], notes: str, *, version: int) -> None:
    """Refuse unless the person holds the open case as it is now, and the answers make an assessment.

    ``version`` is that of the report on the page that was filled in.
    """
    must(person, Permission.ASSESS)
    require_open(report)
    require_version(report, version)
    require_holder(person, report)
    if set(answers) - set(scheme.BY_NAME):
        raise InputError("answer_unknown", "An answer to a question that is not asked.", where="answers")
    if len(notes) > NOTES_CHARACTERS.value:
        raise InputError("notes_too_long", f"Notes have at most {NOTES_CHARACTERS.value} characters.", where="notes")
    if problems_of(answers):
        raise NotAnAssessment(answers)


def do_assess(
    person: User, report: Report, answers: Mapping[str, Any], notes: str = "", *, version: int, started_at: datetime
) -> Assessment:
    """Write the assessment down and move the case on, in one transaction.

    Something found: the case waits for a second person, who decides on listing. Nothing found: it is closed with
    its outcome. An assessment that is already there stays, superseded by this one.
    """
    with transaction.atomic():
        fresh = locked(report)
        check_assess(person, fresh, answers, notes, version=version)
        before = in_force(fresh)
        assessment = _new_row(person, fresh, answers, notes, before, started_at)
        assessment.save(force_insert=True)
        code = codes.CORRECTED if before else codes.ASSESSED
        record(
            person, code, assessment, case=str(fresh.pk), number=assessment.number,
            stage=assessment.stage, outcome=assessment.outcome,
        )  # fmt: skip
        if not assessment.found:
            do_close(person, fresh, Outcome(assessment.outcome))
        elif fresh.status == Status.SECOND_REVIEW:
            do_release(person, fresh)
        else:
            do_move(person, fresh, Status.SECOND_REVIEW)
    return assessment


def _new_row(
    person: User,
    report: Report,
    answers: Mapping[str, Any],
    notes: str,
    before: Assessment | None,
    started_at: datetime,
) -> Assessment:
    submission = report.submissions.filter(url__isnull=False).first()
    given = {name: answers.get(name) or ([] if question.many else "") for name, question in scheme.BY_NAME.items()}
    return Assessment(
        report=report,
        url=submission.url if submission else None,
        number=before.number + 1 if before else 1,
        stage=_stage(person, before),
        assessor=person,
        started_at=started_at,
        scheme_version=scheme.SCHEME_VERSION,
        supersedes=before,
        notes=notes or None,
        created_by=person.label,
        **given,
    )


def _stage(person: User, before: Assessment | None) -> Stage:
    """A person who corrects themselves stays at their stage; another person is the next one."""
    if before is None or (before.assessor_id == person.pk and before.stage == Stage.FIRST):
        return Stage.FIRST
    return Stage.SECOND if before.assessor_id != person.pk or before.stage == Stage.SECOND else Stage(before.stage)


def do_reveal(person: Person, subject: Model | str, what: str) -> None:
    """Write down that ``what`` (see ``REVEALABLE``) of a case, an entry or an appeal is about to be shown.

    The row is there before anything is shown. It serves the analyst's own welfare and the auditor.
    """
    must(person, Permission.CONTENT_REVEAL)
    if what not in REVEALABLE:
        raise InputError("nothing_to_reveal", "There is nothing of that kind to show.", where="what")
    with transaction.atomic():
        record(person, codes.REVEALED, subject, purpose="casework", what=what)

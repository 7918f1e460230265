"""Recording an assessment, and showing what is sealed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Model

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.assessments import codes, scheme
from vigil.hotline.assessments.files import rolled_up
from vigil.hotline.assessments.models import Assessment, CaseWarning
from vigil.hotline.assessments.queries import assessors_of, in_force
from vigil.hotline.assessments.reviewing import Review, needs_new_plan, review_of
from vigil.hotline.assessments.rollup import RollUp
from vigil.hotline.assessments.rules import problems_of
from vigil.hotline.assessments.scheme import RollUpSource, Stage
from vigil.hotline.audit.actions import record, subject_of
from vigil.hotline.reports.actions import (
    do_close,
    do_move,
    do_release,
    do_take_next,
    locked,
    require_holder,
    require_open,
    require_version,
)
from vigil.hotline.reports.enumerations import Outcome, Priority, Status
from vigil.hotline.reports.models import Report
from vigil.hotline.reviews.actions import do_plan
from vigil.hotline.reviews.policy import Risk, Situation
from vigil.hotline.reviews.queries import tenure_of
from vigil.hotline.welfare.actions import WORDS, do_note_severity, note_look
from vigil.hotline.welfare.models import ExposureEvent
from vigil.hotline.welfare.modes import ViewMode, most_revealing
from vigil.hotline.welfare.queries import preferences_of, state_for

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

    The review policy plans further looks with the first assessment. While one is pending the case waits for it; looks
    that disagree go to adjudication. Then: something found waits for a second person, who decides on listing; nothing
    found closes the case with its outcome. Severity, age and sex are computed where files of the case were assessed.
    """
    with transaction.atomic():
        fresh = locked(report)
        computed = rolled_up(fresh) if answers.get("outcome") in scheme.FOUND else None
        answers = {**answers, **_computed(computed)} if computed else answers
        check_assess(person, fresh, answers, notes, version=version)
        review = review_of(fresh)
        if fresh.status == Status.ADJUDICATION:
            check_adjudicate(person, fresh)
        before = in_force(fresh)
        assessment = _new_row(person, fresh, answers, notes, before, started_at, review)
        if computed:
            assessment.roll_up_source, assessment.roll_up_from = RollUpSource.COMPUTED, computed.sources()
        if needs_new_plan(fresh, review):
            do_plan(person, fresh, subject_of(fresh), _situation(person, fresh, assessment), at=assessment.created_at)
        assessment.save(force_insert=True)
        code = codes.CORRECTED if assessment.supersedes else codes.ASSESSED
        record(
            person, code, assessment, case=str(fresh.pk), number=assessment.number,
            stage=assessment.stage, outcome=assessment.outcome,
        )  # fmt: skip
        do_note_severity(person, fresh, assessment.severity or "none")
        _move_on(person, fresh, assessment)
    return assessment


def _computed(found: RollUp) -> dict[str, str]:
    return {"severity": found.severity, "age_youngest": found.age_youngest, "sex": found.sex}


def _move_on(person: User, report: Report, assessment: Assessment) -> None:
    """To the further look that is planned, to adjudication, to the listing decision, or to its end."""
    review = review_of(report)
    if review.disagree:
        do_move(person, report, Status.ADJUDICATION)
    elif not review.pending and not assessment.found:
        do_close(person, report, Outcome(assessment.outcome))
    elif report.status == Status.SECOND_REVIEW:
        do_release(person, report)
    else:
        do_move(person, report, Status.SECOND_REVIEW)


def check_adjudicate(person: Person, report: Report) -> None:
    """By somebody who reviews and took no part in the looks that disagree."""
    must(person, Permission.SECOND_REVIEW)
    must_differ(person, assessors_of(report), "Adjudication")


def _situation(person: User, report: Report, assessment: Assessment) -> Situation:
    risks = set()
    if assessment.url is not None and not _actioned_before(report, assessment.url.host):
        risks.add(Risk.NEW_HOST)
    if report.priority == Priority.CHILD_AT_RISK:
        risks.add(Risk.CHILD_AT_RISK)
    if assessment.ai_status in (scheme.AiStatus.CONFIRMED, scheme.AiStatus.SUSPECTED):
        risks.add(Risk.AI)
    if assessment.confidence == scheme.Confidence.LOW:
        risks.add(Risk.LOW_CONFIDENCE)
    return Situation("url", assessment.outcome, assessment.found, tenure_of(person), frozenset(risks))


def _actioned_before(report: Report, host: str) -> bool:
    others = Report.objects.filter(submissions__url__host=host, status=Status.ACTIONED).exclude(pk=report.pk)
    return others.exists()


def _new_row(
    person: User,
    report: Report,
    answers: Mapping[str, Any],
    notes: str,
    before: Assessment | None,
    started_at: datetime,
    review: Review,
) -> Assessment:
    submission = report.submissions.filter(url__isnull=False).select_related("url").first()
    given = {name: answers.get(name) or ([] if question.many else "") for name, question in scheme.BY_NAME.items()}
    given["view_mode_max"] = most_revealing([str(given["view_mode_max"]), *_modes_seen(person, report)])
    stage, blind, supersedes = _stage(person, report, before, review)
    last = report.assessments.order_by("-number").values_list("number", flat=True).first()
    return Assessment(
        report=report,
        url=submission.url if submission else None,
        number=(last or 0) + 1,
        stage=stage,
        blind=blind,
        assessor=person,
        started_at=started_at,
        scheme_version=scheme.SCHEME_VERSION,
        supersedes=supersedes,
        notes=notes or None,
        created_by=person.label,
        **given,
    )


def _modes_seen(person: User, report: Report) -> list[str]:
    """How this person looked at the case and its files, by their own ledger: no less is written down."""
    files = [f"media:{pk}" for pk in report.sightings.values_list("media", flat=True)]
    looks = ExposureEvent.objects.filter(analyst=person, subject__in=[subject_of(report), *files])
    return list(looks.values_list("mode", flat=True).distinct())


def _stage(
    person: User, report: Report, before: Assessment | None, review: Review
) -> tuple[Stage, bool, Assessment | None]:
    """(stage, blind, what it supersedes). A planned look stands beside the others; who looked already corrects their own."""
    if report.status == Status.ADJUDICATION:
        return Stage.ADJUDICATION, False, None
    planned = review.next_stage_for(person.label)
    if planned:
        return Stage(planned), review.blind_for(person), None
    if review.pending:
        own = report.assessments.filter(created_by=person.label, superseded_by=None).order_by("-number").first()
        return (Stage(own.stage), own.blind, own) if own else (Stage.FIRST, False, None)
    if before is None or (before.assessor_id == person.pk and before.stage == Stage.FIRST):
        return Stage.FIRST, False, _free(before)
    return (Stage.SECOND if before.assessor_id != person.pk else Stage(before.stage)), False, _free(before)


def _free(before: Assessment | None) -> Assessment | None:
    """The row to supersede, unless another one supersedes it already."""
    return None if before is None or hasattr(before, "superseded_by") else before


def do_take_next_fit(person: User) -> Report | None:
    """Take the next case that suits the person: none while on a break or on other work, none of what they opted out of."""
    state = state_for(person)
    if state.refuses:
        raise RefusedError(f"look_{state.fitness.value}", WORDS[state.fitness], mend="See your own page, Wellbeing.")
    opted_out = preferences_of(person).opt_outs
    return do_take_next(person, leaving=CaseWarning.objects.filter(kind__in=opted_out).values("report") if opted_out else None)


def do_reveal(person: Person, subject: Model | str, what: str) -> None:
    """Write down that ``what`` (see ``REVEALABLE``) of a case, an entry or an appeal is about to be shown.

    The row is there before anything is shown. It serves the analyst's own welfare and the auditor.
    """
    must(person, Permission.CONTENT_REVEAL)
    if what not in REVEALABLE:
        raise InputError("nothing_to_reveal", "There is nothing of that kind to show.", where="what")
    with transaction.atomic():
        record(person, codes.REVEALED, subject, purpose="casework", what=what)
        if isinstance(person, User):
            note_look(person, subject, ViewMode.FACTS)

"""Assessing a file: labels and children as they were seen, then what each mapping in force makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.assessments import codes, grades, scheme
from vigil.hotline.assessments.actions import NOTES_CHARACTERS
from vigil.hotline.assessments.files import SEVERITY
from vigil.hotline.assessments.grades import Child, labels_of, problems_of
from vigil.hotline.assessments.models import CaseWarning, Depiction, LabelApplied, LegalityResult, MediaAssessment
from vigil.hotline.assessments.reviewing import Review, review_of_file
from vigil.hotline.assessments.rules import Problem
from vigil.hotline.assessments.scheme import Stage
from vigil.hotline.audit.actions import record, subject_of
from vigil.hotline.reports.actions import locked, require_holder, require_open
from vigil.hotline.reports.models import Media, Report
from vigil.hotline.reviews.actions import do_plan
from vigil.hotline.reviews.policy import Risk, Situation
from vigil.hotline.reviews.queries import tenure_of
from vigil.hotline.schemes.labels import OWN, OWN_SCHEME, OWN_VERSION
from vigil.hotline.schemes.mapping import Rules, compute
from vigil.hotline.schemes.models import SchemeLabel
from vigil.hotline.schemes.queries import mapping_in_force, mappings_in_force
from vigil.hotline.welfare.actions import do_note_severity
from vigil.hotline.welfare.models import ExposureEvent, Warned
from vigil.hotline.welfare.modes import most_revealing

ImportedLabel = tuple[str, str, str]
"""(scheme, version, label id) of an imported scheme."""


class NotAGrade(InputError):  # noqa: N818 - named for what it says
    """The answers do not make the assessment of a file; ``problems`` say why."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        where = ", ".join(sorted({problem.field for problem in problems}))
        super().__init__("grade_incomplete", "These answers are not yet an assessment.", where=where)


def check_grade(person: Person, report: Report, media: Media, known: int, review: Review) -> None:
    """By who holds the open case; the file is of it; nobody graded it while the page was open (``known`` assessments then)."""
    must(person, Permission.ASSESS)
    require_open(report)
    require_holder(person, report)
    if not media.sightings.filter(report=report).exists():
        raise InputError("file_elsewhere", "This file was not seen in this case.", where="file")
    if MediaAssessment.objects.filter(media=media).count() != known:
        raise RefusedError("file_changed", "Somebody assessed this file meanwhile.", mend="Look again, then save again.")
    if review.disagree:
        must(person, Permission.SECOND_REVIEW)
        must_differ(person, {look.created_by for look in review.looks}, "Adjudication")


def do_grade(
    person: User,
    report: Report,
    media: Media,
    answers: Mapping[str, Any],
    children: Sequence[Child] = (),
    *,
    known: int,
    started_at: datetime,
    notes: str = "",
    imported: Iterable[ImportedLabel] = (),
) -> MediaAssessment:
    """Write down the assessment of a file, its children, labels and what each axis makes of them, in one transaction."""
    _check_answers(answers, children, notes)
    labels = _imported(imported)
    with transaction.atomic():
        fresh = locked(report)
        review = review_of_file(media)
        check_grade(person, fresh, media, known, review)
        made = _row(person, fresh, media, answers, notes, known, started_at, review)
        try:
            with transaction.atomic():
                made.save(force_insert=True)
        except IntegrityError as error:
            raise RefusedError("file_changed", "Somebody assessed this file just now.", mend="Look again.") from error
        _children_and_labels(person, made, children, labels)
        results = _legality(person, made, mappings_in_force(), children, labels)
        record(
            person, codes.GRADED, made, case=str(fresh.pk), file=media.label, stage=made.stage,
            severity=results.get(SEVERITY, ""),
        )  # fmt: skip
        _after(person, fresh, media, made, children, review, results)
    return made


def _check_answers(answers: Mapping[str, Any], children: Sequence[Child], notes: str) -> None:
    if set(answers) - set(grades.BY_NAME):
        raise InputError("answer_unknown", "An answer to a question that is not asked.", where="answers")
    if len(notes) > NOTES_CHARACTERS.value:
        raise InputError("notes_too_long", f"Notes have at most {NOTES_CHARACTERS.value} characters.", where="notes")
    problems = problems_of(answers, children)
    if problems:
        raise NotAGrade(problems)


def _imported(chosen: Iterable[ImportedLabel]) -> list[ImportedLabel]:
    wanted = sorted(set(chosen))
    for name, version, label_id in wanted:
        if not SchemeLabel.objects.filter(scheme=name, version=version, label_id=label_id).exists():
            raise InputError("label_unknown", "There is no such label.", where="labels")
    return wanted


def _row(
    person: User, report: Report, media: Media, answers: Mapping[str, Any], notes: str, known: int, started_at: datetime,
    review: Review,
) -> MediaAssessment:
    stage, blind, before = _stage(person, media, review)
    given = {name: answers.get(name) or ([] if question.many else "") for name, question in grades.BY_NAME.items()}
    looks = ExposureEvent.objects.filter(analyst=person, subject=subject_of(media)).values_list("mode", flat=True)
    return MediaAssessment(
        media=media, report=report, number=known + 1, stage=stage, blind=blind, assessor=person, started_at=started_at,
        scheme_version=scheme.SCHEME_VERSION, view_mode_max=most_revealing(list(looks)), supersedes=before,
        notes=notes or None, created_by=person.label, **given,
    )  # fmt: skip


def _stage(person: User, media: Media, review: Review) -> tuple[str, bool, MediaAssessment | None]:
    """(stage, blind, what it supersedes): one's own row is corrected; a planned look stands beside the others."""
    own = MediaAssessment.objects.filter(media=media, created_by=person.label, superseded_by=None).order_by("-number").first()
    if review.disagree:
        return Stage.ADJUDICATION.value, False, None
    planned = review.next_stage_for(person.label)
    if planned:
        return planned, review.blind_for(person), None
    if own is not None:
        return own.stage, own.blind, own
    last = MediaAssessment.objects.filter(media=media, superseded_by=None).order_by("-number").first()
    return (Stage.SECOND.value, False, last) if last else (Stage.FIRST.value, False, None)


def _children_and_labels(person: User, made: MediaAssessment, children: Sequence[Child], imported: list[ImportedLabel]) -> None:
    Depiction.objects.bulk_create(
        Depiction(
            assessment=made, child_no=number, age_band=child.age_band, appears_under_13=child.appears_under_13,
            maturity=child.maturity, sex=child.sex, created_by=person.label,
        )
        for number, child in enumerate(children, start=1)
    )  # fmt: skip
    own = [f"activity={value}" for value in made.activity] + [f"{name}={getattr(made, name)}" for name in ("animal", "sadism")]
    known = {label.label_id for label in OWN}
    rows = [(OWN_SCHEME, OWN_VERSION, label_id) for label_id in own if label_id in known] + imported
    LabelApplied.objects.bulk_create(
        LabelApplied(assessment=made, scheme=name, scheme_version=version, label_id=label_id, created_by=person.label)
        for name, version, label_id in rows
    )


def _legality(
    person: Person, made: MediaAssessment, mappings: Iterable[Rules], children: Sequence[Child], imported: Iterable[ImportedLabel]
) -> dict[str, str]:
    """Compute each axis and store value, version and what decided it."""
    labels = labels_of(made.answers(), children)
    for name, _, label_id in imported:
        labels[f"label:{name}"] = labels.get(f"label:{name}", frozenset()) | {label_id}
    found = {}
    rows = []
    for rules in mappings:
        result = compute(rules, labels)
        found[rules.axis] = result.value
        rows.append(
            LegalityResult(
                assessment=made, axis=rules.axis, value=result.value, mapping_version=rules.version,
                explanation=list(result.explanation), created_by=person.label,
            )
        )  # fmt: skip
    LegalityResult.objects.bulk_create(rows)
    return found


def _after(
    person: User, report: Report, media: Media, made: MediaAssessment, children: Sequence[Child], review: Review,
    results: Mapping[str, str],
) -> None:  # fmt: skip
    """The plan of further looks where this was the first, the severity in the ledger, and warnings for who opted out."""
    severity = results.get(SEVERITY, "undetermined")
    if review.plan is None:
        found = severity not in ("none", "undetermined")
        ai = frozenset({Risk.AI}) if made.ai_status in ("confirmed", "suspected") else frozenset[Risk]()
        low = frozenset({Risk.LOW_CONFIDENCE}) if made.confidence == "low" else frozenset[Risk]()
        situation = Situation("media", severity, found, tenure_of(person), ai | low)
        do_plan(person, report, subject_of(media), situation, at=made.created_at)
    do_note_severity(person, media, severity)
    shown = {
        Warned.VIOLENCE: made.violence == "yes" or made.sadism == "yes",
        Warned.ANIMAL: made.animal == "yes",
        Warned.INFANT: any(child.maturity == "infant" or child.age_band == "0-2" for child in children),
    }
    for kind, seen in shown.items():
        if seen and not CaseWarning.objects.filter(report=report, kind=kind.value).exists():
            CaseWarning(report=report, kind=kind.value, created_by=person.label).save(force_insert=True)


def do_recompute(person: Person, axis: str, most: int = 5000) -> int:
    """Compute an axis by the mapping in force for assessments that have no result of that version; old results stay."""
    must(person, Permission.SCHEME_MANAGE)
    rules = mapping_in_force(axis)
    if rules is None:
        return 0
    done = LegalityResult.objects.filter(axis=axis, mapping_version=rules.version).values("assessment")
    rows = MediaAssessment.objects.exclude(pk__in=done).prefetch_related("depictions", "labels")[:most]
    with transaction.atomic():
        for row in rows:
            children = [Child(one.age_band, one.appears_under_13, one.maturity, one.sex) for one in row.depictions.all()]
            imported = [(one.scheme, one.scheme_version, one.label_id) for one in row.labels.all() if one.scheme != OWN_SCHEME]
            _legality(person, row, [rules], children, imported)
        record(person, codes.RECOMPUTED, f"axis:{axis}", axis=axis, version=rules.version, number=len(rows))
    return len(rows)

"""Quality samples and agreement: about labels and schemes, never about a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from vigil.base.errors import RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.assessments import codes, grades, scheme
from vigil.hotline.assessments.actions import NotAnAssessment
from vigil.hotline.assessments.models import Assessment, MediaAssessment
from vigil.hotline.assessments.queries import assessors_of, in_force
from vigil.hotline.assessments.rules import problems_of
from vigil.hotline.assessments.scheme import Stage
from vigil.hotline.audit.actions import record, subject_of
from vigil.hotline.audit.codes import READ
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.reports.actions import locked
from vigil.hotline.reports.models import Report
from vigil.hotline.reviews.kappa import Agreement, cohen, fleiss
from vigil.hotline.reviews.models import ReviewPlan

COMPARED: Final = ("outcome", "severity", "age_youngest", "sex", "content_role", "realism", "ai_status", "site_type")
COMPARED_OF_FILES: Final = (
    "activity", "animal", "sadism", "violence", "adult_present", "setting", "self_generated", "capture_type", "realism",
    "ai_status",
)  # fmt: skip
ROWS: Final = 5000
"""The latest looks that are compared: enough for a figure, bounded for the page."""


def samples() -> QuerySet[Report]:
    """Concluded cases that were drawn as quality samples."""
    drawn = ReviewPlan.objects.filter(report=OuterRef("pk"), quality=True)
    return Report.objects.filter(Exists(drawn), is_open=False).order_by("concluded_at")


def samples_waiting(person: User) -> QuerySet[Report]:
    """Samples that nobody has checked yet, but for those that the person assessed."""
    checked = Assessment.objects.filter(report=OuterRef("pk"), stage=Stage.QA.value)
    own = Assessment.objects.filter(report=OuterRef("pk"), created_by=person.label)
    return samples().filter(~Exists(checked), ~Exists(own))


def samples_with_result() -> list[tuple[Report, bool]]:
    """Samples that were checked, the latest first, and whether the check agrees with the result."""
    rows = Assessment.objects.filter(stage=Stage.QA.value).select_related("report").order_by("-created_at")[:50]
    return [(row.report, _agrees(row)) for row in rows]


def _agrees(row: Assessment) -> bool:
    result = in_force(row.report)
    return result is not None and all(getattr(result, name) == getattr(row, name) for name in ("outcome", "severity"))


def do_check_quality(person: User, report: Report, answers: Mapping[str, Any], notes: str = "", *, started_at: datetime) -> bool:
    """Assess a sample afresh; the case stays as it is. Whether the check agrees with the result. It is blind, and is written down
    so, where whoever checks did not open the case before and does not read the audit log."""
    with transaction.atomic():
        fresh = locked(report)
        must(person, Permission.REVIEW_QUALITY)
        must_differ(person, assessors_of(fresh), "A quality check")
        if not samples_waiting(person).filter(pk=fresh.pk).exists():
            raise RefusedError("no_sample", "This case is no sample that waits for a check.")
        if problems_of(answers):
            raise NotAnAssessment(answers)
        last = fresh.assessments.order_by("-number").values_list("number", flat=True).first() or 0
        given = {name: answers.get(name) or ([] if question.many else "") for name, question in scheme.BY_NAME.items()}
        row = Assessment(
            report=fresh, number=last + 1, stage=Stage.QA, assessor=person, blind=_is_blind(person, fresh), started_at=started_at,
            scheme_version=scheme.SCHEME_VERSION, notes=notes or None, created_by=person.label, **given,
        )  # fmt: skip
        row.save(force_insert=True)
        agrees = _agrees(row)
        record(person, codes.QUALITY_CHECKED, row, case=str(fresh.pk), agrees=agrees)
    return agrees


def _is_blind(person: User, report: Report) -> bool:
    opened = AuditEvent.objects.filter(subject=subject_of(report), code=READ.code, actor=person.label)
    return not person.may(Permission.AUDIT_READ) and not opened.exists()


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """Agreement on one label in one version of the scheme, of ``looks`` blind looks at each page or file."""

    label: str
    scheme_version: str
    looks: int
    agreement: Agreement


STAGES: Final = (Stage.FIRST.value, Stage.SECOND.value, Stage.THIRD.value)
Looked = Assessment | MediaAssessment


def agreement() -> list[LabelAgreement]:
    """For each label of pages: Cohen's kappa of two blind looks, Fleiss' of three; adjudications and corrections left out."""
    labels = {name: scheme.BY_NAME[name].label for name in COMPARED}
    return _agreement(Assessment.objects.filter(stage__in=STAGES), "report", labels)


def agreement_of_files() -> list[LabelAgreement]:
    """The same for each label of files."""
    labels = {name: grades.BY_NAME[name].label for name in COMPARED_OF_FILES}
    return _agreement(MediaAssessment.objects.filter(stage__in=STAGES), "media", labels)


def _agreement(found: QuerySet[Any], subject: str, labels: Mapping[str, str]) -> list[LabelAgreement]:
    blind = found.filter(blind=True).exclude(stage=Stage.FIRST.value).order_by("-created_at")[:ROWS]
    rows = found.filter(**{f"{subject}__in": list(blind.values_list(subject, flat=True))})
    looks: dict[Any, dict[str, Looked]] = defaultdict(dict)
    for row in rows.order_by(subject, "number"):
        looks[getattr(row, f"{subject}_id")][row.stage] = row
    measured = []
    for number in (2, 3):
        groups = [[one[stage] for stage in STAGES[:number]] for one in looks.values() if set(one) == set(STAGES[:number])]
        measured += _by_label(groups, number, labels)
    return measured


def _by_label(groups: list[list[Looked]], number: int, labels: Mapping[str, str]) -> list[LabelAgreement]:
    by_version: dict[str, list[list[Looked]]] = defaultdict(list)
    for group in groups:
        by_version[group[0].scheme_version].append(group)
    return [
        LabelAgreement(label, version, number, _measure([[_category(getattr(row, name)) for row in group] for group in chosen]))
        for version, chosen in sorted(by_version.items())
        for name, label in labels.items()
    ]


def _category(answer: str | list[str]) -> str:
    """An answer as one category: of several choices their set."""
    return answer if isinstance(answer, str) else " ".join(sorted(answer))


def _measure(ratings: list[list[str]]) -> Agreement:
    return cohen([(row[0], row[1]) for row in ratings]) if len(ratings[0]) == 2 else fleiss(ratings)

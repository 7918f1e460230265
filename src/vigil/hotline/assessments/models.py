"""The immutable row of an assessment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from vigil.hotline.access.entity import AppendOnly
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.assessments import grades, scheme
from vigil.hotline.assessments.scheme import AgeBand, RollUpSource, Stage
from vigil.hotline.welfare.models import Warned


def _answer(name: str) -> Any:
    """The column of one question: its values are those of the scheme; empty where it was not asked."""
    choices: Sequence[tuple[str, str]] = scheme.BY_NAME[name].choices
    blank = scheme.BY_NAME[name].finding
    return models.CharField(max_length=30, choices=choices, blank=blank, default="" if blank else models.NOT_PROVIDED)


class Assessment(AppendOnly):
    """One judgement by one person of one reported address, at one stage.

    ``number`` counts the assessments of a case from 1: two people who save at once cannot both have it.
    ``supersedes`` is the one that a correction replaces; the latest of a case is the one in force.
    ``roll_up_source`` says how severity, age and sex came about: chosen by the assessor, or computed from files;
    ``roll_up_from`` then names the file that each comes from, by the start of its digest.
    """

    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="assessments")
    url = models.ForeignKey(
        "reports.Url", on_delete=models.PROTECT, null=True, blank=True, related_name="assessments"
    )
    number = models.PositiveSmallIntegerField()
    stage = models.CharField(max_length=15, choices=Stage.choices, default=Stage.FIRST)
    assessor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="assessments")
    blind = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    scheme_version = models.CharField(max_length=10)
    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    outcome = _answer("outcome")
    confidence = _answer("confidence")
    rationale_code = _answer("rationale_code")
    view_mode_max = _answer("view_mode_max")
    site_type = _answer("site_type")
    content_role = _answer("content_role")
    severity = _answer("severity")
    age_youngest = _answer("age_youngest")
    sex = _answer("sex")
    setting = _answer("setting")
    self_generated = _answer("self_generated")
    realism = _answer("realism")
    ai_status = _answer("ai_status")
    ai_basis = models.JSONField(default=list, blank=True)
    ai_manner = _answer("ai_manner")
    real_child_link = _answer("real_child_link")
    roll_up_source = models.CharField(
        max_length=15, choices=RollUpSource.choices, default=RollUpSource.MANUAL_ROLL_UP
    )
    roll_up_from = models.JSONField(default=dict, blank=True)
    notes = SealedTextField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["report", "number"], name="assessments_are_numbered"),
            models.CheckConstraint(
                name="assessments_findings_are_whole",
                condition=~Q(outcome__in=sorted(scheme.FOUND))
                | ~(Q(content_role="") | Q(severity="") | Q(age_youngest="") | Q(realism="") | Q(ai_status="")),
            ),
        ]

    @property
    def found(self) -> bool:
        """True where something was found, so that a second person decides on listing."""
        return self.outcome in scheme.FOUND

    def answers(self) -> dict[str, Any]:
        """The answers by question, for the form of a correction."""
        return {name: getattr(self, name) for name in scheme.BY_NAME}

    def in_words(self) -> list[tuple[str, str, str]]:
        """(group, label, answer in words) for each answer that was given, in the order of the scheme."""
        rows = []
        for question in scheme.QUESTIONS:
            value = getattr(self, question.name)
            values = value if question.many else [value] if value else []
            if values:
                rows.append((question.group, question.label, ", ".join(map(question.words, values))))
        return rows


def _grade(name: str) -> Any:
    """The column of one question about a file."""
    return models.CharField(max_length=30, choices=grades.BY_NAME[name].choices, blank=True, default="")


class MediaAssessment(AppendOnly):
    """One judgement by one person of one file, at one stage. Every value belongs to the same file.

    ``report``  the case in which it was assessed. ``number`` counts the assessments of a file from 1.
    Children are rows of their own, labels too; what the law of each axis makes of them is computed.
    """

    media = models.ForeignKey("reports.Media", on_delete=models.PROTECT, related_name="assessments")
    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="media_assessments")
    number = models.PositiveSmallIntegerField()
    stage = models.CharField(max_length=15, choices=Stage.choices, default=Stage.FIRST)
    assessor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="media_assessments")
    blind = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    scheme_version = models.CharField(max_length=10)
    view_mode_max = models.CharField(max_length=30, choices=scheme.BY_NAME["view_mode_max"].choices)
    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    activity = models.JSONField(default=list)
    animal = _grade("animal")
    sadism = _grade("sadism")
    violence = _grade("violence")
    adult_present = _grade("adult_present")
    setting = _grade("setting")
    self_generated = _grade("self_generated")
    capture_type = _grade("capture_type")
    new_or_known = _grade("new_or_known")
    confidence = _grade("confidence")
    realism = _grade("realism")
    ai_status = _grade("ai_status")
    ai_basis = models.JSONField(default=list, blank=True)
    ai_manner = _grade("ai_manner")
    real_child_link = _grade("real_child_link")
    notes = SealedTextField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["media", "number"], name="assessments_of_media_are_numbered")
        ]

    def answers(self) -> dict[str, Any]:
        """The answers by question, for the form of a correction."""
        return {name: getattr(self, name) for name in grades.BY_NAME}


class Depiction(AppendOnly):
    """One visible child in one file, as one assessment saw it."""

    assessment = models.ForeignKey(MediaAssessment, on_delete=models.PROTECT, related_name="depictions")
    child_no = models.PositiveSmallIntegerField()
    age_band = models.CharField(max_length=15, choices=AgeBand.choices)
    appears_under_13 = models.CharField(max_length=10, choices=grades.Tri.choices)
    maturity = models.CharField(max_length=15, choices=grades.Maturity.choices)
    sex = models.CharField(max_length=15, choices=grades.ChildSex.choices)

    class Meta:
        ordering: ClassVar[list[str]] = ["child_no"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["assessment", "child_no"], name="assessments_children_are_numbered")
        ]


class LabelApplied(AppendOnly):
    """One granular label of a scheme, inside the assessment of a file."""

    assessment = models.ForeignKey(MediaAssessment, on_delete=models.PROTECT, related_name="labels")
    scheme = models.CharField(max_length=60)
    scheme_version = models.CharField(max_length=60)
    label_id = models.CharField(max_length=100)
    child_no = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["assessment", "scheme", "scheme_version", "label_id"], name="assessments_labels_once"
            )
        ]


class LegalityResult(AppendOnly):
    """What one mapping makes of one assessment: a value on one axis, and what decided it. A new mapping adds a new row."""

    assessment = models.ForeignKey(MediaAssessment, on_delete=models.PROTECT, related_name="legality")
    axis = models.CharField(max_length=40)
    value = models.CharField(max_length=40)
    mapping_version = models.CharField(max_length=60)
    explanation = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar[list[str]] = ["axis", "created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["assessment", "axis", "mapping_version"], name="assessments_one_result_a_mapping")
        ]


class CaseWarning(AppendOnly):
    """What the material of a case is known to show, so that people who opted out of it are not sent there."""

    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="warnings")
    kind = models.CharField(max_length=15, choices=Warned.choices)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["report", "kind"], name="assessments_one_warning_of_a_kind")
        ]

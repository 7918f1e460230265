"""The immutable row of an assessment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from vigil.hotline.access.entity import AppendOnly
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.assessments import scheme
from vigil.hotline.assessments.scheme import RollUpSource, Stage


def _answer(name: str) -> Any:
    """The column of one question: its values are those of the scheme; empty where it was not asked."""
    choices: Sequence[tuple[str, str]] = scheme.BY_NAME[name].choices
    blank = scheme.BY_NAME[name].finding
    return models.CharField(max_length=30, choices=choices, blank=blank, default="" if blank else models.NOT_PROVIDED)


class Assessment(AppendOnly):
    """One judgement by one person of one reported address, at one stage.

    ``number`` counts the assessments of a case from 1: two people who save at once cannot both have it.
    ``supersedes`` is the one that a correction replaces; the latest of a case is the one in force.
    ``roll_up_source`` says how severity, age and sex came about: chosen by the assessor, or computed from files.
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

"""Plans of reviews, and answers to calibration sets."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from vigil.hotline.access.entity import AppendOnly, Entity


class ReviewPlan(AppendOnly):
    """What the policy in force asked of a first finding, fixed when it was made. The latest of a subject counts.

    ``subject``   the case or the file, as the audit log names it.
    ``draw``      the random number that decided samples, so that a sample can be checked afterwards.
    """

    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="review_plans")
    subject = models.CharField(max_length=200, db_index=True)
    stages = models.JSONField(default=list)
    reasons = models.JSONField(default=list)
    blind = models.BooleanField(default=True)
    policy_version = models.CharField(max_length=60)
    draw = models.FloatField()
    quality = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["report", "created_at"], name="reviews_plan_of_case"),
            models.Index(fields=["created_at"], condition=models.Q(quality=True), name="reviews_quality_samples"),
        ]


class CalibrationSet(Entity):
    """A set of drawn items. ``seeds`` draw them."""

    name = models.CharField(max_length=80, unique=True)
    seeds = models.JSONField()
    closed_at = models.DateTimeField(null=True, blank=True)


class CalibrationAnswer(AppendOnly):
    """One person's answer to one item of a set."""

    set = models.ForeignKey(CalibrationSet, on_delete=models.PROTECT, related_name="answers")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    seed = models.BigIntegerField()
    answers = models.JSONField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["set", "person", "seed"], name="reviews_one_answer_each")
        ]

"""Labels and mappings as rows."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from vigil.hotline.access.entity import Entity
from vigil.hotline.schemes.labels import Section


class SchemeLabel(Entity):
    """One label of a scheme in one version. ``definition_digest`` tells whether two imports mean the same."""

    scheme = models.CharField(max_length=60)
    version = models.CharField(max_length=60)
    section = models.CharField(max_length=15, choices=[(section.value, section.value) for section in Section])
    label_id = models.CharField(max_length=100)
    text = models.CharField(max_length=500, blank=True)
    definition_digest = models.CharField(max_length=64)
    active_from = models.CharField(max_length=10, blank=True)
    active_to = models.CharField(max_length=10, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["scheme", "version", "section", "label_id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["scheme", "version", "label_id"], name="schemes_labels_once")
        ]


class Kind(models.TextChoices):
    """What a changed document is: both need two people, and a test report."""

    MAPPING = "mapping", "Mapping of an axis"
    REVIEW_POLICY = "review_policy", "Review policy"


class SchemeMapping(Entity):
    """Rules from labels to one axis (or the review policy: ``axis`` is then ``review_policy``). The latest in force counts.

    ``created_by`` wrote it, ``approval`` is the second person's. ``test_report`` was made from it when it was proposed.
    """

    kind = models.CharField(max_length=15, choices=Kind.choices, default=Kind.MAPPING)
    axis = models.CharField(max_length=40)
    version = models.CharField(max_length=60)
    rules = models.JSONField()
    test_report = models.JSONField()
    approval = models.ForeignKey(
        "approvals.ApprovalRequest", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    in_force_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["axis", "version"], name="schemes_versions_once"),
            models.CheckConstraint(
                condition=Q(in_force_at=None) | Q(approval__isnull=False), name="schemes_changes_need_two_people"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["axis", "in_force_at"], name="schemes_in_force")]

"""A compartment around one case, and the people in it. Rows are ended, never deleted."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import Entity


class Ground(StrEnum):
    """Why a case is restricted."""

    CHILD_HAND_OVER = "child_hand_over"
    POLICE_OPERATION = "police_operation"
    COLLEAGUE_CONCERNED = "colleague_concerned"
    LEGAL_ADVICE = "legal_advice"
    OTHER = "other"


class Compartment(Entity):
    """``case`` is the id of the report. At most one compartment is in force around a case."""

    case = models.UUIDField(db_index=True)
    ground = models.CharField(max_length=30, choices=[(each.value, each.value) for each in Ground])
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["case"], condition=Q(lifted_at=None), name="compartments_one_in_force")
        ]


class Member(models.Model):
    """One person inside, from when to when."""

    compartment = models.ForeignKey(Compartment, on_delete=models.PROTECT, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="compartments")
    added_at = models.DateTimeField(default=now)
    added_by = models.CharField(max_length=200)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["compartment", "user"], condition=Q(removed_at=None), name="compartments_member_once"
            )
        ]

    def __str__(self) -> str:
        return f"member {self.user_id} of {self.compartment_id}"

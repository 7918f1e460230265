"""Rows of holds and clearances."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import AppendOnly, Entity
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.holds.enumerations import STOPS, Clearance, HoldKind, HoldScope, Stopped


class Hold(Entity):
    """A block set by police or law.

    ``agency``      who wants it, by name; ``reference`` its file number, sealed.
    ``owner``       the member of staff who is alerted when its time is over.
    ``expires_at``  when it must be looked at again: it goes on stopping until two people release it.
    ``alerted_at``  when the owner was alerted first.
    """

    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="holds")
    host = models.CharField(max_length=260, blank=True, db_index=True)
    kind = models.CharField(max_length=20, choices=HoldKind.choices)
    scope = models.CharField(max_length=10, choices=HoldScope.choices, default=HoldScope.CASE)
    agency = models.CharField(max_length=120)
    reason_code = models.CharField(max_length=40)
    reference = SealedTextField(null=True, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="holds_owned")
    starts_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    alerted_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(
        "approvals.ApprovalRequest", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("starts_at")), name="holds_end_after_they_start"),
            models.CheckConstraint(
                condition=Q(released_at=None, released_by=None) | Q(released_at__isnull=False, released_by__isnull=False),
                name="holds_are_released_by_two_people",
            ),
            models.CheckConstraint(condition=~Q(scope="host") | ~Q(host=""), name="holds_of_a_host_name_it"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["report"], condition=Q(released_at=None), name="holds_in_force"),
            models.Index(fields=["expires_at"], condition=Q(released_at=None), name="holds_expiring"),
        ]

    @property
    def stops(self) -> frozenset[Stopped]:
        """What it stops while it is in force, its time over or not."""
        return frozenset() if self.released_at else STOPS[HoldKind(self.kind)]

    @property
    def overdue(self) -> bool:
        """True where its time is over and nobody released it."""
        return self.released_at is None and self.expires_at <= now()


class ClearanceNote(AppendOnly):
    """The state of the clearance of the police for one case; the latest counts."""

    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="clearances")
    state = models.CharField(max_length=15, choices=Clearance.choices)
    agency = models.CharField(max_length=120, blank=True)
    reference = SealedTextField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["report", "created_at"], name="holds_clearances")]

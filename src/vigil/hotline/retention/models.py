"""Proofs of disposal, and legal holds."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from vigil.hotline.access.entity import AppendOnly, Entity
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.partners.models import Partner
from vigil.hotline.reports.models import Report


class Disposal(AppendOnly):
    """Rows that went, at once: how many, by which rule, and ``proof``: SHA-256 of their sorted ids, one a line."""

    data_class = models.CharField(max_length=40)
    action = models.CharField(max_length=10)
    number = models.PositiveIntegerField()
    proof = models.CharField(max_length=64)
    policy_version = models.CharField(max_length=20)
    policy_digest = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]


class LegalHold(Entity):
    """Nothing of ``report`` (or of the contacts at ``partner``) is disposed of until the hold is released. ``reason`` names the
    court or the law; sealed."""

    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, null=True, blank=True, related_name="legal_holds")
    partner = models.ForeignKey("partners.Partner", on_delete=models.PROTECT, null=True, blank=True, related_name="legal_holds")
    reason = SealedTextField()
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["report"], condition=models.Q(released_at=None), name="retention_one_hold_in_force"),
            models.UniqueConstraint(
                fields=["partner"], condition=models.Q(released_at=None), name="retention_one_hold_on_a_partner"
            ),
            models.CheckConstraint(
                condition=models.Q(report=None, partner__isnull=False) | models.Q(report__isnull=False, partner=None),
                name="retention_a_hold_keeps_one_thing",
            ),
        ]

    @property
    def kept(self) -> Report | Partner:
        """What it keeps."""
        found = self.report or self.partner
        if found is None:
            raise TypeError("a hold without a subject: the database refuses one")
        return found

    @property
    def name(self) -> str:
        """The case by its reference, the partner by its title."""
        return self.report.ref if self.report else self.partner.title if self.partner else ""

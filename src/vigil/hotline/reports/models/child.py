"""A child reports about itself: what a service partner hands over. Who the child is stays with the service."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from vigil.hotline.access.entity import Entity
from vigil.hotline.reports.enumerations import AgeAssurance, AgeRange, ChildOutcome, Tri


class ChildCase(Entity):
    """One hand-over. ``case_number`` is the service's own and opaque; the child may keep it.

    ``report``        None until the child or the service has said where the material is.
    ``code_digest``   digest of the code with which the child enters our page; used up or past ``code_until``, it opens nothing.
    ``child_outcome`` what the service tells the child, as a template in plain words; ``returned_at`` when the service read it.
    """

    report = models.OneToOneField(
        "reports.Report", on_delete=models.PROTECT, null=True, blank=True, related_name="child_case"
    )
    service = models.ForeignKey("partners.Sender", on_delete=models.PROTECT, related_name="child_cases")
    case_number = models.CharField(max_length=64)
    age_range_claimed = models.CharField(max_length=10, choices=[(each.value, each.value) for each in AgeRange])
    age_assurance = models.CharField(max_length=20, choices=[(each.value, each.value) for each in AgeAssurance])
    extortion_indicated = models.CharField(
        max_length=10, choices=[(each.value, each.value) for each in Tri], default=Tri.UNKNOWN
    )
    code_digest = models.CharField(max_length=64, blank=True, db_index=True)
    code_until = models.DateTimeField(null=True, blank=True)
    child_outcome = models.CharField(
        max_length=30, blank=True, choices=[(each.value, each.value) for each in ChildOutcome]
    )
    outcome_at = models.DateTimeField(null=True, blank=True)
    returned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["service", "case_number"], name="reports_one_case_per_number")
        ]

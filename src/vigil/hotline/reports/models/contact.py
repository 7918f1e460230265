"""How to reach a reporter who asked for it: sealed, apart from the report, opened by two people only."""

from __future__ import annotations

from django.db import models

from vigil.hotline.access.entity import Entity
from vigil.hotline.access.sealing import SealedTextField


class ReporterContact(Entity):
    """The contact of one reporter. ``fields`` is what they wrote; None once it was disposed of.

    ``consent_feedback``  they want to hear what became of the report.
    ``purge_at``          the latest day it is kept; moved nearer when the report is concluded.
    """

    report = models.OneToOneField("reports.Report", on_delete=models.PROTECT, related_name="contact")
    fields = SealedTextField(null=True, blank=True)
    consent_feedback = models.BooleanField(default=True)
    purge_at = models.DateTimeField(db_index=True)
    purged_at = models.DateTimeField(null=True, blank=True)

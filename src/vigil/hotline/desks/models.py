"""Kept filters, and runs of acts on several cases."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from vigil.hotline.access.entity import Entity


class KeptFilter(Entity):
    """A filter of a list of the console, under a name, for one person. ``query`` holds enumeration values only."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="kept_filters")
    page = models.CharField(max_length=40)
    name = models.CharField(max_length=60)
    query = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["owner", "page", "name"], name="desks_filter_names_differ")
        ]


class BulkRun(Entity):
    """One act on several cases. ``items``: a row for each case that changed, with its id, its version after the act, and
    what it was ``before``; ``left`` counts the cases that were left alone."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bulk_runs")
    act = models.CharField(max_length=20)
    value = models.CharField(max_length=30, blank=True)
    items = models.JSONField(default=list)
    left = models.PositiveIntegerField(default=0)
    undone_at = models.DateTimeField(null=True, blank=True)

"""The state of the door's token buckets."""

from __future__ import annotations

from django.db import models


class TokenBucket(models.Model):
    """One bucket of :mod:`vigil.hotline.reports.limits`: ``tokens`` were left at the instant ``at``."""

    act = models.CharField(max_length=20, primary_key=True)
    tokens = models.FloatField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.act

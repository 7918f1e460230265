"""What makes an arrival count once: keys of the partner door, digests of imported messages."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from vigil.hotline.access.entity import Entity


class IdempotencyKey(Entity):
    """One key that a sender used: the digest of the body it stood for, and the answer that was given."""

    sender = models.ForeignKey("partners.Sender", on_delete=models.PROTECT, related_name="keys", db_index=False)
    key = models.CharField(max_length=100)
    body_sha256 = models.CharField(max_length=64)
    answer = models.JSONField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["created_at"], name="reports_key_age")]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["sender", "key"], name="reports_key_once")
        ]


class ImportedMail(Entity):
    """One message that was taken in, known by the keyed digest of its bytes; or refused, with the code why."""

    digest = models.CharField(max_length=64, unique=True)
    report = models.ForeignKey(
        "reports.Report", on_delete=models.PROTECT, null=True, blank=True, related_name="mails"
    )
    refusal = models.CharField(max_length=40, blank=True)

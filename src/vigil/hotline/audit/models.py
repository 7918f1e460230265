"""Rows of the chain, and its end."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from vigil.hotline.access.entity import AppendOnly, AppendOnlyError, AppendOnlyRows


class AuditEvent(models.Model):
    """One line of the log. ``details`` is canonical JSON, kept as the very text that was hashed."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    roles = models.CharField(max_length=400, blank=True)
    code = models.CharField(max_length=80)
    subject = models.CharField(max_length=200)
    purpose = models.CharField(max_length=200, blank=True)
    details = models.TextField()
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects: ClassVar[Any] = AppendOnlyRows.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["seq"]
        # Not at the fields: PostgreSQL would write a second index on each, for searches by a beginning that nobody makes.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["code"], name="audit_event_code"),
            models.Index(fields=["subject"], name="audit_event_subject"),
        ]

    def __str__(self) -> str:
        return f"audit event {self.seq}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("audit events are never changed")
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError("audit events are never deleted")


class AuditHead(models.Model):
    """The end of the chain: one row, locked while an event is added."""

    ONLY: ClassVar[int] = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY)
    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=models.Q(id=1), name="audit_one_head")
        ]

    def __str__(self) -> str:
        return f"audit head at {self.seq}"


class AuditTreeHead(AppendOnly):
    """A signed Merkle root of the log: ``size`` events, ``root`` in hex, ``key`` the public key, ``note`` the signed text."""

    size = models.BigIntegerField(db_index=True)
    root = models.CharField(max_length=64)
    at = models.DateTimeField()
    key = models.CharField(max_length=200)
    note = models.TextField()

    class Meta:
        ordering: ClassVar[list[str]] = ["size", "at"]

    def __str__(self) -> str:
        return f"tree head of {self.size} events"

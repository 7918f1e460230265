"""What all rows share: a time-ordered random id, when and by whom they were made; and rows that never change."""

from __future__ import annotations

import secrets
import uuid
from typing import Any, ClassVar, Final

from django.db import models

from vigil.hotline.access.clock import now

REFERENCE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # no 0 O 1 I L: read out over the phone without mistakes


def uuid7(milliseconds: int, randomness: bytes) -> uuid.UUID:
    """A UUID version 7 (RFC 9562, section 5.7) from Unix ``milliseconds`` and ten bytes of ``randomness``."""
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(randomness[:10], "big")
    value = value & ~(0xF << 76) | 7 << 76
    return uuid.UUID(int=value & ~(0b11 << 62) | 0b10 << 62)


def new_id() -> uuid.UUID:
    """A fresh id: ordered by time, otherwise random."""
    return uuid7(int(now().timestamp() * 1000), secrets.token_bytes(10))


def new_reference(groups: int = 3, size: int = 4) -> str:
    """A short random reference without meaning, as ``7KQF-2MXH-94TD``: 59 bits with the default lengths."""
    letters = ("".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(size)) for _ in range(groups))
    return "-".join(letters)


class Entity(models.Model):
    """Base of the rooms' rows. ``created_by`` is the label of the acting person (see :mod:`.people`)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    created_by = models.CharField(max_length=200, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self._meta.model_name}:{self.pk}"


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete a row that is only ever added. A mistake in the code, not of a person."""


class AppendOnlyRows(models.QuerySet[Any]):
    """Rows that are added and read."""

    def update(self, **kwargs: Any) -> int:
        raise AppendOnlyError(f"{self.model.__name__} rows are never changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError(f"{self.model.__name__} rows are never deleted")


class AppendOnly(Entity):
    """A row that never changes: a correction is a new row that names the one it supersedes."""

    objects: ClassVar[Any] = AppendOnlyRows.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError(f"{type(self).__name__} rows are never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError(f"{type(self).__name__} rows are never deleted")

"""What all rows share: a time-ordered random id, when and by whom they were made; and rows that never change."""

from __future__ import annotations

import secrets
import struct
import threading
import uuid
from itertools import accumulate
from typing import Any, ClassVar, Final

from django.db import models

from vigil.hotline.access.clock import now

TAIL_BITS: Final = 74
LOW_BITS: Final = 62
STEP_BITS: Final = 32  # what one id of the same millisecond says about the next
REFERENCE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # no 0 O 1 I L: read out over the phone without mistakes


def uuid7(milliseconds: int, tail: int) -> uuid.UUID:
    """A UUID version 7 (RFC 9562, section 5.7) from Unix ``milliseconds`` and the 74 bits of ``tail``, highest first."""
    high, low = tail >> LOW_BITS & 0xFFF, tail & (1 << LOW_BITS) - 1
    return uuid.UUID(int=(milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | high << 64 | 0b10 << LOW_BITS | low)


class _Sequence:
    """Random ids in the order in which this process asked for them, within a millisecond too (RFC 9562, 6.2, method 2)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = -1
        self._tail = 0

    def next(self, milliseconds: int) -> uuid.UUID:
        with self._lock:
            if milliseconds == self._milliseconds:
                self._tail += 1 + secrets.randbits(STEP_BITS)
            else:
                self._milliseconds, self._tail = milliseconds, secrets.randbits(TAIL_BITS - 1)
            return uuid7(milliseconds, self._tail)

    def several(self, milliseconds: int, number: int) -> list[uuid.UUID]:
        """As ``number`` calls of :meth:`next`, with one question for randomness."""
        steps = struct.unpack(f"{number}I", secrets.token_bytes(STEP_BITS // 8 * number))
        with self._lock:
            start = self._tail if milliseconds == self._milliseconds else secrets.randbits(TAIL_BITS - 1)
            tails = [start + place + step for place, step in enumerate(accumulate(steps), start=1)]
            self._milliseconds, self._tail = milliseconds, tails[-1] if tails else start
        return [uuid7(milliseconds, tail) for tail in tails]


_sequence = _Sequence()


def new_id() -> uuid.UUID:
    """A fresh id: ordered by time, otherwise random."""
    return _sequence.next(int(now().timestamp() * 1000))


def new_ids(number: int) -> list[uuid.UUID]:
    """As many fresh ids as asked for, in their order; cheaper than one by one."""
    return _sequence.several(int(now().timestamp() * 1000), number)


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

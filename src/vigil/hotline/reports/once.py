"""Counting once what is sent twice: idempotency keys of senders (as in the IETF draft "The Idempotency-Key HTTP Header Field").

The key is kept in the transaction of what it stands for. The same key with the same bytes gives the same answer again;
with other bytes it is refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.partners.models import Sender
from vigil.hotline.reports.models import IdempotencyKey

SHAPE: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}")
KEY_LIFE: Final = timedelta(days=7)


class ConflictError(RefusedError):
    """A key that is taken by another body."""

    http_status = 409


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a request; ``again`` where it had been given before."""

    answer: dict[str, Any]
    again: bool


def answer_once(sender: Sender, key: str, body: bytes, work: Callable[[], dict[str, Any]]) -> Answered:
    """Do ``work`` and keep its answer under ``key``, or give the answer that is kept there. Without a key: just do it."""
    if not key:
        return Answered(work(), False)
    if not SHAPE.fullmatch(key):
        raise InputError("key_malformed", "The idempotency key is malformed.", where="Idempotency-Key", mend="See the interface.")
    digest = hashlib.sha256(body).hexdigest()
    if (kept := _kept(sender, key, digest)) is not None:
        return kept
    try:
        with transaction.atomic():
            row = IdempotencyKey.objects.create(sender=sender, key=key, body_sha256=digest, answer={}, created_by=sender.label)
            row.answer = work()
            row.save(update_fields=["answer"])
    except IntegrityError:
        # Another request with this key was faster; it has ended by now, or the key would not be taken.
        if (kept := _kept(sender, key, digest)) is None:
            raise
        return kept
    return Answered(row.answer, False)


def _kept(sender: Sender, key: str, digest: str) -> Answered | None:
    row = IdempotencyKey.objects.filter(sender=sender, key=key).first()
    if row is None:
        return None
    if row.body_sha256 != digest:
        raise ConflictError("idempotency_conflict", "This idempotency key stood for another body.", mend="Use a fresh key.")
    return Answered(row.answer, True)

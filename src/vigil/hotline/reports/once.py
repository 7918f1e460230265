"""Counting once what is sent twice: idempotency keys of senders (as in the IETF draft "The Idempotency-Key HTTP Header Field").

The key is kept in the transaction of what it stands for. The same key with the same bytes gives the same answer again;
with other bytes it is refused. Single reports of one sender that come in at the same moment are committed together.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.rows import insert_unless_there, update
from vigil.hotline.partners.models import Sender
from vigil.hotline.reports.intake import Read, take_in
from vigil.hotline.reports.models import IdempotencyKey, Report
from vigil.hotline.reports.together import Together

SHAPE: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}")
KEY_LIFE: Final = timedelta(days=7)
TOGETHER: Final = 50
"""The most single reports of one transaction: enough for all threads of a door, and no longer than anybody would wait."""
Answer = dict[str, Any]


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
    digest = _digest_under(key, body)
    if (kept := _kept(sender, key, digest)) is not None:
        return kept
    try:
        with transaction.atomic():
            row = _key_row(sender, key, digest)
            row.save(force_insert=True)
            row.answer = work()
            row.save(update_fields=["answer"])
    except IntegrityError:
        # Another request with this key was faster; it has ended by now, or the key would not be taken.
        if (kept := _kept(sender, key, digest)) is None:
            raise
        return kept
    return Answered(row.answer, False)


@dataclass(frozen=True, slots=True, repr=False)
class _Single:
    """One report with the answer to be made of it; ``row`` holds its key, where it came with one."""

    sender: Sender
    read: Read
    answer: Callable[[Report], Answer]
    row: IdempotencyKey | None


def submit_once(sender: Sender, read: Read, key: str, body: bytes, answer: Callable[[Report], Answer]) -> Answered:
    """Take one report in and keep its answer under ``key``, or give the answer that is kept there."""
    digest = _digest_under(key, body) if key else ""
    if key and (kept := _kept(sender, key, digest)) is not None:
        return kept
    row = _key_row(sender, key, digest) if key else None
    made = _SINGLES.do(sender.pk, _Single(sender, read, answer, row))
    if made is not None:
        return Answered(made, False)
    # Another request with this key was faster, and has committed: it was waited for.
    if (kept := _kept(sender, key, digest)) is None:
        raise ConflictError("idempotency_conflict", "This idempotency key was given up just now.", mend="Send it again.")
    return kept


def _take_singles(singles: Sequence[_Single]) -> list[Answer | None]:
    """Take in, in one transaction, reports of one sender: the answer to each; None where its key is taken."""
    with transaction.atomic():
        rows = [each.row for each in singles if each.row is not None]
        fresh = insert_unless_there(rows)
        chosen = [each for each in singles if each.row is None or each.row.pk in fresh]
        answers: dict[int, Answer] = {}
        if chosen:
            reports = take_in(chosen[0].sender, [each.read for each in chosen])
            answers = {id(each): each.answer(report) for each, report in zip(chosen, reports, strict=True)}
        kept = [(each.row, answers[id(each)]) for each in chosen if each.row is not None]
        for row, made in kept:
            row.answer = made
        update([row for row, _ in kept], "answer")
    return [answers.get(id(each)) for each in singles]


_SINGLES: Final[Together[_Single, Answer | None]] = Together(_take_singles, TOGETHER)


def _digest_under(key: str, body: bytes) -> str:
    if not SHAPE.fullmatch(key):
        raise InputError("key_malformed", "The idempotency key is malformed.", where="Idempotency-Key", mend="See the interface.")
    return hashlib.sha256(body).hexdigest()


def _key_row(sender: Sender, key: str, digest: str) -> IdempotencyKey:
    return IdempotencyKey(sender=sender, key=key, body_sha256=digest, answer={}, created_by=sender.label)


def _kept(sender: Sender, key: str, digest: str) -> Answered | None:
    row = IdempotencyKey.objects.filter(sender=sender, key=key).first()
    if row is None:
        return None
    if row.body_sha256 != digest:
        raise ConflictError("idempotency_conflict", "This idempotency key stood for another body.", mend="Use a fresh key.")
    return Answered(row.answer, True)

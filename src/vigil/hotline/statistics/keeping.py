"""Keeping once what a node sends under a key: the same bytes again are what is there, other bytes leave an alarm, once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

from vigil.base.clock import text_of
from vigil.base.errors import RefusedError
from vigil.hotline.audit.actions import record
from vigil.hotline.partners.models import Node
from vigil.hotline.statistics import codes
from vigil.hotline.statistics.models import CarriedCount, CountAlarm, CountVector

Kept = TypeVar("Kept", CountVector, CarriedCount)


class ConflictError(RefusedError):
    """Other bytes under a key that is taken."""

    http_status = 409


def keep_once(
    node: Node, body: bytes, known_under_key: Callable[[], Kept | None], keep: Callable[[str], Kept],
    *, where: str, mend: str = "",
) -> tuple[Kept, bool]:  # fmt: skip
    """The row of ``body``, and whether it is new. ``keep`` makes it of the digest of the bytes, in the same transaction.

    Raises ConflictError where other bytes are kept under its key; the alarm about it is committed before.
    """
    digest = hashlib.sha256(body).hexdigest()
    with transaction.atomic():
        Node.objects.select_for_update().get(pk=node.pk)  # one vector of a node at a time
        known = known_under_key()
        if known is None:
            return keep(digest), True
        if known.body_digest == digest:
            return known, False
        _alarm(node, known, digest)
    raise ConflictError("counts_conflict", "Other numbers are kept under this key.", where=where, mend=mend)


def _alarm(node: Node, known: CountVector | CarriedCount, digest: str) -> None:
    """A node sends what was refused again and again; it is told of once."""
    about = "vector" if isinstance(known, CountVector) else "carried"
    key = {about: known, "body_digest": digest}
    _, fresh = CountAlarm.objects.get_or_create(**key, defaults={"created_by": node.label})
    if fresh:
        edition, hour, revision = _key_of(known)
        record(node, codes.COUNTS_CONFLICT, known, list=known.list, edition=edition, hour=hour, revision=revision)


def _key_of(known: CountVector | CarriedCount) -> tuple[int, str, int]:
    """Edition, hour and revision; of a day or week its name and first day stand for the hour."""
    if isinstance(known, CountVector):
        return known.edition, text_of(known.hour), known.revision
    return 0, f"{known.period} {known.start}", 0

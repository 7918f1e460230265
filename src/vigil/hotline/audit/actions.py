"""Adding a line to the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, models

from vigil.base.errors import RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person
from vigil.hotline.access.rows import Values, insert_and
from vigil.hotline.audit.chain import GENESIS, canonical_details, hash_of
from vigil.hotline.audit.codes import REGISTRY, Code
from vigil.hotline.audit.models import AuditEvent, AuditHead

Detail = str | int | bool | None

DETAIL_LENGTH: Final = 200
_COLUMNS: Final = ("seq", "at", "actor", "roles", "code", "subject", "purpose", "details", "prev_hash", "hash")


@dataclass(slots=True)
class _Line:
    """One event before it is a row (see :class:`vigil.hotline.audit.chain.Line`)."""

    seq: int
    at: datetime
    actor: str
    roles: str
    code: str
    subject: str
    purpose: str
    details: str
    prev_hash: str


class OutsideTransactionError(RuntimeError):
    """An audit row must be written in the transaction of the change it tells of. A mistake in the code."""


def record(person: Person, code: Code, subject: models.Model | str, *, purpose: str = "", **details: Detail) -> AuditEvent:
    """Add one event. Must be called inside ``transaction.atomic``; it holds the end of the chain until that ends.

    ``subject`` is a row, or a name like ``edition:12``; ``details`` are those that the code was defined with.
    """
    if not connection.in_atomic_block:
        raise OutsideTransactionError("record() was called outside a transaction")
    _check(code, details)
    seq, previous = _locked_end()
    event = AuditEvent(
        seq=seq + 1,
        at=now(),
        actor=person.label,
        roles=",".join(sorted(person.roles)),
        code=code.code,
        subject=subject_of(subject),
        purpose=purpose,
        details=canonical_details(details),
        prev_hash=previous,
    )
    event.hash = hash_of(event)
    values = {name: getattr(event, name) for name in _COLUMNS}
    insert_and(AuditEvent, [values], _MOVE, [event.seq, event.hash, AuditHead.ONLY])
    event._state.adding, event._state.db = False, connection.alias
    return event


def record_many(
    person: Person, events: Iterable[tuple[Code, models.Model | str, dict[str, Detail]]], *, purpose: str = ""
) -> int:
    """Add several events in their order, as :func:`record` would one by one, holding the end of the chain once: how many."""
    if not connection.in_atomic_block:
        raise OutsideTransactionError("record_many() was called outside a transaction")
    wanted = list(events)
    for code, _, details in wanted:
        _check(code, details)
    if not wanted:
        return 0
    actor, roles = person.label, ",".join(sorted(person.roles))
    # All writers wait for the end of the chain: what can be made before it is held is made before.
    told = [(code.code, subject_of(subject), canonical_details(details)) for code, subject, details in wanted]
    seq, previous = _locked_end()
    at = now()
    rows: list[Values] = []
    for name, about, said in told:
        seq += 1
        line = _Line(seq, at, actor, roles, name, about, purpose, said, previous)
        digest = hash_of(line)
        rows.append({
            "seq": seq, "at": at, "actor": actor, "roles": roles, "code": name, "subject": about, "purpose": purpose,
            "details": said, "prev_hash": previous, "hash": digest,
        })  # fmt: skip
        previous = digest
    insert_and(AuditEvent, rows, _MOVE, [seq, previous, AuditHead.ONLY])
    return len(rows)


def subject_of(subject: models.Model | str) -> str:
    """How the log names a row: its kind and its id."""
    return subject if isinstance(subject, str) else f"{subject._meta.model_name}:{subject.pk}"


def _check(code: Code, details: dict[str, Detail]) -> None:
    unknown = set(details) - code.details
    if REGISTRY.get(code.code) != code or unknown:
        raise ValueError(f"audit code {code.code} is not registered with details {sorted(unknown)}")
    if any(isinstance(value, str) and len(value) > DETAIL_LENGTH for value in details.values()):
        raise ValueError(f"a detail of audit code {code.code} is longer than {DETAIL_LENGTH} characters")


def _locked_end() -> tuple[int, str]:
    """Number and hash of the last event, locked. A missing end with events before it means that somebody removed it."""
    end = _asked_end()
    if end is not None:
        return end
    # Events first, then the end once more: another writer may have committed the first event and the end just now.
    events = AuditEvent.objects.exists()
    end = _asked_end()
    if end is not None:
        return end
    if events:
        raise RefusedError("audit_head_missing", "The end of the audit log is missing.", mend="Run `vigil hotline audit verify`.")
    AuditHead.objects.bulk_create([AuditHead(hash=GENESIS)], ignore_conflicts=True)
    head = AuditHead.objects.select_for_update().get(pk=AuditHead.ONLY)
    return head.seq, head.hash


# All writers wait for this row. Its two statements are written out, because making their text takes longer than the database.
_END: Final = "SELECT seq, hash FROM audit_audithead WHERE id = %s"
_MOVE: Final = "UPDATE audit_audithead SET seq = %s, hash = %s WHERE id = %s"


def _asked_end() -> tuple[int, str] | None:
    locked = f"{_END} FOR UPDATE" if connection.features.has_select_for_update else _END
    with connection.cursor() as cursor:
        cursor.execute(locked, [AuditHead.ONLY])
        row = cursor.fetchone()
    return None if row is None else (row[0], row[1])

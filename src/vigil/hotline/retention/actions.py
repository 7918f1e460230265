"""The purge job, and legal holds.

Each batch is one transaction: the rows go, a proof is kept, the audit row is written. A crash in between leaves the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.approvals.actions import spend
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.audit.actions import record
from vigil.hotline.holds.gate import kept_by_law
from vigil.hotline.reports.models import Report
from vigil.hotline.retention import codes
from vigil.hotline.retention.classes import DataClass, fixed, held, known, register, register_holds
from vigil.hotline.retention.models import Disposal, LegalHold
from vigil.hotline.retention.others import OTHERS
from vigil.hotline.retention.policy import SHIPPED, Action, Policy, RetentionRule, policy_in

BATCH: Final = 500
REASON_CHARACTERS: Final = Limit(1000, "characters", "a court, a number, a date")


@dataclass(frozen=True, slots=True)
class Purged:
    """What the job did for one data class: how many went, and how many are past their time but held."""

    data_class: str
    action: Action
    number: int
    held: int


def policy_in_force() -> Policy:
    """The operator's policy where one is configured, else ours."""
    named = settings.CONFIG.retention_policy
    return policy_in(Path(named) if named else SHIPPED, frozenset(known()), fixed())


def proof_of(keys: Iterable[UUID]) -> str:
    """SHA-256 (hex) of the sorted ids, one a line."""
    return hashlib.sha256("".join(f"{key}\n" for key in sorted(map(str, keys))).encode()).hexdigest()


def do_run_retention(person: Person, *, rehearse: bool = False) -> list[Purged]:
    """Dispose of everything past its time; only count where ``rehearse`` is set."""
    must(person, Permission.RETENTION_RUN)
    policy, classes = policy_in_force(), known()
    return [
        _run(person, policy, rule, classes[rule.data_class], rehearse)
        for rule in policy.rules.rules
        if rule.action is not Action.KEEP
    ]


def _run(person: Person, policy: Policy, rule: RetentionRule, data_class: DataClass, rehearse: bool) -> Purged:
    before = now() - timedelta(days=rule.days)
    number, kept = 0, set[UUID]()
    while True:
        with transaction.atomic():
            rows = data_class.find(before).exclude(pk__in=kept).order_by("pk")
            batch = _with_cases(rows, data_class.case)
            locked = held({case for case in batch.values() if case is not None})
            kept |= {key for key, case in batch.items() if case in locked}
            keys = [key for key in batch if key not in kept]
            if keys and not rehearse:
                data_class.dispose(keys)
                _prove(person, policy, rule, keys)
        number += len(keys)
        if rehearse or len(batch) < BATCH:
            return Purged(rule.data_class, rule.action, rows.count() - len(kept) if rehearse else number, len(kept))


def _with_cases(rows: object, path: str) -> dict[UUID, UUID | None]:
    """The next batch of ids, each with the case it belongs to."""
    found = rows.values_list("pk", path or "pk")[:BATCH]  # type: ignore[attr-defined]
    return {key: case if path else None for key, case in found}


def _prove(person: Person, policy: Policy, rule: RetentionRule, keys: list[UUID]) -> None:
    proof = proof_of(keys)
    Disposal(
        data_class=rule.data_class, action=rule.action, number=len(keys), proof=proof, policy_version=policy.rules.version,
        policy_digest=policy.digest, created_by=person.label,
    ).save()  # fmt: skip
    record(
        person, codes.DISPOSED, f"retention:{rule.data_class}", data_class=rule.data_class, number=len(keys), proof=proof,
        policy=policy.rules.version,
    )  # fmt: skip


# ---- legal holds


def check_place_hold(person: Person, reason: str) -> None:
    """By the data protection lead, with a reason."""
    must(person, Permission.RETENTION_MANAGE)
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS.value:
        raise InputError("reason_missing", "Say which court or law asks for it.", where="reason")


def do_place_hold(person: Person, report: Report, reason: str) -> LegalHold:
    """Keep a case whatever its period says. At once and by one person: holding back is safe."""
    check_place_hold(person, reason)
    hold = LegalHold(report=report, reason=reason, created_by=person.label)
    try:
        with transaction.atomic():
            hold.save(force_insert=True)
            record(person, codes.HOLD_PLACED, report)
    except IntegrityError as error:
        raise RefusedError("hold_in_force", "A legal hold is in force for this case.") from error
    return hold


def do_release_hold(person: Person, hold: LegalHold) -> LegalHold:
    """Release a hold that a second person approved (``retention_override`` on the hold)."""
    with transaction.atomic():
        fresh = LegalHold.objects.select_for_update().get(pk=hold.pk)
        if fresh.released_at is not None:
            raise RefusedError("hold_released", "This hold is released already.")
        spend(person, TwoPersonAct.RETENTION_OVERRIDE, fresh)
        fresh.released_at, fresh.released_by = now(), person.label
        fresh.save(update_fields=["released_at", "released_by"])
        record(person, codes.HOLD_RELEASED, fresh.report)
    return fresh


def _held_here(cases: Iterable[UUID]) -> set[UUID]:
    rows = LegalHold.objects.filter(report__in=list(cases), released_at=None)
    return set(rows.values_list("report", flat=True))


def cases_held(cases: Iterable[UUID]) -> set[UUID]:
    """Those of the cases of which nothing may be deleted, whichever room holds them. The vault's keeper asks here too."""
    return held(cases)


for _each in OTHERS:
    register(_each)
register_holds(_held_here)
register_holds(kept_by_law)

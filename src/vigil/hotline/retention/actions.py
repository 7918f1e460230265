"""The purge job, and legal holds.

Each batch is one transaction: the rows go, a proof is kept, the audit row is written. A crash in between leaves the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.approvals.actions import spend
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.audit.actions import record
from vigil.hotline.holds.gate import kept_by_law
from vigil.hotline.partners.agreements import partner_coded
from vigil.hotline.partners.models import Partner
from vigil.hotline.reports.models import Report
from vigil.hotline.reports.queries import report_by_reference
from vigil.hotline.reports.references import read_reference
from vigil.hotline.retention import codes
from vigil.hotline.retention.classes import DataClass, fixed, held, known, register, register_holds
from vigil.hotline.retention.models import Disposal, LegalHold
from vigil.hotline.retention.others import OTHERS
from vigil.hotline.retention.policy import SHIPPED, Action, Policy, RetentionRule, policy_in
from vigil.hotline.retention.written import WRITTEN

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
    found = data_class.find(now() - timedelta(days=rule.days)).order_by("pk")
    number, kept, last = 0, 0, None
    while True:
        with transaction.atomic():
            batch = _with_cases(found if last is None else found.filter(pk__gt=last), data_class)
            locked = cases_held({case for case in batch.values() if case is not None})
            keys = [key for key, case in batch.items() if case not in locked]
            if keys and not rehearse:
                data_class.dispose(keys)
                _prove(person, policy, rule, keys)
        number, kept = number + len(keys), kept + len(batch) - len(keys)
        if len(batch) < BATCH:
            return Purged(rule.data_class, rule.action, number, kept)
        last = next(reversed(batch))


def _with_cases(rows: QuerySet[Any], data_class: DataClass) -> dict[UUID, UUID | None]:
    """The next batch of ids in their order, each with the case it belongs to."""
    found = list(rows.values_list("pk", data_class.case or "pk")[:BATCH])
    if data_class.cases is not None:
        cases = data_class.cases([key for key, _ in found])
        return {key: cases.get(key) for key, _ in found}
    return {key: case if data_class.case else None for key, case in found}


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


def kept_under(name: str) -> Report | Partner:
    """What somebody wants to hold: a case by its reference, or a partner by its code (``p-…``)."""
    wanted = name.strip().lower()
    return partner_coded(wanted) if wanted.startswith("p-") else report_by_reference(read_reference(name))


def do_place_hold(person: Person, kept: Report | Partner, reason: str) -> LegalHold:
    """Keep a case, or who answers at a partner, whatever their period says. At once and by one person: holding back is safe."""
    check_place_hold(person, reason)
    try:
        with transaction.atomic():
            type(kept).objects.select_for_update().get(pk=kept.pk)
            hold = LegalHold(reason=reason, created_by=person.label)
            hold.report, hold.partner = (kept, None) if isinstance(kept, Report) else (None, kept)
            hold.save(force_insert=True)
            record(person, codes.HOLD_PLACED, kept)
    except IntegrityError as error:
        raise RefusedError("hold_in_force", "A legal hold is in force for this already.") from error
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
        record(person, codes.HOLD_RELEASED, fresh.kept)
    return fresh


def _held_here(cases: Iterable[UUID]) -> set[UUID]:
    keys = list(cases)
    rows = LegalHold.objects.filter(Q(report__in=keys) | Q(partner__in=keys), released_at=None)
    return {report or partner for report, partner in rows.values_list("report", "partner")}


def cases_held(cases: Iterable[UUID]) -> set[UUID]:
    """Those of the cases (and partners) of which nothing may be deleted, whichever room holds them. The vault asks too.

    Asked inside the transaction that deletes. The rows of all are locked first: a hold that is placed meanwhile waits, and then
    finds what went; one that was placed before is seen.
    """
    keys = list(cases)
    if not keys:
        return set()
    for model in (Report, Partner):
        list(model.objects.select_for_update().filter(pk__in=keys).order_by("pk").values_list("pk"))
    return held(keys)


for _each in (*OTHERS, *WRITTEN):
    register(_each)
register_holds(_held_here)
register_holds(kept_by_law)

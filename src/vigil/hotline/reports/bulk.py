"""One act on several cases: what would happen, doing it, and undoing it where that is safe.

Each case is asked and changed by the same ``check_*`` and ``do_*`` as on its own page, in a transaction of its own: one
that refuses is left alone and named, and does not keep the others from being changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from vigil.base.errors import InputError, RefusedError, VigilError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person
from vigil.hotline.audit.actions import record
from vigil.hotline.compartments.access import require_inside
from vigil.hotline.desks.models import BulkRun
from vigil.hotline.reports import codes
from vigil.hotline.reports.access import require_access, visible_to
from vigil.hotline.reports.actions import (
    check_close,
    check_release,
    check_reopen,
    check_set_priority,
    check_take,
    do_close,
    do_release,
    do_reopen,
    do_set_priority,
    do_take,
    require_version,
)
from vigil.hotline.reports.enumerations import Outcome, Priority
from vigil.hotline.reports.lifecycle import DESK_OUTCOMES
from vigil.hotline.reports.models import Report

MOST_CASES: Final = Limit(200, "cases", "a person must be able to read the preview")
UNDO_FOR: Final = timedelta(minutes=30)


class BulkAct(StrEnum):
    """Acts that may be done to several cases at once. Nothing that says something about content is among them."""

    PRIORITY = "priority"
    CLOSE = "close"
    RELEASE = "release"


UNDOABLE: Final = frozenset({BulkAct.PRIORITY, BulkAct.CLOSE})


@dataclass(frozen=True, slots=True)
class Order:
    """What is to happen: the ``act``, and its ``value`` (a priority or an outcome of the front desk; empty for release)."""

    act: BulkAct
    value: str = ""

    def __post_init__(self) -> None:
        fits: set[str] = {
            BulkAct.PRIORITY: {each.value for each in Priority},
            BulkAct.CLOSE: {each.value for each in DESK_OUTCOMES},
            BulkAct.RELEASE: {""},
        }[self.act]
        if self.value not in fits:
            raise InputError("bulk_value", "This cannot be done to several cases at once.", where=self.act.value)


@dataclass(frozen=True, slots=True)
class Prospect:
    """One case of a preview: ``refusal`` is empty where the act would happen."""

    report: Report
    refusal: str


def chosen(person: Person, cases: Iterable[UUID]) -> list[Report]:
    """The cases with these ids that ``person`` may meet in a list, in the order of the queue: of others not even the
    reference is told. Raises InputError for none or more than ``MOST_CASES``."""
    keys = set(cases)
    if not 0 < len(keys) <= MOST_CASES.value:
        raise InputError("bulk_number", f"Choose 1 to {MOST_CASES.value} cases.", where="cases")
    found = visible_to(person, Report.objects.filter(pk__in=keys)).select_related("taken_by", "dedupe_of")
    return list(found.order_by("urgency", "received_at", "pk"))


def preview(person: User, order: Order, reports: Iterable[Report]) -> list[Prospect]:
    """What would happen to each case now; nothing changes."""
    return [Prospect(report, _refusal(person, order, report)) for report in reports]


def _refusal(person: User, order: Order, report: Report) -> str:
    try:
        check(person, order, report)
    except VigilError as error:
        return str(error)
    return ""


def check(person: User, order: Order, report: Report) -> None:
    """Whether the act may happen to this case."""
    require_inside(person, report.pk)
    require_access(person, report)
    if order.act is BulkAct.PRIORITY:
        check_set_priority(person, report)
    elif order.act is BulkAct.RELEASE:
        check_release(person, report)
    elif report.taken_by_id == person.pk:
        check_close(person, report, Outcome(order.value))
    else:
        check_take(person, report)


def do_bulk(person: User, order: Order, reports: Iterable[Report]) -> BulkRun:
    """Do it to every case where it may happen; the others are counted and left alone."""
    items, left = [], 0
    for report in reports:
        try:
            items.append(_do_one(person, order, report))
        except VigilError:
            left += 1
    with transaction.atomic():
        made = BulkRun.objects.create(
            owner=person, act=order.act.value, value=order.value, items=items, left=left, created_by=person.label
        )
        record(person, codes.BULK_DONE, made, act=order.act.value, value=order.value, cases=len(items), left=left)
    return made


def _do_one(person: User, order: Order, report: Report) -> dict[str, Any]:
    with transaction.atomic():
        check(person, order, report)
        before = report.priority if order.act is BulkAct.PRIORITY else report.status
        changed = _ACTS[order.act](person, report, order.value)
    return {"case": str(report.pk), "before": before, "version": changed.version}


def _close(person: User, report: Report, value: str) -> Report:
    held = report if report.taken_by_id == person.pk else do_take(person, report)
    return do_close(person, held, Outcome(value))


_ACTS: Final[dict[BulkAct, Callable[[User, Report, str], Report]]] = {
    BulkAct.PRIORITY: lambda person, report, value: do_set_priority(person, report, Priority(value)),
    BulkAct.CLOSE: _close,
    BulkAct.RELEASE: lambda person, report, value: do_release(person, report),
}


# ---- undoing


def check_undo(person: User, run: BulkRun) -> None:
    """One's own run, once, within half an hour, where the act can be taken back."""
    if run.owner_id != person.pk:
        raise RefusedError("bulk_not_yours", "Only who did it takes it back.")
    if BulkAct(run.act) not in UNDOABLE:
        raise RefusedError("bulk_not_undoable", "This is not taken back: take the cases again instead.")
    if run.undone_at is not None:
        raise RefusedError("bulk_undone", "This was taken back already.")
    if now() - run.created_at > UNDO_FOR:
        raise RefusedError("bulk_too_late", "It is too late to take this back as a whole.", mend="Open the cases one by one.")


def do_undo(person: User, run: BulkRun) -> tuple[int, int]:
    """Take a run back; cases that somebody changed since are left as they are. How many went back, and how many did not."""
    with transaction.atomic():
        locked = BulkRun.objects.select_for_update().get(pk=run.pk)
        check_undo(person, locked)
        locked.undone_at = now()
        locked.save(update_fields=["undone_at"])
        back = sum(_undone(person, locked))
        left = len(locked.items) - back
        record(person, codes.BULK_UNDONE, locked, cases=back, left=left)
    return back, left


def _undone(person: User, run: BulkRun) -> Iterator[bool]:
    reports = Report.objects.in_bulk([UUID(item["case"]) for item in run.items])
    for item in run.items:
        try:
            with transaction.atomic():
                report = reports[UUID(item["case"])]
                require_version(report, item["version"])
                _undo_one(person, BulkAct(run.act), report, item["before"])
        except VigilError:
            yield False
        else:
            yield True


def _undo_one(person: User, act: BulkAct, report: Report, before: str) -> None:
    if act is BulkAct.PRIORITY:
        do_set_priority(person, report, Priority(before))
    else:
        check_reopen(person, report)
        do_reopen(person, report)

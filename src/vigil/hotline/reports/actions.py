"""What people do with a case: take, give back, move on, conclude, open again, set its priority.

``check_*`` decides whether it may happen and raises RefusedError or InputError; ``do_*`` makes it happen in one
transaction with its audit row, on the row locked anew. All take an explicit person and return the fresh report.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.compartments.access import hidden_from, require_inside
from vigil.hotline.reports import codes
from vigil.hotline.reports.access import require_access
from vigil.hotline.reports.enumerations import URGENCY, Outcome, Priority, Status
from vigil.hotline.reports.lifecycle import (
    ASSESSED_OUTCOMES,
    CONCLUDED,
    DESK_OUTCOMES,
    QUEUED,
    TRANSITIONS,
)
from vigil.hotline.reports.models import Report
from vigil.hotline.reports.queries import queue

WORKERS_ON_CASES: Final = (Permission.ASSESS, Permission.REPORT_TRIAGE, Permission.SECOND_REVIEW)


def locked(report: Report) -> Report:
    """The row as it is now, locked until the transaction ends."""
    return Report.objects.select_for_update().get(pk=report.pk)


def require_version(report: Report, version: int) -> None:
    """Refuse where a page showed an older state: the later of two people sees the conflict."""
    if report.version != version:
        raise RefusedError(
            "case_changed", "This case changed while the page was open.", mend="Look at it again, then repeat what you did."
        )


def require_open(report: Report) -> None:
    """Refuse for a concluded case."""
    if report.status in CONCLUDED:
        raise RefusedError("case_concluded", "This case is already concluded.", mend="Open it again first.")


def require_holder(person: Person, report: Report) -> None:
    """Refuse unless ``person`` holds the case."""
    if not isinstance(person, User) or report.taken_by_id != person.pk:
        raise RefusedError("case_not_held", "You do not hold this case.", mend="Take it first.")


def _save(report: Report, *fields: str) -> Report:
    report.version += 1
    report.save(update_fields=[*fields, "version"])
    return report


def _set_status(report: Report, status: Status, outcome: Outcome | None = None) -> None:
    report.status, report.outcome = status, outcome or ""
    report.is_open = status not in CONCLUDED
    report.concluded_at = None if report.is_open else now()


STATUS_FIELDS: Final = ("status", "outcome", "is_open", "concluded_at")


# ---- take and give back


def check_take(person: Person, report: Report) -> None:
    """A member of staff who works on cases may take an open case that nobody else holds."""
    if not isinstance(person, User) or not any(person.may(permission) for permission in WORKERS_ON_CASES):
        raise RefusedError("not_permitted", "You may not take cases.", mend="Ask a supervisor for the role that may.")
    require_inside(person, report.pk)
    require_access(person, report)
    require_open(report)
    if report.taken_by_id not in (None, person.pk):
        raise RefusedError("case_held", "Somebody else holds this case.", mend="Take another one.")


def do_take(person: User, report: Report) -> Report:
    """Take the case. Two people never get the same one; taking one's own again changes nothing."""
    with transaction.atomic():
        fresh = locked(report)
        check_take(person, fresh)
        if fresh.taken_by_id == person.pk:
            return fresh
        fresh.taken_by, fresh.taken_at = person, now()
        if fresh.status in QUEUED:
            _set_status(fresh, Status.IN_ASSESSMENT)
        record(person, codes.TAKEN, fresh)
        return _save(fresh, "taken_by", "taken_at", *STATUS_FIELDS)


def do_take_next(person: User, *, leaving: QuerySet[Any] | None = None) -> Report | None:
    """Take the first case of the queue that nobody holds, but for those whose ids ``leaving`` holds; None where nothing waits."""
    with transaction.atomic():
        waiting = queue().filter(taken_by=None, status__in=sorted(QUEUED)).exclude(pk__in=hidden_from(person))
        if leaving is not None:
            waiting = waiting.exclude(pk__in=leaving)
        first = waiting.select_for_update(skip_locked=True, of=("self",)).first()
        return do_take(person, first) if first else None


def check_release(person: Person, report: Report) -> None:
    """One's own case; who sets priorities may also free a case that somebody else left behind."""
    if report.taken_by_id is None:
        raise RefusedError("case_not_held", "Nobody holds this case.")
    if not (isinstance(person, User) and report.taken_by_id == person.pk):
        must(person, Permission.REPORT_TRIAGE)


def do_release(person: Person, report: Report) -> Report:
    """Give the case back. One in assessment returns to the queue as triaged; later stages stay where they are."""
    with transaction.atomic():
        fresh = locked(report)
        check_release(person, fresh)
        holder = fresh.taken_by.label if fresh.taken_by else ""
        fresh.taken_by, fresh.taken_at = None, None
        if fresh.status == Status.IN_ASSESSMENT:
            _set_status(fresh, Status.TRIAGED)
        record(person, codes.RELEASED, fresh, of=holder)
        return _save(fresh, "taken_by", "taken_at", *STATUS_FIELDS)


# ---- move on, conclude, open again


def check_move(person: Person, report: Report, status: Status) -> None:
    """To another open stage, by who holds the case, along the table of the life cycle."""
    require_holder(person, report)
    if status in CONCLUDED:
        raise InputError("use_close", "A case is concluded with an outcome.", where="status", mend="Use do_close.")
    _require_transition(report, status)


def do_move(person: Person, report: Report, status: Status, *, keep: bool = False) -> Report:
    """Move the case to another open stage and give it back, unless ``keep``: the next stage is another person's."""
    with transaction.atomic():
        fresh = locked(report)
        check_move(person, fresh, status)
        before = fresh.status
        _set_status(fresh, status)
        if not keep:
            fresh.taken_by, fresh.taken_at = None, None
        record(person, codes.MOVED, fresh, before=before, after=status.value)
        return _save(fresh, "taken_by", "taken_at", *STATUS_FIELDS)


def check_close(person: Person, report: Report, outcome: Outcome) -> None:
    """By who holds the case. Findings about content need the right to assess; the rest is the front desk's."""
    if outcome is Outcome.DUPLICATE:
        raise InputError("outcome_by_rule", "Only the duplicate rule calls a report a duplicate.", where="outcome")
    if outcome in ASSESSED_OUTCOMES:
        must(person, Permission.ASSESS)
    elif outcome in DESK_OUTCOMES and not person.may(Permission.ASSESS):
        must(person, Permission.REPORT_TRIAGE)
    require_open(report)
    require_holder(person, report)


def do_close(person: Person, report: Report, outcome: Outcome, status: Status = Status.CLOSED) -> Report:
    """Conclude the case with its outcome and give it back. ``status`` is CLOSED, or ACTIONED where work goes on."""
    with transaction.atomic():
        fresh = locked(report)
        check_close(person, fresh, outcome)
        _require_transition(fresh, _concluding(status))
        _set_status(fresh, status, outcome)
        fresh.taken_by, fresh.taken_at = None, None
        record(person, codes.CONCLUDED, fresh, status=status.value, outcome=outcome.value)
        return _save(fresh, "taken_by", "taken_at", *STATUS_FIELDS)


def check_reopen(person: Person, report: Report) -> None:
    """A concluded first report, by who may assess or set priorities."""
    if not person.may(Permission.ASSESS):
        must(person, Permission.REPORT_TRIAGE)
    if report.dedupe_of_id is not None:
        raise RefusedError("case_is_duplicate", "This report counts on another one.", mend="Open that one again.")
    _require_transition(report, Status.REOPENED)


def do_reopen(person: Person, report: Report) -> Report:
    """Put a concluded case back into the queue; its outcome is in the audit log."""
    with transaction.atomic():
        fresh = locked(report)
        check_reopen(person, fresh)
        record(person, codes.REOPENED, fresh, outcome=fresh.outcome)
        _set_status(fresh, Status.REOPENED)
        return _save(fresh, *STATUS_FIELDS)


def _concluding(status: Status) -> Status:
    if status not in (Status.CLOSED, Status.ACTIONED):
        raise InputError("status_not_final", "A case is concluded as closed or actioned.", where="status")
    return status


def _require_transition(report: Report, status: Status) -> None:
    before = Status(report.status)
    if status not in TRANSITIONS[before]:
        raise RefusedError(
            "status_not_reachable", f"A case that is {before.value} does not become {status.value}.", where="status"
        )


# ---- priority


def check_set_priority(person: Person, report: Report) -> None:
    """An open case, by who sets priorities."""
    must(person, Permission.REPORT_TRIAGE)
    require_open(report)


def do_set_priority(person: Person, report: Report, priority: Priority) -> Report:
    """Set the priority. A case that was new counts as triaged from now on."""
    with transaction.atomic():
        fresh = locked(report)
        check_set_priority(person, fresh)
        before = fresh.priority
        fresh.priority, fresh.urgency = priority, URGENCY[priority]
        if fresh.status == Status.NEW:
            _set_status(fresh, Status.TRIAGED)
        record(person, codes.PRIORITY_SET, fresh, before=before, after=priority.value)
        return _save(fresh, "priority", "urgency", *STATUS_FIELDS)

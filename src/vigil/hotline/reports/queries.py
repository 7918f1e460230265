"""Questions about reports. Nothing here changes anything, and nothing opens a sealed field."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from django.db.models import QuerySet

from vigil.base.errors import InputError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.reports.enumerations import Channel, Status
from vigil.hotline.reports.intake import token_digest
from vigil.hotline.reports.lifecycle import QUEUED
from vigil.hotline.reports.limits import DRAFT_LIFE
from vigil.hotline.reports.models import Draft, Report


def queue() -> QuerySet[Report]:
    """All open cases, the most urgent and then the oldest first, whoever holds them. Children's have a queue of their own."""
    open_ones = Report.objects.filter(is_open=True).exclude(channel=Channel.CHILD_SELF_REPORT)
    return open_ones.order_by("urgency", "received_at", "pk").select_related("taken_by")


def waiting(*statuses: Status) -> QuerySet[Report]:
    """Open cases that nobody holds; only those in ``statuses`` where some are given."""
    return queue().filter(taken_by=None, status__in=sorted(statuses or QUEUED))


def in_hand_of(person: User) -> QuerySet[Report]:
    """The cases that ``person`` holds."""
    held = Report.objects.filter(is_open=True, taken_by=person).order_by("urgency", "received_at", "pk")
    return held.select_related("taken_by")


def concluded() -> QuerySet[Report]:
    """Cases that were actioned or closed, the latest first; duplicates left out."""
    found = Report.objects.filter(is_open=False, dedupe_of=None).exclude(channel=Channel.CHILD_SELF_REPORT)
    return found.order_by("-concluded_at", "pk")


def report_by_id(key: UUID) -> Report:
    """The report with this id."""
    return _one(Report.objects.filter(pk=key))


def report_by_reference(ref: str) -> Report:
    """The report with this canonical reference (see :func:`.references.read_reference`)."""
    return _one(Report.objects.filter(ref=ref))


def _one(found: QuerySet[Report]) -> Report:
    report = found.select_related("taken_by", "dedupe_of").first()
    if report is None:
        raise InputError("no_such_report", "There is no such case.", mend="Check the reference.")
    return report


def draft_of(token: str) -> Draft | None:
    """The draft that belongs to a browser's token; none that is past its time, deleted or not yet."""
    alive = Draft.objects.filter(token_digest=token_digest(token), created_at__gte=now() - DRAFT_LIFE)
    return alive.select_related("report").first()


class PublicState(StrEnum):
    """All that a reporter is told about a case."""

    UNKNOWN = "unknown"
    RECEIVED = "received"
    IN_HAND = "in_hand"
    CLOSED = "closed"


def public_state(ref: str) -> PublicState:
    """What to tell who knows the reference. A duplicate has the state of the report it counts on. One query, always."""
    row = Report.objects.filter(ref=ref).values_list("status", "dedupe_of__status").first()
    if row is None:
        return PublicState.UNKNOWN
    return public_state_of(Status(row[1] or row[0]))


def public_state_of(status: Status) -> PublicState:
    """The state in the reporter's words."""
    if status in (Status.NEW, Status.TRIAGED):
        return PublicState.RECEIVED
    return PublicState.CLOSED if status in (Status.CLOSED, Status.MONITORING, Status.ACTIONED) else PublicState.IN_HAND

"""The rail: the rooms a person may enter, with counts. Numbers and fixed words only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final
from uuid import UUID

from django.db.models import IntegerField, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import get_script_prefix, reverse

from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.prepared import SAMPLE_ID, SAMPLE_MOMENT, Prepared
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.queries import waiting_for
from vigil.hotline.compartments.access import hidden_from
from vigil.hotline.holds.gate import overdue_of
from vigil.hotline.lists.queries import approvals_due, held, open_appeals, proposals_waiting, reviews_due
from vigil.hotline.partners.agreements import agreements_waiting
from vigil.hotline.partners.recipients import changes_waiting
from vigil.hotline.reports.children import open_child_cases
from vigil.hotline.reports.enumerations import Status
from vigil.hotline.reports.models import Report
from vigil.hotline.reports.queries import in_hand_of, waiting
from vigil.hotline.statistics.canaries import alarms_open
from vigil.hotline.triage.queries import closings_to_check, unseen_emergencies

Waiting = Callable[[User, datetime], Sequence[QuerySet[Any]]]
"""What waits in a room for a person at a moment: the sum of these is shown beside its name. The text of these questions depends
on the roles of the person alone; who it is, and when, are values in it."""


@dataclass(frozen=True, slots=True)
class Room:
    """One line of the rail. ``query`` chooses a view of the page; how many wait is shown beside the name."""

    group: str
    text: str
    page: str
    permission: Permission
    query: str = ""
    waits: Waiting | None = None


def _waiting(person: User, *statuses: Status) -> QuerySet[Report]:
    """What waits and may be met by ``person``: restricted cases only by those named."""
    return waiting(*statuses).exclude(pk__in=hidden_from(person))


ROOMS: Final = (
    Room("", "Overview", "overview", Permission.CONSOLE_ENTER),
    Room("Cases", "Queue", "queue", Permission.QUEUE_READ, waits=lambda person, _: [_waiting(person)]),
    Room("Cases", "In my hands", "queue", Permission.QUEUE_READ, "mine", lambda person, _: [in_hand_of(person)]),
    Room("Cases", "Second look", "queue", Permission.QUEUE_READ, "second",
         lambda person, _: [_waiting(person, Status.SECOND_REVIEW)]),
    Room("Cases", "Concluded", "queue", Permission.QUEUE_READ, "concluded"),
    Room("Cases", "Search", "search", Permission.CASE_SEARCH),
    Room("Desk", "Emergencies", "emergencies", Permission.REPORT_TRIAGE, waits=lambda *_: [unseen_emergencies()]),
    Room("Desk", "Closed by rule", "closings", Permission.REPORT_TRIAGE, waits=lambda *_: [closings_to_check()]),
    Room("Desk", "Children", "children", Permission.CHILD_CASE_WORK, waits=lambda person, _: [open_child_cases(person)]),
    Room("Cases", "Holds", "holds", Permission.HOLD_READ, waits=lambda person, moment: [overdue_of(person, moment)]),
    Room("Lists", "Entries", "entries", Permission.ENTRY_READ),
    Room("Lists", "To review", "entries", Permission.WITHDRAWAL_REVIEW, "review",
         lambda *_: [reviews_due()]),
    Room("Lists", "Held and guarded", "entries", Permission.ENTRY_READ, "waiting",
         lambda *_: [held(), approvals_due()]),
    Room("Lists", "Proposals", "proposals", Permission.ENTRY_READ, waits=lambda _, moment: [proposals_waiting(moment)]),
    Room("Lists", "Lists", "lists", Permission.ENTRY_READ),
    Room("Lists", "Allow list", "allow", Permission.ENTRY_READ),
    Room("Lists", "Sources", "sources", Permission.SOURCE_READ),
    Room("Lists", "Publish", "publish", Permission.PUBLICATION_REQUEST),
    Room("Lists", "Banks", "banks", Permission.BANK_POLICY),
    Room("Lists", "Appeals", "appeals", Permission.APPEAL_READ, waits=lambda *_: [open_appeals()]),
    Room("Partners", "Partners", "partners", Permission.PARTNER_READ, waits=lambda *_: [agreements_waiting(), changes_waiting()]),
    Room("Partners", "Alarms", "alarms", Permission.PARTNER_READ, waits=lambda *_: [alarms_open()]),
    Room("Oversight", "Second person", "approvals", Permission.APPROVAL_READ,
         waits=lambda person, moment: [waiting_for(person, moment)]),
    Room("Oversight", "Schemes", "schemes", Permission.SCHEME_READ),
    Room("Oversight", "Quality", "quality", Permission.REVIEW_QUALITY),
    Room("Oversight", "Statistics", "statistics", Permission.STATISTICS_READ),
    Room("Oversight", "Elevated sessions", "elevations", Permission.ELEVATION_READ),
    Room("Oversight", "Retention", "retention", Permission.RETENTION_READ),
    Room("Oversight", "Audit log", "audit", Permission.AUDIT_READ),
    Room("You", "Wellbeing", "wellbeing", Permission.WELFARE_OWN),
    Room("You", "Calibration", "calibration", Permission.CONTENT_REVEAL),
)  # fmt: skip

SAMPLE_LABEL: Final = "user:a-stand-in"

KEYS: Final = "1234567890-"

PART_OF: Final = {"source": "sources", "imported": "sources",
                  "case": "queue", "assess": "queue", "entry": "entries", "withdraw": "entries",
                  "publication": "publish", "appeal": "appeals", "approval": "approvals", "audit_verify": "audit",
                  "elevation_reason": "elevations", "several": "queue", "several_run": "queue",
                  "case_people": "queue",
                  "list": "lists", "list_new": "lists", "list_edit": "lists", "propose": "lists", "entry_search": "entries",
                  "entry_preview": "entries", "entry_change": "entries",
                  "proposal": "proposals", "proposal_show": "proposals", "allow_new": "allow",
                  "partner": "partners", "partner_new": "partners", "agreement_new": "partners", "partner_stop": "partners",
                  "agreement_people": "partners",
                  "file": "queue", "case_holds": "holds", "evidence": "queue", "mapping": "schemes",
                  "quality_sample": "quality", "wellbeing_lead": "wellbeing"}  # fmt: skip
"""Pages that stand below one of the rail."""


def rail(request: HttpRequest) -> dict[str, Any]:
    """For templates: ``rail`` is a list of (group, lines), each line with address, key, count and whether one is there."""
    person: Person | None = getattr(request, "person", None)
    if not isinstance(person, User):
        return {}
    here = request.resolver_match.url_name if request.resolver_match else ""
    view = request.GET.get("view", "")
    rooms = [room for room in ROOMS if person.may(room.permission)]
    counts = _counted(rooms, person)
    groups: dict[str, list[dict[str, Any]]] = {}
    for place, room in enumerate(rooms, start=1):
        groups.setdefault(room.group, []).append(_line(room, place, counts.get(room), str(here), view))
    return {"rail": list(groups.items())}


class _Number(Subquery):
    """How many rows a queryset has, as one value of another question."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()
    empty_result_set_value = 0  # of a question that Django knows the answer to, such as "one of no acts"


def _counted(rooms: Sequence[Room], person: User) -> dict[Room, int]:
    """How many wait in each of ``rooms`` that counts. One question for all of them, because every page of the console asks it."""
    question = _question(person.roles, tuple(room for room in rooms if room.waits is not None))
    if question is None:
        return {}
    counts: dict[Room, int] = {}
    for found in question.prepared.tuples(person.pk, person.label, now()):
        for room, number in zip(question.rooms, found, strict=True):
            counts[room] = counts.get(room, 0) + number
    return counts


@dataclass(frozen=True, slots=True)
class _Question:
    """The one question for people of the same roles. ``rooms`` stand for its numbers, one each; a room may have several."""

    prepared: Prepared[User]
    rooms: tuple[Room, ...]


@lru_cache(maxsize=256)
def _question(roles: frozenset[Role], rooms: tuple[Room, ...]) -> _Question | None:
    """The question for people with ``roles``, made for a stand-in who has them; None where nothing is counted for them."""

    def asked(key: UUID, label: str, moment: datetime) -> list[tuple[Room, QuerySet[Any]]]:
        stand_in = User(pk=key, username=label.removeprefix("user:"))
        stand_in.roles = roles
        return [(room, each) for room in rooms if room.waits is not None for each in room.waits(stand_in, moment)]

    def build(key: UUID, label: str, moment: datetime) -> QuerySet[User, Any]:
        numbers = [_Number(each.order_by().values("pk")) for _, each in asked(key, label, moment)]
        return User.objects.filter(pk=key).values_list(*numbers)

    counted = tuple(room for room, _ in asked(SAMPLE_ID, SAMPLE_LABEL, SAMPLE_MOMENT))
    return _Question(Prepared(User, build, SAMPLE_ID, SAMPLE_LABEL, SAMPLE_MOMENT, some=True), counted) if counted else None


@cache
def _address(page: str, prefix: str) -> str:
    """The address of a page of the console, which stays the same in a process for one ``prefix`` of the server before it."""
    return reverse(page)


def _line(room: Room, place: int, count: int | None, here: str, view: str) -> dict[str, Any]:
    return {
        "text": room.text,
        "address": _address(room.page, get_script_prefix()) + (f"?view={room.query}" if room.query else ""),
        "key": KEYS[place - 1] if place <= len(KEYS) else "",
        "count": count,
        "current": PART_OF.get(here, here) == room.page and room.query == (view if here == room.page else ""),
    }

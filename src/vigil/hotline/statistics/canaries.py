"""Alarms: somebody asked for a mark. Raised from what nodes count and from what the hotline's own server for marks was asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet

from vigil.base.errors import RefusedError
from vigil.base.limits import Limit
from vigil.editions.marks import ADDRESSES, MarkBook
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.lists.marking import books
from vigil.hotline.partners.models import Node
from vigil.hotline.statistics import codes
from vigil.hotline.statistics.classes import CountClass
from vigil.hotline.statistics.models import CanaryAlarm, CountVector

LINES: Final = Limit(10_000_000, "lines", "a log of a server that nobody has a reason to ask")
_HOST: Final = re.compile(r"(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]+", re.IGNORECASE)


def note_counted(node: Node, vector: CountVector) -> None:
    """Raise an alarm where a vector in force counts requests for marks; inside the transaction that keeps the vector."""
    number = vector.counts.get(CountClass.CANARY.value)
    if vector.in_force and number:
        _raise("count", node.name, vector.list, node.partner, vector.hour, number, node)


def do_read_log(person: Person, lines: Iterable[str]) -> Counter[str]:
    """Read the log of the web server (or name server) that answers for the names of marks: any text, one request a line, host
    names in it. Gives requests by partner, ``""`` for marks that several have. Nothing about who asked is kept."""
    must(person, Permission.PARTNER_STOP)
    known = _hosts(books())
    found: Counter[tuple[str, str]] = Counter()
    for place, line in enumerate(lines):
        if place >= LINES.value:
            raise RefusedError("log_long", f"The log has more than {LINES.value} lines.", mend="Read it in parts.")
        found.update({known[host] for host in map(str.lower, _HOST.findall(line)) if host in known})
    hour = now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    with transaction.atomic():
        for (name, partner), number in sorted(found.items()):
            _raise("log", "", name, partner, hour, number, person)
    return Counter({partner: sum(n for (_, p), n in found.items() if p == partner) for _, partner in found})


def _hosts(known: Iterable[MarkBook]) -> dict[str, tuple[str, str]]:
    """(list, partner or empty) by host name of each mark with an address."""
    hosts: dict[str, tuple[str, str]] = {}
    for book in known:
        for name, kind in book.lists:
            if kind in ADDRESSES and book.carries(kind):
                for mark in book.all_marks(name, book.positions):
                    hosts[book.address_of(mark).host] = (name, mark.holder)
    return hosts


def _raise(source: str, node: str, name: str, partner: str, hour: datetime, number: int, person: Person) -> None:
    """One alarm an hour for each place it comes from; more of the same adds up (counts: the newest vector says all)."""
    key = {"source": source, "node": node, "list": name, "partner": partner, "hour": hour}
    alarm, fresh = CanaryAlarm.objects.get_or_create(**key, defaults={"number": number, "created_by": person.label})
    if fresh:
        record(person, codes.CANARY_HIT, alarm, list=name, partner=partner, source=source, number=number)
    else:
        value = number if source == "count" else F("number") + number
        CanaryAlarm.objects.filter(pk=alarm.pk).update(number=value)


def check_see_alarm(person: Person, alarm: CanaryAlarm) -> None:
    """An alarm that nobody has taken up, by somebody who may stop a partner."""
    must(person, Permission.PARTNER_STOP)
    if alarm.seen_at is not None:
        raise RefusedError("alarm_seen", "Somebody has taken up this alarm.")


def do_see_alarm(person: Person, alarm: CanaryAlarm) -> CanaryAlarm:
    """Note that somebody has taken up an alarm."""
    with transaction.atomic():
        fresh = CanaryAlarm.objects.select_for_update().get(pk=alarm.pk)
        check_see_alarm(person, fresh)
        fresh.seen_by, fresh.seen_at = person.label, now()
        fresh.save(update_fields=["seen_by", "seen_at"])
        record(person, codes.CANARY_SEEN, fresh)
    return fresh


def alarms_open() -> QuerySet[CanaryAlarm]:
    """Alarms that nobody has taken up, the newest first."""
    return CanaryAlarm.objects.filter(seen_at=None)

"""The figures, ready for a page. ``overview`` is the only way to them, so that no figure goes without its caveat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncDate

from vigil.hotline.lists.models import List
from vigil.hotline.lists.queries import in_force, last_published, open_appeals
from vigil.hotline.reports.enumerations import Channel, Outcome
from vigil.hotline.reports.models import Report
from vigil.hotline.statistics import definitions
from vigil.hotline.statistics.blocked import Blocked, blocked_between
from vigil.hotline.statistics.caveats import caveat_of
from vigil.hotline.statistics.cells import Cell, shown
from vigil.hotline.statistics.classes import MESSAGES, WORDS, CountClass
from vigil.hotline.statistics.figures import Figure, figure

DAYS: Final = 30
OUTSIDE_TOTALS: Final = frozenset({CountClass.TEST, CountClass.CANARY})


@dataclass(frozen=True, slots=True)
class Headline:
    """One number with its unit, for the top of the page."""

    label: str
    number: Cell
    note: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the statistics page shows. ``since`` and ``until`` bound the period, UTC."""

    since: datetime
    until: datetime
    headlines: tuple[Headline, ...]
    figures: tuple[Figure, ...]
    caveat: str


def overview(now: datetime, *, public: bool = False, days: int = DAYS) -> Overview:
    """Figures of the last ``days`` days, today included. ``public`` hides small cells and rounds large numbers."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since, until = today - timedelta(days=days - 1), today + timedelta(days=1)
    blocked = blocked_between(since, until, now)
    caveat = caveat_of(blocked)
    figures = (
        _reports_by_day(since, until, public),
        _reports_by_channel(since, until, public),
        _outcomes(since, until, public),
        _entries(now, public),
        _not_served_by_day(blocked, public, caveat),
        _not_served_by_class(blocked, public, caveat),
        _messages(blocked, public, caveat),
    )
    return Overview(since, until, tuple(_headlines(now, since, blocked, public)), figures, caveat)


def _headlines(now: datetime, since: datetime, blocked: Blocked, public: bool) -> Iterator[Headline]:
    last = last_published()
    yield Headline("reports received", shown(_reports(since, blocked.until).count(), public=public))
    yield Headline("entries in force", shown(in_force(now).count(), public=public))
    yield Headline("requests that matched the list and were not served", shown(blocked.total, public=public))
    yield Headline("appeals waiting", shown(open_appeals().count(), public=public))
    yield Headline("edition in force", last.number if last and last.number else 0)


def _reports(since: datetime, until: datetime) -> QuerySet[Report]:
    return Report.objects.filter(received_at__gte=since, received_at__lt=until)


def _days(since: datetime, until: datetime, found: Counter[str]) -> list[tuple[str, int]]:
    """Every day of the period in order, also those without events."""
    count = (until - since).days
    names = [(since + timedelta(days=number)).strftime("%Y-%m-%d") for number in range(count)]
    return [(name, found.get(name, 0)) for name in names]


def _reports_by_day(since: datetime, until: datetime, public: bool) -> Figure:
    rows = _reports(since, until).annotate(day=TruncDate("received_at", tzinfo=UTC)).values("day").annotate(number=Count("pk"))
    found = Counter({row["day"].isoformat(): row["number"] for row in rows})
    return figure(definitions.REPORTS_BY_DAY, "day", _days(since, until, found), by_day=True, public=public)


def _reports_by_channel(since: datetime, until: datetime, public: bool) -> Figure:
    rows = _reports(since, until).values("channel").annotate(number=Count("pk"))
    found = {row["channel"]: row["number"] for row in rows}
    values = [(channel.value.replace("_", " "), found[channel]) for channel in Channel if found.get(channel)]
    return figure(definitions.REPORTS_BY_CHANNEL, "channel", values, by_day=False, public=public)


def _outcomes(since: datetime, until: datetime, public: bool) -> Figure:
    concluded = Report.objects.filter(concluded_at__gte=since, concluded_at__lt=until).exclude(outcome="")
    found = {row["outcome"]: row["number"] for row in concluded.values("outcome").annotate(number=Count("pk"))}
    values = [(outcome.value.replace("_", " "), found[outcome]) for outcome in Outcome if found.get(outcome)]
    return figure(definitions.OUTCOMES, "outcome", values, by_day=False, public=public)


def _entries(now: datetime, public: bool) -> Figure:
    found = {row["list__name"]: row["number"] for row in in_force(now).values("list__name").annotate(number=Count("pk"))}
    values = [(each.name, found.get(each.name, 0)) for each in List.objects.all()]
    return figure(definitions.ENTRIES, "list", values, by_day=False, public=public)


def _not_served_by_day(blocked: Blocked, public: bool, caveat: str) -> Figure:
    values = _days(blocked.since, blocked.until, blocked.by_day)
    return figure(definitions.NOT_SERVED, "day", values, by_day=True, public=public, caveat=caveat)


def _not_served_by_class(blocked: Blocked, public: bool, caveat: str) -> Figure:
    values = [
        (WORDS[kind], blocked.by_class[kind])
        for kind in CountClass
        if blocked.by_class[kind] and not (public and kind in OUTSIDE_TOTALS)
    ]
    return figure(definitions.NOT_SERVED_BY_CLASS, "class", values, by_day=False, public=public, caveat=caveat)


def _messages(blocked: Blocked, public: bool, caveat: str) -> Figure:
    values = [(words, blocked.messages[name]) for name, words in MESSAGES.items() if blocked.messages[name]]
    return figure(definitions.MESSAGES, "message", values, by_day=False, public=public, caveat=caveat)

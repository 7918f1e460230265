"""What became of the cases that somebody assessed: the good news, for the person alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.lists.enumerations import RemovedReason
from vigil.hotline.lists.models import ListEntry

SHOWN: Final = 10
RECENT: Final = timedelta(days=60)
REMOVED: Final = "Removed at its source"
LISTED: Final = "Listed: people no longer meet it"


@dataclass(frozen=True, slots=True)
class GoodNews:
    """One case, by its reference, and what became of it."""

    ref: str
    what: str
    at: datetime


def outcomes_for(person: User) -> list[GoodNews]:
    """The latest news of cases that ``person`` assessed; the content is not shown."""
    mine = ListEntry.objects.filter(decision__report__assessments__assessor=person, added_at__gte=now() - RECENT)
    gone = mine.filter(removed_reason=RemovedReason.TAKEN_DOWN.value)
    news = [*_news(gone, "removed_at", REMOVED), *_news(mine.filter(tombstone=False), "added_at", LISTED)]
    latest: dict[str, GoodNews] = {}
    for one in sorted(news, key=lambda one: one.at):
        latest[one.ref] = one
    return sorted(latest.values(), key=lambda one: one.at, reverse=True)[:SHOWN]


def _news(entries: QuerySet[ListEntry], moment: str, what: str) -> list[GoodNews]:
    rows = entries.order_by(f"-{moment}").values_list("decision__report__ref", moment)[: SHOWN * 5]
    return [GoodNews(ref, what, at) for ref, at in rows]

"""What the enforcement nodes counted, added up from the vectors in force."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from vigil.hotline.partners.models import Node
from vigil.hotline.statistics.classes import HEADLINE, CountClass
from vigil.hotline.statistics.models import CarriedCount, CountVector

SECONDS_PER_HOUR = 3600


@dataclass(slots=True)
class Blocked:
    """Sums over a period. ``suppressed`` cells were sent as "0 to k-1"; ``largest_error`` is what they may hide at most.

    ``carried``: of the headline what came as sums of such cells, ``carried_weeks`` of it by week, and so under no day.
    ``messages``: texts shown and help followed, by variant (``law.displayed``).
    """

    since: datetime
    until: datetime
    by_day: Counter[str] = field(default_factory=Counter)
    by_class: Counter[CountClass] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    suppressed: int = 0
    largest_error: int = 0
    carried: int = 0
    carried_weeks: int = 0
    noisy: int = 0
    nodes: int = 0
    enrolled: int = 0
    covered_hours: int = 0
    expected_hours: int = 0
    rules: tuple[int, ...] = ()
    editions: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """Requests for pages and of unstated kind: the headline."""
        return sum(self.by_day.values()) + self.carried_weeks


def blocked_between(since: datetime, until: datetime, so_far: datetime | None = None) -> Blocked:
    """Sums of the vectors in force whose hour lies in the period; hours after ``so_far`` are not expected yet."""
    found = Blocked(since, until)
    covered: dict[tuple[str, datetime, str], int] = {}
    nodes, rules, editions = set(), set(), set()
    vectors = CountVector.objects.filter(in_force=True, hour__gte=since, hour__lt=until)
    for vector in vectors.iterator(chunk_size=2000):
        node = str(vector.node_id)
        nodes.add(node)
        rules.add(vector.rules)
        editions.add(vector.edition)
        key = (node, vector.hour, vector.list)
        covered[key] = covered.get(key, 0) + vector.covered_seconds
        _add(found, vector)
    for each in CarriedCount.objects.filter(start__gte=since.date(), start__lt=until.date()):
        _add_carried(found, each)
    found.nodes, found.rules = len(nodes), tuple(sorted(rules))
    found.editions = tuple(sorted(editions - {0}))
    _note_coverage(found, covered, min(until, so_far or until))
    return found


def _add(found: Blocked, vector: CountVector) -> None:
    day = vector.hour.strftime("%Y-%m-%d")
    found.noisy += vector.privacy == "laplace"
    found.messages.update({name: number for name, number in vector.messages.items() if number is not None})
    for name, number in vector.counts.items():
        kind = CountClass(name)
        if number is None:
            if kind in HEADLINE:
                found.suppressed += 1
                found.largest_error += max(vector.k - 1, 0)
            continue
        found.by_class[kind] += number
        if kind in HEADLINE:
            found.by_day[day] += number


def _add_carried(found: Blocked, carried: CarriedCount) -> None:
    """Small numbers that came together: of a week they belong to no day."""
    found.messages.update(carried.messages)
    for name, number in carried.counts.items():
        kind = CountClass(name)
        found.by_class[kind] += number
        if kind in HEADLINE:
            found.carried += number
            found.largest_error = max(0, found.largest_error - number)
            if carried.period == "day":
                found.by_day[carried.start.isoformat()] += number
            else:
                found.carried_weeks += number


def _note_coverage(found: Blocked, covered: dict[tuple[str, datetime, str], int], until: datetime) -> None:
    """Node-hours with at least one list enforced, added up from seconds, against those that nodes could have ``until`` then."""
    best: dict[tuple[str, datetime], int] = {}
    for (node, hour, _), seconds in covered.items():
        best[node, hour] = max(best.get((node, hour), 0), seconds)
    found.covered_hours = round(sum(min(seconds, SECONDS_PER_HOUR) for seconds in best.values()) / SECONDS_PER_HOUR)
    for each in Node.objects.filter(created_at__lt=until, expires_at__gt=found.since):
        start = max(each.created_at, found.since)
        end = min(each.revoked_at or each.expires_at, each.expires_at, until)
        if end > start:
            found.enrolled += 1
            found.expected_hours += max(1, int((end - start).total_seconds() // SECONDS_PER_HOUR))

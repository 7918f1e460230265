"""One's own ledger, and what the welfare lead may see of it. Nothing here compares people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, F, IntegerField, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission, roles_with
from vigil.hotline.welfare.limits import Ledger, Policy, State, state_of
from vigil.hotline.welfare.models import (
    Break,
    BuddyRequest,
    ExposureEvent,
    LeadSees,
    Preferences,
    SeverityNote,
    ShiftPolicy,
    Swap,
)
from vigil.hotline.welfare.modes import UNBLURRED

UNENDED_SECONDS: Final = 30
"""What a look counts whose end was never told: a browser that closed, a page without script."""
DAY: Final = timedelta(hours=24)
WEEK: Final = timedelta(days=7)


def preferences_of(person: User) -> Preferences:
    """What the person chose; the defaults where they chose nothing."""
    return Preferences.objects.filter(analyst=person).first() or Preferences(analyst=person, created_by=person.label)


def policy_row_for(person: User) -> ShiftPolicy:
    """The policy of the person's strictest role: the smallest daily limit; the defaults where none was set."""
    names = [*sorted(role.value for role in person.roles), ""]
    latest = _latest(ShiftPolicy.objects.filter(role__in=names))
    own = [row for name, row in latest.items() if name]
    chosen = min(own, key=lambda row: row.daily_limit_s) if own else latest.get("")
    return chosen or ShiftPolicy(created_by="system:operator")


def policies_in_force() -> list[ShiftPolicy]:
    """What counts now: for everybody first, then for each role that has a policy of its own."""
    latest = {"": ShiftPolicy(created_by="system:operator")} | _latest(ShiftPolicy.objects.all())
    return [latest[role] for role in sorted(latest)]


def _latest(rows: QuerySet[ShiftPolicy]) -> dict[str, ShiftPolicy]:
    """The newest of ``rows`` for each role; "" is everybody's."""
    return {row.role: row for row in rows.order_by("created_at", "pk")}


def policy_for(person: User) -> Policy:
    """The limits that count for the person."""
    return policy_row_for(person).limits()


def seconds_since(person: User, since: datetime) -> int:
    """Seconds with unblurred content since an instant."""
    looks = ExposureEvent.objects.filter(analyst=person, created_at__gte=since, mode__in=sorted(UNBLURRED))
    lasted = Coalesce(F("end__seconds"), Value(UNENDED_SECONDS), output_field=IntegerField())
    return int(looks.aggregate(total=Sum(lasted))["total"] or 0)


def ledger_of(person: User) -> Ledger:
    """What counts towards limits now. A day is the last 24 hours, so that midnight opens nothing. A break shorter than the
    policy's is a break, but time is counted on from the last whole one; one that runs is not shortened by another."""
    moment, whole = now(), timedelta(seconds=policy_for(person).break_s)
    taken = list(Break.objects.filter(analyst=person, created_at__gte=moment - DAY))
    rested = [each.ends_at for each in taken if each.enforced or each.ends_at - each.created_at >= whole]
    return Ledger(
        today_s=seconds_since(person, moment - DAY),
        week_s=seconds_since(person, moment - WEEK),
        since_break_s=seconds_since(person, max(rested, default=moment - DAY)),
        break_until=max((each.ends_at for each in taken), default=None),
        swapped=Swap.objects.filter(analyst=person, ended_at=None).exists(),
    )


def state_for(person: User) -> State:
    """Whether the person may look at content now."""
    return state_of(policy_for(person), ledger_of(person), now())


@dataclass(frozen=True, slots=True)
class Totals:
    """One person's exposure in a period: looks, seconds by kind, severities found."""

    looks: int = 0
    unblurred_s: int = 0
    blurred_s: int = 0
    severities: dict[str, int] = field(default_factory=dict)


def totals(person: User, since: datetime | None = None, until: datetime | None = None) -> Totals:
    """A person's exposure; without ``since`` over their whole time here."""
    looks = ExposureEvent.objects.filter(analyst=person)
    notes = SeverityNote.objects.filter(analyst=person)
    if since is not None:
        looks, notes = looks.filter(created_at__gte=since), notes.filter(created_at__gte=since)
    if until is not None:
        looks, notes = looks.filter(created_at__lt=until), notes.filter(created_at__lt=until)
    lasted = Coalesce(F("end__seconds"), Value(UNENDED_SECONDS), output_field=IntegerField())
    seconds: Counter[bool] = Counter()
    number = 0
    for mode, count, total in looks.values_list("mode").annotate(count=Count("pk"), total=Sum(lasted)).order_by("mode"):
        number += count
        seconds[mode in UNBLURRED] += total
    found = dict(notes.values_list("severity").annotate(number=Count("pk")).order_by("severity"))
    return Totals(number, seconds[True], seconds[False], found)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a ledger, for the person's own page."""

    day: str
    totals: Totals


def days_of(person: User, number: int = 14) -> list[Day]:
    """The last days of one's own ledger, today first; days in UTC."""
    start = now().replace(hour=0, minute=0, second=0, microsecond=0)
    days = [start - timedelta(days=back) for back in range(number)]
    return [Day(f"{day:%Y-%m-%d}", totals(person, day, day + DAY)) for day in days]


@dataclass(frozen=True, slots=True)
class LeadRow:
    """What the welfare lead sees of one person; ``totals`` is None where nothing may be seen."""

    person: User
    sees: LeadSees
    shared: bool
    totals: Totals | None


def lead_rows(person: Person) -> list[LeadRow]:
    """People who look at content, by name and never by amount, each as far as policy and they themselves allow."""
    must(person, Permission.WELFARE_LEAD)
    looking = User.objects.filter(is_active=True, grants__revoked_at=None, grants__role__in=_LOOKING).distinct()
    return [_lead_row(each) for each in looking.order_by("display_name")]


_LOOKING: Final = sorted(role.value for role in roles_with(Permission.CONTENT_REVEAL))


def _lead_row(each: User) -> LeadRow:
    sees, shared = LeadSees(policy_row_for(each).lead_sees), preferences_of(each).share
    if sees is LeadSees.NOTHING:
        return LeadRow(each, sees, shared, None)
    if shared:
        return LeadRow(each, sees, shared, totals(each, now() - timedelta(days=28)))
    if sees is LeadSees.AFTER_A_WEEK:
        return LeadRow(each, sees, shared, totals(each, now() - timedelta(days=35), now() - WEEK))
    return LeadRow(each, sees, shared, None)


def open_buddy_requests(person: User) -> list[BuddyRequest]:
    """Colleagues who would like company; one's own request is not among them."""
    return list(BuddyRequest.objects.filter(closed_at=None).exclude(analyst=person).select_related("analyst"))

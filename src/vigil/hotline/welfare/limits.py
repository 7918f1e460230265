"""What a ledger and a policy say together. Pure: numbers and instants in, a state out.

Only time with content unblurred counts towards limits and breaks; blurred tiles are counted apart. The numbers of the
default policy are proposals: the operator sets them with the welfare lead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class Fitness(StrEnum):
    FIT = "fit"
    NEAR_LIMIT = "near_limit"
    BREAK_DUE = "break_due"
    ON_BREAK = "on_break"
    DAY_OVER = "day_over"
    WEEK_OVER = "week_over"
    SWAPPED = "swapped"


REFUSES: Final = frozenset(Fitness) - {Fitness.FIT, Fitness.NEAR_LIMIT}


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits in seconds of unblurred content. ``hard``: over a limit nothing more is shown; otherwise it is only said."""

    daily_soft_s: int = 40 * 60
    daily_limit_s: int = 60 * 60
    weekly_limit_s: int = 4 * 60 * 60
    break_every_s: int = 20 * 60
    break_s: int = 10 * 60
    hard: bool = True


DEFAULT: Final = Policy()


@dataclass(frozen=True, slots=True)
class Ledger:
    """Seconds unblurred today, this week and since the last break; until when a break runs; whether on other work."""

    today_s: int = 0
    week_s: int = 0
    since_break_s: int = 0
    break_until: datetime | None = None
    swapped: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What counts now, and until when where that is known."""

    fitness: Fitness
    until: datetime | None = None

    @property
    def refuses(self) -> bool:
        return self.fitness in REFUSES


def state_of(policy: Policy, ledger: Ledger, now: datetime) -> State:
    """The first thing that stands in the way, or that should be said; a break that runs before all else."""
    if ledger.break_until is not None and ledger.break_until > now:
        return State(Fitness.ON_BREAK, ledger.break_until)
    if ledger.swapped:
        return State(Fitness.SWAPPED)
    if policy.hard and ledger.week_s >= policy.weekly_limit_s:
        return State(Fitness.WEEK_OVER)
    if policy.hard and ledger.today_s >= policy.daily_limit_s:
        return State(Fitness.DAY_OVER)
    if ledger.since_break_s >= policy.break_every_s:
        return State(Fitness.BREAK_DUE, now + timedelta(seconds=policy.break_s))
    if ledger.today_s >= policy.daily_soft_s or ledger.week_s >= policy.weekly_limit_s:
        return State(Fitness.NEAR_LIMIT)
    return State(Fitness.FIT)

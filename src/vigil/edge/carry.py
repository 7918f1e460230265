"""Small numbers on their way into days and weeks: what was too small to leave as an hour is added up, so that it is not lost.

A number below ``k`` does not leave the node with its hour. It is added to the day of its list and class; when the day is over,
what has come together leaves in steps of ``k``, and the rest goes into the week (Monday to Sunday, UTC). What is left of a week
is dropped.

What leaves must not undo the suppression of any single number, whoever subtracts whatever from whatever else was sent. So a
sum of ``n`` hidden numbers leaves only as far as ``n - 1`` of them could have made it alone: each one of them may still be
anything from 0 to ``k`` - 1 (shown for all cases of small ``k`` in tests/edge/test_carry.py). Why: docs/decisions/0262.

``counts/carry.json`` is written whole before an hour is closed, and holds the names of the hours that are in it: an hour that is
closed again after a power cut is added once. It also holds the names of the days and weeks that were told: what a clock that went
back counts in them goes into the next one (docs/decisions/0471).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final, Literal

import msgspec

from vigil.base.files import write_atomically
from vigil.edge.counts import CLOSING, RULES, WIRE_VERSION, Cell, Column, Vector, hour_text

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
SETTLING: Final = 2 * CLOSING  # after the last hour is closed
KEEP_NAMES: Final = timedelta(days=15)
KEEP_PERIODS: Final = 60  # days and weeks that were told: by number, since the clock is what is not trusted there
SUPPRESS: Final = "suppress"
MESSAGE: Final = "message:"
Period = Literal["day", "week"]
LENGTHS: Final[Mapping[Period, timedelta]] = {"day": DAY, "week": WEEK}


class Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """The wire form: of a list and a period the numbers that leave, in steps of ``k``, and of how many hidden ones each is made.

    ``cells`` counts hours (and editions within an hour) for a day, days for a week. ``start``: the first day.
    """

    v: int
    rules: int
    node: str
    list: str
    period: Period
    start: str
    counts: dict[str, int]
    cells: dict[str, int]
    k: int
    messages: dict[str, int] | None = None

    def encoded(self) -> bytes:
        """The same bytes each time."""
        return msgspec.json.encode(self, order="sorted")


class Sum(msgspec.Struct):
    """Hidden numbers of one list, class and period, added up: a class, or a message behind ``message:``."""

    period: Period
    start: date
    list: str
    name: str
    k: int
    total: int = 0
    cells: int = 0


class _File(msgspec.Struct, forbid_unknown_fields=True):
    sums: list[Sum]
    hours: list[tuple[str, int, str]]
    told: list[tuple[Period, date]] = []


def may_leave(total: int, cells: int, k: int) -> int:
    """How much of a sum of ``cells`` hidden numbers may be told: a multiple of ``k`` that all but one of them could reach."""
    if cells < 1 or k < 1:
        return 0
    return min(total // k, (cells - 1) * (k - 1) // k) * k


def hidden_in(vector: Vector, column: Column) -> dict[str, int]:
    """The numbers that ``vector`` does not tell, by name."""
    if vector.privacy.kind != SUPPRESS:
        return {}
    found = {kind.value: number for kind, number in column.counts.items()}
    hidden = {name: found.get(name, 0) for name, told in vector.counts.items() if told is None}
    hidden |= {MESSAGE + name: column.messages[name] for name, told in (vector.messages or {}).items() if told is None}
    return hidden


class Carry:
    """The sums of one node. Called by the thread of the bookkeeper only."""

    def __init__(self, node: str, path: Path) -> None:
        self._node, self._path = node, path
        self._sums: dict[tuple[Period, date, str, str, int], Sum] = {}
        self._hours: dict[tuple[str, int, str], datetime] = {}
        self._told_periods: dict[tuple[Period, date], None] = {}
        self._load()

    def add(self, cell: Cell, vector: Vector, column: Column) -> None:
        """Take the hidden numbers of an hour that closes; nothing where it was taken before."""
        hidden, key = hidden_in(vector, column), (hour_text(cell.hour), cell.edition, cell.list)
        if not hidden or key in self._hours:
            return
        for name, number in hidden.items():
            self._sum("day", cell.hour.date(), cell.list, name, vector.privacy.k, number)
        self._hours[key] = cell.hour
        self._save()

    def close(self, now: datetime) -> list[Carried]:
        """The periods that are over, days before weeks, as they leave. They stay until :meth:`drop` says that they are safe."""
        for each in [each for each in self._over("day", now, DAY) if each.cells > 0]:
            rest = each.total - may_leave(each.total, each.cells, each.k)
            monday = each.start - timedelta(days=each.start.weekday())
            self._sum("week", monday, each.list, each.name, each.k, rest)
            each.total, each.cells = may_leave(each.total, each.cells, each.k), -each.cells
        return self._told("day") + self._told("week", self._over("week", now, WEEK))

    def drop(self, now: datetime) -> None:
        """What was told is written into the outbox: forget it, and the names of hours long gone."""
        over = [each for each in self._sums.values() if each.cells < 0] + self._over("week", now, WEEK)
        self._sums = {key: each for key, each in self._sums.items() if not any(each is gone for gone in over)}
        told = dict.fromkeys((each.period, each.start) for each in over)
        self._told_periods = dict.fromkeys([*self._told_periods, *told][-KEEP_PERIODS:])
        self._hours = {key: hour for key, hour in self._hours.items() if now - hour < KEEP_NAMES}
        self._save()

    def is_due(self, now: datetime) -> bool:
        """True where some period is over."""
        return bool(self._over("day", now, DAY) or self._over("week", now, WEEK))

    def _over(self, period: Period, now: datetime, length: timedelta) -> list[Sum]:
        return [each for each in self._sums.values() if each.period == period and now >= _instant(each.start) + length + SETTLING]

    def _told(self, period: Period, sums: list[Sum] | None = None) -> list[Carried]:
        """One vector a list, start and ``k``; none where nothing may leave."""
        chosen = [each for each in self._sums.values() if each.period == "day" and each.cells < 0] if sums is None else sums
        groups: dict[tuple[date, str, int], dict[str, tuple[int, int]]] = {}
        for each in chosen:
            told = each.total if each.cells < 0 else may_leave(each.total, each.cells, each.k)
            if told:
                groups.setdefault((each.start, each.list, each.k), {})[each.name] = told, abs(each.cells)
        return [self._vector(period, *key, found) for key, found in sorted(groups.items())]

    def _vector(self, period: Period, start: date, name: str, k: int, found: Mapping[str, tuple[int, int]]) -> Carried:
        counts = {each: told for each, (told, _) in sorted(found.items()) if not each.startswith(MESSAGE)}
        messages = {each.removeprefix(MESSAGE): told for each, (told, _) in sorted(found.items()) if each.startswith(MESSAGE)}
        cells = {each.removeprefix(MESSAGE): number for each, (_, number) in sorted(found.items())}
        return Carried(WIRE_VERSION, RULES, self._node, name, period, start.isoformat(), counts, cells, k, messages or None)

    def _sum(self, period: Period, start: date, name: str, what: str, k: int, number: int) -> None:
        while self._has_left(period, start):  # a clock went back: the next one takes it
            start += LENGTHS[period]
        each = self._sums.setdefault((period, start, name, what, k), Sum(period, start, name, what, k))
        each.total, each.cells = each.total + number, each.cells + 1

    def _has_left(self, period: Period, start: date) -> bool:
        """True where the hotline has numbers of that day or week, or is about to get them."""
        leaving = (each for each in self._sums.values() if each.cells < 0)
        return (period, start) in self._told_periods or any((each.period, each.start) == (period, start) for each in leaving)

    def _load(self) -> None:
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._path.replace(self._path.with_suffix(".unreadable"))
            return
        self._sums = {(each.period, each.start, each.list, each.name, each.k): each for each in found.sums}
        self._hours = {
            (hour, edition, name): datetime.strptime(hour, "%Y-%m-%dT%H:00Z").replace(tzinfo=UTC)
            for hour, edition, name in found.hours
        }
        self._told_periods = dict.fromkeys(found.told)

    def _save(self) -> None:
        rows = sorted(self._sums.values(), key=lambda each: (each.period, each.start, each.list, each.name, each.k))
        write_atomically(self._path, msgspec.json.encode(_File(rows, sorted(self._hours), list(self._told_periods))), mode=0o600)


def _instant(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

"""Small numbers carried into days and weeks: none is lost that need not be, none is counted twice, and none can be found out."""

from __future__ import annotations

import itertools
import json
import secrets
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vigil.edge.bookkeeper import Bookkeeper
from vigil.edge.carry import may_leave
from vigil.edge.counts import CountClass, Rules, Tally
from vigil.edge.ledger import Ledger

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
NAVIGATION = CountClass.NAVIGATION


class Desk:
    """A bookkeeper as one process has it; a new desk over the same folder is a restart."""

    def __init__(self, folder: Path, k: int = 10, epsilon: float | None = None) -> None:
        self.tally, self.ledger = Tally(), Ledger(folder)
        source = secrets.randbelow if epsilon else None
        self.books = Bookkeeper("n-1", self.tally, self.ledger, Rules(k, epsilon, source), open_hours=False)
        self.books.start()

    def hour(self, start: datetime, number: int, name: str = "urls") -> None:
        self.tally.add(5, name, NAVIGATION, start, number)
        self.books.tick(start + timedelta(hours=1, minutes=3))

    def sent(self) -> list[dict[str, object]]:
        return [json.loads(path.read_bytes()) for path in self.ledger.waiting()]

    def carried(self) -> list[dict[str, object]]:
        return [each for each in self.sent() if "period" in each]


def test_a_quiet_day_adds_up(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for hour in range(24):
        desk.hour(MONDAY + timedelta(hours=hour), 3)
    assert desk.carried() == []
    desk.books.tick(MONDAY + timedelta(days=1, minutes=5))
    (day,) = desk.carried()
    assert day == {
        "v": 1, "rules": 2, "node": "n-1", "list": "urls", "period": "day", "start": "2026-11-16",
        "counts": {"navigation": 70}, "cells": {"navigation": 24}, "k": 10,
    }  # fmt: skip
    assert all(each["counts"]["navigation"] is None for each in desk.sent() if "period" not in each)  # type: ignore[index]


def test_the_rest_of_days_goes_into_the_week(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for day in range(7):
        for hour in range(0, 24, 6):
            desk.hour(MONDAY + timedelta(days=day, hours=hour), 4)  # 16 a day: 10 leave, 6 stay
    desk.books.tick(MONDAY + timedelta(days=7, minutes=5))
    by_period = defaultdict(list)
    for each in desk.carried():
        by_period[each["period"]].append(each["counts"])
    assert by_period == {"day": [{"navigation": 10}] * 7, "week": [{"navigation": 40}]}
    desk.books.tick(MONDAY + timedelta(days=7, minutes=10))
    desk.books.tick(MONDAY + timedelta(days=30))
    assert len(desk.carried()) == 8, "once each"


def test_lists_and_classes_are_apart_and_what_was_told_is_not_carried(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for hour in range(4):
        start = MONDAY + timedelta(hours=hour)
        desk.tally.add(5, "urls", CountClass.TEST, start, 9)
        desk.tally.add(6, "urls", CountClass.TEST, start, 10)
        desk.tally.add(5, "other", CountClass.TEST, start, 2)
        desk.tally.message(5, "law.displayed", start, 8)
        desk.books.tick(start + timedelta(hours=1, minutes=3))
    desk.books.tick(MONDAY + timedelta(days=1, minutes=5))
    assert {(each["list"], json.dumps(each["counts"]), json.dumps(each.get("messages"))) for each in desk.carried()} == {
        ("urls", '{"test": 20}', "null"), ("*", "{}", '{"law.displayed": 20}'),
    }  # fmt: skip


@pytest.mark.parametrize("more", [{"k": 0}, {"epsilon": 0.5}])
def test_nothing_is_carried_where_nothing_is_hidden(tmp_path: Path, more: dict[str, float]) -> None:
    desk = Desk(tmp_path, **more)  # type: ignore[arg-type]
    for hour in range(24):
        desk.hour(MONDAY + timedelta(hours=hour), 3)
    desk.books.tick(MONDAY + timedelta(days=8))
    assert desk.carried() == []


def test_a_node_that_was_down_at_midnight_closes_its_day_later(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for hour in range(23):
        desk.hour(MONDAY + timedelta(hours=hour), 3)
    desk.tally.add(5, "urls", NAVIGATION, MONDAY + timedelta(hours=23), 5)
    desk.books.tick(MONDAY + timedelta(hours=23, minutes=30))
    again = Desk(tmp_path)
    again.books.tick(MONDAY + timedelta(days=2))
    assert [each["counts"] for each in again.carried()] == [{"navigation": 70}]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_power_cut_neither_loses_nor_doubles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    """Each write in turn is the last one before the lights go out; the node starts again and goes on."""
    from vigil.edge import carry, ledger

    desk = Desk(tmp_path)
    for hour in range(3):
        desk.hour(MONDAY + timedelta(hours=hour), 9)
    desk.tally.add(5, "urls", NAVIGATION, MONDAY + timedelta(hours=3), 4)
    desk.books.tick(MONDAY + timedelta(hours=3, minutes=30))
    written, real = 0, carry.write_atomically

    def write(*arguments: object, **named: object) -> None:
        nonlocal written
        written += 1
        if written > cut:
            raise KeyboardInterrupt
        real(*arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        for module in (carry, ledger):
            patch.setattr(module, "write_atomically", write)
        try:
            desk.books.tick(MONDAY + timedelta(hours=4, minutes=3))
            desk.books.tick(MONDAY + timedelta(days=1, minutes=5))
        except KeyboardInterrupt:
            pass
    again = Desk(tmp_path)
    again.books.tick(MONDAY + timedelta(days=1, minutes=6))
    assert [each["counts"] for each in again.carried()] == [{"navigation": 20}], "31 in four hours: three could have made 20"
    again.books.tick(MONDAY + timedelta(days=9))
    assert len(again.carried()) == 1


def test_an_unreadable_file_is_put_aside(tmp_path: Path) -> None:
    Desk(tmp_path).hour(MONDAY, 3)
    (tmp_path / "carry.json").write_bytes(b"zorblat")
    Desk(tmp_path).hour(MONDAY + timedelta(hours=1), 3)
    assert (tmp_path / "carry.unreadable").exists()


def told_of(days: tuple[tuple[int, ...], ...], k: int) -> tuple[object, ...]:
    """All that leaves the node about hidden numbers of the days of one week."""
    told, rest = [], 0
    for day in days:
        leaves = may_leave(sum(day), len(day), k)
        told.append(leaves)
        rest += sum(day) - leaves
    return (*told, may_leave(rest, len(days), k))


@pytest.mark.parametrize(
    ("shape", "k"),
    [
        ((1,), 3),
        ((2,), 4),
        ((3,), 4),
        ((6,), 3),
        ((1, 1, 1), 3),
        ((2, 1, 2), 3),
        ((3, 2, 1), 3),
        ((2, 2, 2, 2), 2),
        ((3, 3, 1), 2),
        ((4, 3), 2),
    ],
)
def test_no_hidden_number_can_be_found_out(shape: tuple[int, ...], k: int) -> None:
    """Every week of every hidden number there can be: whatever is told, each single number may be anything from 0 to k - 1."""
    possible: dict[tuple[object, ...], list[set[int]]] = defaultdict(lambda: [set() for _ in range(sum(shape))])
    for flat in itertools.product(range(k), repeat=sum(shape)):
        numbers = iter(flat)
        days = tuple(tuple(itertools.islice(numbers, size)) for size in shape)
        for known, number in zip(possible[told_of(days, k)], flat, strict=True):
            known.add(number)
    assert all(known == set(range(k)) for cells in possible.values() for known in cells)


def test_much_leaves_of_many_and_nothing_of_few() -> None:
    assert [may_leave(total, 24, 10) for total in (0, 9, 10, 72, 216)] == [0, 0, 10, 70, 200]
    assert [may_leave(9 * cells, cells, 10) for cells in (0, 1, 2, 3)] == [0, 0, 0, 10]

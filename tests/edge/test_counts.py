"""Counts: nothing but numbers, one vector a cell, the same bytes each time, nothing counted twice, gaps not zeros."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.world import TOKEN, Hotline

from vigil.edge.bookkeeper import Bookkeeper
from vigil.edge.config import Token
from vigil.edge.counts import (
    Cell,
    Column,
    CountClass,
    Rules,
    Tally,
    entry_class,
    hour_of,
    in_steps,
    next_vector,
    request_class,
    suppressed,
)
from vigil.edge.delivery import Courier, Outcome
from vigil.edge.ledger import Ledger

TEN = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
NAVIGATION = CountClass.NAVIGATION


class Desk:
    """A bookkeeper and what it is made of, as one process has them; a new desk is a restart."""

    def __init__(self, folder: Path, k: int = 0, open_hours: bool = False) -> None:
        self.tally, self.ledger = Tally(), Ledger(folder)
        self.books = Bookkeeper("n-1", self.tally, self.ledger, Rules(k), open_hours=open_hours)
        self.readable = self.books.start()

    def hit(self, now: datetime, number: int = 1, kind: CountClass = NAVIGATION) -> None:
        self.tally.add(5, "urls", kind, now, number)

    def outbox(self) -> list[dict[str, object]]:
        return [json.loads(path.read_bytes()) for path in self.ledger.waiting()]


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, CountClass.UNDETERMINED),
        ({b"sec-fetch-dest": b"document"}, CountClass.NAVIGATION),
        ({b"sec-fetch-dest": b"image"}, CountClass.SUBRESOURCE),
        ({b"sec-fetch-dest": b"iframe"}, CountClass.SUBRESOURCE),
        ({b"sec-fetch-dest": b"document", b"sec-purpose": b"prefetch;prerender"}, CountClass.PREFETCH),
        ({b"purpose": b"Prefetch"}, CountClass.PREFETCH),
        ({b"x-moz": b"prefetch"}, CountClass.PREFETCH),
        ({b"user-agent": b"zorblat"}, CountClass.UNDETERMINED),
    ],
)
def test_classes_of_requests(headers: dict[bytes, bytes], kind: CountClass) -> None:
    assert request_class(headers) is kind


def test_tests_and_canaries_have_classes_of_their_own() -> None:
    assert entry_class(("x",), NAVIGATION) is NAVIGATION
    assert entry_class(("test",), NAVIGATION) is CountClass.TEST
    assert entry_class(("canary", "test"), NAVIGATION) is CountClass.CANARY


@given(st.integers(0, 50), st.integers(0, 20))
def test_small_numbers_and_zero_do_not_leave(number: int, k: int) -> None:
    shown = suppressed({NAVIGATION: number}, k)
    assert list(shown) == [kind.value for kind in CountClass]
    assert shown["navigation"] == (number if number >= k else None)
    assert shown["canary"] == (0 if k == 0 else None)
    assert in_steps(number, k) <= number and (k == 0 or in_steps(number, k) % k == 0)


def test_an_hour_becomes_one_vector_two_minutes_after_its_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path, k=10)
    desk.books.in_force(5, ("urls", "pictures"), TEN)
    for minute in range(60):
        desk.hit(TEN + timedelta(minutes=minute))
        desk.books.tick(TEN + timedelta(minutes=minute))
    desk.books.tick(TEN + timedelta(minutes=60))
    desk.books.tick(TEN + timedelta(minutes=61, seconds=59))
    assert desk.outbox() == []
    desk.books.tick(TEN + timedelta(minutes=62))
    vectors = {vector["list"]: vector for vector in desk.outbox()}
    assert set(vectors) == {"urls", "pictures"}
    urls = vectors["urls"]
    assert urls == {
        "v": 1,
        "rules": 2,
        "node": "n-1",
        "list": "urls",
        "edition": 5,
        "hour": "2026-11-22T10:00Z",
        "covered_seconds": 3600,
        "counts": {**{kind.value: None for kind in CountClass}, "navigation": 60},
        "privacy": {"kind": "suppress", "k": 10},
        "revision": 0,
    }


def test_an_edition_change_splits_the_hour(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.books.in_force(5, ("urls",), TEN)
    for second in range(0, 1200, 60):
        desk.books.tick(TEN + timedelta(seconds=second))
    desk.books.in_force(6, ("urls",), TEN + timedelta(seconds=1200))
    for second in range(1260, 3800, 60):
        desk.books.tick(TEN + timedelta(seconds=second))
    assert {(v["edition"], v["covered_seconds"]) for v in desk.outbox()} == {(5, 1200), (6, 2400)}


def test_time_that_nobody_watched_is_a_gap(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.books.in_force(5, ("urls",), TEN)
    desk.books.tick(TEN + timedelta(seconds=60))
    desk.books.tick(TEN + timedelta(seconds=1000))  # the machine slept
    desk.books.tick(TEN + timedelta(seconds=900))  # the clock was put back
    desk.books.tick(TEN + timedelta(seconds=960))
    desk.books.tick(TEN + timedelta(hours=2))
    assert [v["covered_seconds"] for v in desk.outbox()] == [120]


def test_a_killed_process_loses_nothing_that_was_written(tmp_path: Path) -> None:
    first = Desk(tmp_path)
    first.books.in_force(5, ("urls",), TEN)
    first.hit(TEN, 3)
    first.books.tick(TEN + timedelta(seconds=30))
    second = Desk(tmp_path)  # no stop: the first one was killed
    second.books.in_force(5, ("urls",), TEN + timedelta(seconds=90))
    second.hit(TEN + timedelta(seconds=95), 4)
    second.books.tick(TEN + timedelta(seconds=120))
    second.books.tick(TEN + timedelta(hours=1, minutes=3))
    [vector] = second.outbox()
    assert vector["counts"]["navigation"] == 7  # type: ignore[index]
    assert vector["covered_seconds"] == 60


@pytest.mark.parametrize("step", ["save", "post", "drop"])
def test_a_power_cut_while_an_hour_closes_never_makes_two_vectors_under_one_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    desk = Desk(tmp_path)
    desk.hit(TEN, 3)
    desk.books.tick(TEN)
    target, name = (desk.ledger, step) if step != "drop" else (desk.tally, "drop")

    class PowerCutError(Exception):
        pass

    def cut(*_: object) -> None:
        raise PowerCutError

    monkeypatch.setattr(target, name, cut)
    closing = TEN + timedelta(hours=1, minutes=2)
    desk.hit(TEN + timedelta(minutes=1), 2)  # in memory only: may be lost, may not be
    with pytest.raises(PowerCutError):
        desk.books.tick(closing)
    before = {path.name: path.read_bytes() for path in desk.ledger.waiting()}
    again = Desk(tmp_path)
    again.books.tick(closing + timedelta(seconds=5))
    after = {path.name: path.read_bytes() for path in again.ledger.waiting()}
    assert len(after) == 1
    assert before.items() <= after.items()


def test_open_hours_rise_in_revision_only_when_numbers_change(tmp_path: Path) -> None:
    desk = Desk(tmp_path, open_hours=True)
    desk.books.in_force(5, ("urls",), TEN)
    seen = []
    for second, hits in ((1, 0), (2, 0), (3, 2), (4, 0), (5, 1)):
        if hits:
            desk.hit(TEN + timedelta(seconds=second), hits)
        desk.books.tick(TEN + timedelta(seconds=second), show_open=True)
        [vector] = desk.outbox()
        seen.append((vector["revision"], vector["counts"]["navigation"]))  # type: ignore[index]
    assert seen == [(0, 0), (0, 0), (1, 2), (1, 2), (2, 3)]
    [sent] = [path.read_bytes() for path in desk.ledger.waiting()]
    restarted = Desk(tmp_path, open_hours=True)
    restarted.books.tick(TEN + timedelta(hours=1, minutes=3))
    assert [path.read_bytes() for path in restarted.ledger.waiting()] == [sent]  # nothing happened since: nothing new


def test_suppressed_numbers_do_not_show_their_growth(tmp_path: Path) -> None:
    desk = Desk(tmp_path, k=10, open_hours=True)
    for second in range(9):
        desk.hit(TEN + timedelta(seconds=second))
        desk.books.tick(TEN + timedelta(seconds=second), show_open=True)
    assert [vector["revision"] for vector in desk.outbox()] == [0]


def test_an_unreadable_ledger_is_put_aside(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.hit(TEN)
    desk.books.tick(TEN)
    (tmp_path / "open.json").write_bytes(b'[{"hour": "zorblat"')
    again = Desk(tmp_path)
    assert not again.readable
    again.hit(TEN, 2)
    again.books.tick(TEN + timedelta(hours=2))
    assert len(again.outbox()) == 1
    assert (tmp_path / "refused" / "open.json.unreadable").exists()


def test_vectors_nobody_takes_are_dropped_after_400_days(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.hit(TEN)
    desk.books.tick(TEN + timedelta(hours=2))
    desk.ledger.prune(TEN + timedelta(days=400))
    assert len(desk.outbox()) == 1
    desk.ledger.prune(TEN + timedelta(days=401))
    assert desk.outbox() == []


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)), st.integers(0, 20_000))  # noqa: DTZ001
def test_coverage_is_split_by_hours(start: datetime, seconds: int) -> None:
    tally = Tally()
    tally.cover(1, ("urls",), start, start + timedelta(seconds=seconds))
    columns = tally.columns()
    assert sum(column.covered for column in columns.values()) == pytest.approx(seconds, abs=0.01)
    assert all(0 < column.covered <= 3600 and cell.hour == hour_of(cell.hour) for cell, column in columns.items())


def test_the_same_numbers_are_the_same_vector() -> None:
    cell, column = Cell(TEN, 5, "urls"), Column(10.2, {NAVIGATION: 3})
    first = next_vector("n-1", cell, column, Rules(0))
    column.made = first
    assert next_vector("n-1", cell, column, Rules(0)) is not None
    assert next_vector("n-1", cell, column, Rules(0)).encoded() == first.encoded()
    column.counts[NAVIGATION] = 4
    assert next_vector("n-1", cell, column, Rules(0)).revision == 1


def courier(hotline: Hotline, ledger: Ledger, token: str = TOKEN) -> Courier:
    return Courier(f"{hotline.url}/v1/counts", Token(token), ledger)


def closed(folder: Path, hits: int = 3) -> Desk:
    desk = Desk(folder)
    desk.hit(TEN, hits)
    desk.books.tick(TEN + timedelta(hours=2))
    return desk


def test_sending_twice_counts_once(hotline: Hotline, tmp_path: Path) -> None:
    desk = closed(tmp_path / "counts")
    [path] = desk.ledger.waiting()
    copy = path.read_bytes()
    for _ in range(3):
        path.write_bytes(copy)
        assert courier(hotline, desk.ledger).round().outcome is Outcome.DONE
    assert (len(hotline.posts), hotline.total("navigation"), hotline.conflicts) == (3, 3, 0)
    assert desk.ledger.waiting() == []


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_what_is_not_taken_now_is_kept(hotline: Hotline, tmp_path: Path, status: int) -> None:
    desk = closed(tmp_path / "counts")
    hotline.counts_status = status
    done = courier(hotline, desk.ledger).round()
    assert (done.outcome, done.status, len(desk.ledger.waiting())) == (Outcome.UNWANTED, status, 1)
    hotline.counts_status = None
    assert courier(hotline, desk.ledger).round().sent == 1


def test_a_wrong_token_keeps_everything(hotline: Hotline, tmp_path: Path) -> None:
    desk = closed(tmp_path / "counts")
    assert courier(hotline, desk.ledger, "wrong-token-quimber").round().status == 401
    assert len(desk.ledger.waiting()) == 1


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_what_will_never_be_taken_is_put_aside(hotline: Hotline, tmp_path: Path, status: int) -> None:
    desk = closed(tmp_path / "counts")
    hotline.counts_status = status
    done = courier(hotline, desk.ledger).round()
    assert (done.outcome, done.refused, desk.ledger.waiting()) == (Outcome.REFUSED, 1, [])
    assert len(list(desk.ledger.refused.iterdir())) == 1


def test_a_hotline_that_is_down_loses_nothing(tmp_path: Path) -> None:
    desk = closed(tmp_path / "counts")
    nobody = Courier("http://127.0.0.1:9/v1/counts", None, desk.ledger)
    assert nobody.round().outcome is Outcome.UNREACHABLE
    assert len(desk.ledger.waiting()) == 1

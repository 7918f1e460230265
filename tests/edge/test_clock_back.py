"""A node whose clock goes back: what was told is not told again, and what is counted meanwhile is kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edge.test_carry import MONDAY, NAVIGATION, Desk

from vigil.edge.bookkeeper import Bookkeeper
from vigil.edge.counts import Rules, Tally
from vigil.edge.ledger import Ledger
from vigil.edge.told import KEPT, ToldHours

HOUR = timedelta(hours=1)
OVER = timedelta(hours=1, minutes=3)
TUESDAY = MONDAY + timedelta(days=1)
# What names a vector at the hotline: other bytes under the same names are refused there.
KEYS = ("list", "period", "start", "k", "edition", "hour", "revision")


class Hotline:
    """Keeps what is sent by what names it; other bytes under a name that is taken are a failure."""

    def __init__(self) -> None:
        self.kept: dict[tuple[object, ...], bytes] = {}

    def take(self, ledger: Ledger) -> None:
        for path in ledger.waiting():
            body = path.read_bytes()
            document = json.loads(body)
            key = tuple(document.get(name) for name in KEYS)
            assert self.kept.setdefault(key, body) == body, f"refused: {key}"
            ledger.sent(path)

    def all(self) -> list[dict[str, object]]:
        return [json.loads(body) for body in self.kept.values()]

    def total(self) -> int:
        """What the newest revisions tell, in all."""
        newest: dict[tuple[object, ...], tuple[int, int]] = {}
        for each in self.all():
            key = tuple(each.get(name) for name in KEYS if name != "revision")
            found = int(each.get("revision", 0)), int(each["counts"].get("navigation") or 0)  # type: ignore[call-overload,attr-defined]
            newest[key] = max(newest.get(key, (-1, 0)), found)
        return sum(number for _, number in newest.values())


def test_an_hour_and_a_day_that_were_told_are_left_alone_and_the_numbers_go_into_the_next(tmp_path: Path) -> None:
    desk, hotline = Desk(tmp_path), Hotline()
    for hour in range(24):
        desk.hour(MONDAY + hour * HOUR, 3)
    desk.books.tick(TUESDAY + timedelta(minutes=10))
    hotline.take(desk.ledger)
    assert [each["counts"] for each in hotline.all() if "period" in each] == [{"navigation": 70}]
    told = len(hotline.kept)
    # The clock says Monday evening again, and the node starts anew.
    desk = Desk(tmp_path)
    desk.hour(MONDAY + 22 * HOUR, 40)
    desk.hour(MONDAY + 23 * HOUR, 4)
    desk.books.tick(TUESDAY + timedelta(minutes=10))
    hotline.take(desk.ledger)
    assert len(hotline.kept) == told, "nothing is told of hours and of a day that were told"
    desk.hour(TUESDAY, 6)
    hotline.take(desk.ledger)
    (hour,) = [each for each in hotline.all() if each.get("hour") == "2026-11-17T00:00Z"]
    assert hour["counts"]["navigation"] == 50  # type: ignore[index]
    assert hotline.total() == 120


def test_an_hour_of_a_told_day_that_was_not_told_itself_goes_into_the_next_day(tmp_path: Path) -> None:
    desk, hotline = Desk(tmp_path), Hotline()
    for hour in range(20):
        desk.hour(MONDAY + hour * HOUR, 3)
    desk.books.tick(TUESDAY + timedelta(minutes=10))
    desk = Desk(tmp_path)
    desk.hour(MONDAY + 21 * HOUR, 9)
    for hour in range(4):
        desk.hour(TUESDAY + hour * HOUR, 9)
    desk.books.tick(TUESDAY + timedelta(days=1, minutes=10))
    hotline.take(desk.ledger)
    days = {each["start"]: (each["counts"], each["cells"]) for each in hotline.all() if each.get("period") == "day"}
    assert days == {
        "2026-11-16": ({"navigation": 60}, {"navigation": 20}),
        "2026-11-17": ({"navigation": 30}, {"navigation": 5}),
    }


def test_a_week_that_was_told_passes_its_rest_to_the_next(tmp_path: Path) -> None:
    desk, hotline = Desk(tmp_path), Hotline()
    for day in range(7):
        desk.hour(MONDAY + timedelta(days=day), 9)
    desk.books.tick(MONDAY + timedelta(days=7, minutes=10))
    hotline.take(desk.ledger)
    sunday = MONDAY + timedelta(days=6)
    for hour in range(20, 23):
        desk.hour(sunday + hour * HOUR, 9)
    for day in range(7, 14):
        desk.hour(MONDAY + timedelta(days=day), 5)
    desk.books.tick(MONDAY + timedelta(days=14, minutes=10))
    hotline.take(desk.ledger)
    weeks = {each["start"]: each["counts"] for each in hotline.all() if each.get("period") == "week"}
    # Seven hidden nines, of which six could have made 50; then what Monday took over from Sunday evening, and six fives more.
    assert weeks == {"2026-11-16": {"navigation": 50}, "2026-11-23": {"navigation": 40}}


def test_messages_move_too_and_open_hours_show_nothing_of_it(tmp_path: Path) -> None:
    tally, ledger, hotline = Tally(), Ledger(tmp_path), Hotline()
    books = Bookkeeper("n-1", tally, ledger, Rules(0, None, None), open_hours=True)
    books.start()
    for start, shown in ((MONDAY, 2), (MONDAY + HOUR, 1), (MONDAY, 5)):
        tally.message(5, "law.displayed", start, shown)
        tally.add(5, "urls", NAVIGATION, start, shown)
        books.tick(start + timedelta(minutes=30), show_open=True)
        hotline.take(ledger)
        books.tick(start + OVER, show_open=True)
        hotline.take(ledger)
    books.tick(MONDAY + 4 * HOUR)
    hotline.take(ledger)
    told = {(each["hour"], json.dumps(each["messages"])) for each in hotline.all() if each.get("messages")}
    assert told == {
        ("2026-11-16T00:00Z", '{"law.displayed": 2}'),
        ("2026-11-16T01:00Z", '{"law.displayed": 1}'),
        ("2026-11-16T02:00Z", '{"law.displayed": 5}'),
    }
    assert hotline.total() == 8


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-40, 40), st.integers(0, 12), st.booleans()), min_size=1, max_size=15),
    st.sampled_from([0, 3]),
)
def test_however_the_clock_jumps_nothing_is_refused_and_with_nothing_hidden_nothing_is_lost(
    steps: list[tuple[int, int, bool]], k: int
) -> None:
    """Each step: hours that the clock jumps, events that are counted then, and whether the node starts anew after it."""
    with TemporaryDirectory() as name:
        desk, hotline = Desk(Path(name), k), Hotline()
        now, last, counted = MONDAY, MONDAY, 0
        for jump, number, again in steps:
            now += jump * HOUR / 2
            last = max(last, now)
            if number:
                desk.tally.add(5, "urls", NAVIGATION, now, number)
                counted += number
            desk.books.tick(now)
            hotline.take(desk.ledger)
            if again:
                desk = Desk(Path(name), k)
        for hour in range(len(steps) * 2 + 2):  # what moved may move on from hour to hour
            desk.books.tick(last + hour * HOUR + OVER)
            hotline.take(desk.ledger)
        if k == 0:
            assert hotline.total() == counted
        else:
            assert hotline.total() <= counted


@pytest.mark.parametrize("text", ["zorblat", '["zorblat"]', "{}"])
def test_an_unreadable_file_is_put_aside(tmp_path: Path, text: str) -> None:
    (tmp_path / "told.json").write_text(text)
    assert MONDAY not in ToldHours(tmp_path / "told.json")
    assert (tmp_path / "told.unreadable").read_text() == text


def test_only_the_latest_hours_are_kept(tmp_path: Path) -> None:
    told = ToldHours(tmp_path / "told.json")
    told.add([datetime(2040, 1, 1, tzinfo=UTC)])
    told.add(MONDAY + number * HOUR for number in range(KEPT - 1))
    again = ToldHours(tmp_path / "told.json")
    assert datetime(2040, 1, 1, tzinfo=UTC) in again
    assert again.first_open(MONDAY) == MONDAY + (KEPT - 1) * HOUR
    told.add([MONDAY - HOUR])
    again = ToldHours(tmp_path / "told.json")
    assert datetime(2040, 1, 1, tzinfo=UTC) not in again and MONDAY in again


def test_what_was_counted_under_a_clock_far_ahead_is_counted_in_the_present_an_hour_after_it_is_right(tmp_path: Path) -> None:
    desk, hotline = Desk(tmp_path), Hotline()
    desk.books.in_force(5, ("urls",), MONDAY, issued_at=MONDAY - HOUR)
    desk.tally.add(5, "urls", NAVIGATION, MONDAY + timedelta(days=4000), 30)
    desk.tally.add(5, "urls", NAVIGATION, MONDAY + timedelta(hours=20), 1)
    for minutes, brought in ((0, 0), (59, 0), (60, 1), (61, 0), (130, 0)):
        assert desk.books.tick(MONDAY + timedelta(minutes=minutes)) == brought
    assert {cell.hour for cell in desk.tally.columns()} <= {MONDAY + n * HOUR for n in range(1, 21)}
    desk.books.tick(MONDAY + 2 * HOUR + timedelta(minutes=10))
    hotline.take(desk.ledger)
    (hour,) = [each for each in hotline.all() if each["counts"]["navigation"] == 30]  # type: ignore[index]
    assert hour["hour"] == "2026-11-16T01:00Z"


def test_a_clock_that_is_behind_the_edition_brings_nothing_back(tmp_path: Path) -> None:
    desk, start = Desk(tmp_path), datetime(1970, 1, 1, tzinfo=UTC)
    desk.tally.add(5, "urls", NAVIGATION, MONDAY, 30)
    for issued_at in (None, MONDAY - HOUR):
        desk.books.in_force(5, ("urls",), start, issued_at)
        for hours in range(30):
            assert desk.books.tick(start + hours * HOUR) == 0
    assert [cell.hour for cell, column in desk.tally.columns().items() if column.counts] == [MONDAY]


def test_a_clock_that_changes_again_is_waited_for_anew(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.books.in_force(5, ("urls",), MONDAY, issued_at=MONDAY - 90 * HOUR)
    desk.tally.add(5, "urls", NAVIGATION, MONDAY + timedelta(days=9), 3)
    assert desk.books.tick(MONDAY) == 0
    assert desk.books.tick(MONDAY - HOUR) == 0
    assert desk.books.tick(MONDAY - timedelta(minutes=1)) == 0
    assert desk.books.tick(MONDAY) == 1

"""The files of the HMA-compatible door beside a dictionary: the same answers after any changes, cuts and rebuilds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vigil.base.errors import UnavailableError
from vigil.edge.hma import store
from vigil.edge.hma.store import BankRow, Page, Reader, Row, Writer
from vigil.match.signal_types import SIGNAL_TYPES

PDQ, SHA256 = SIGNAL_TYPES["pdq"], SIGNAL_TYPES["sha256"]
BANKS = (BankRow(1, "ZORBLAT", 1.0), BankRow(2, "QUIMBER", 0.5))


def code(number: int) -> str:
    return f"{(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95 % 2**256:064x}"


class Feed:
    """The hotline's side, in memory: pages as the feed gives them."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.gone: list[int] = []
        self.turn = 0
        self.changed: dict[int, int] = {}

    def bank(self, number: int, *, same: int | None = None, bank: int = 1) -> None:
        self.turn += 1
        value = code(number if same is None else same)
        self.rows[number] = Row(number, bank, 1, 31, 1000 + self.turn, (("pdq", value), ("sha256", value)))
        self.changed[number] = self.turn

    def switch(self, number: int, until: int) -> None:
        self.turn += 1
        row = self.rows[number]
        self.rows[number] = Row(row.number, row.bank, until, row.furthest, row.added, row.signals)
        self.changed[number] = self.turn

    def delete(self, number: int) -> None:
        self.turn += 1
        del self.rows[number]
        self.changed[number] = self.turn

    def page(self, place: str, banks: tuple[BankRow, ...] = BANKS) -> Page:
        after = int(place.partition(".")[0])
        later = [number for number, turn in self.changed.items() if turn > after]
        return Page(
            place, f"{self.turn}.0" if later else place, False, len(self.rows), banks, {},
            tuple(self.rows[number] for number in later if number in self.rows),
            tuple(number for number in later if number not in self.rows),
        )  # fmt: skip


def found(reader: Reader, number: int) -> set[int]:
    """Contents with the value of ``number``, by both kinds of search, which must agree."""
    reader.refresh()
    near = {each[0] for each in reader.search(PDQ, PDQ.parse(code(number)))}
    exact = {each[0] for each in reader.search(SHA256, SHA256.parse(code(number)))}
    assert near == exact
    return near


def opened(folder: Path) -> tuple[Writer, Reader]:
    return Writer(folder), Reader(folder)


def test_nothing_is_ready_before_the_feed_was_taken_up_once(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path)
    reader.refresh()
    assert not reader.ready
    assert writer.apply(Feed().page("0.0"))
    reader.refresh()
    assert reader.ready and found(reader, 1) == set()


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 8, 9, 16, 17, 64, 65])
def test_each_of_a_few_is_found(tmp_path: Path, number: int) -> None:
    """Sizes at which the peer's index loses entries; all equal, too."""
    writer, reader = opened(tmp_path)
    feed = Feed()
    for each in range(1, number + 1):
        feed.bank(each)
        feed.bank(1000 + each, same=0)
    assert writer.apply(feed.page("0.0"))
    assert all(found(reader, each) == {each} for each in range(1, number + 1))
    assert found(reader, 0) == {1000 + each for each in range(1, number + 1)}


def test_changes_act_without_building_anew(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path)
    feed = Feed()
    feed.bank(1)
    assert writer.apply(feed.page("0.0"))
    epoch = writer.epoch
    feed.bank(2)
    feed.bank(9000, same=2)  # beyond the records that have room
    feed.switch(1, 0)
    assert writer.apply(feed.page(writer.place))
    assert found(reader, 2) == {2, 9000}
    assert [row[3] for row in reader.search(PDQ, PDQ.parse(code(1)))] == [0]
    feed.delete(2)
    assert writer.apply(feed.page(writer.place))
    assert found(reader, 2) == {9000} and writer.epoch == epoch
    assert reader.banks.sizes["pdq"] == 2
    assert writer.apply(feed.page(writer.place, BANKS[1:])) is False  # a bank went: the numbers differ until its contents do


def test_a_deleted_value_is_in_no_file_after_building_anew(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path)
    feed = Feed()
    for each in (1, 2):
        feed.bank(each)
    assert writer.apply(feed.page("0.0"))
    feed.bank(3)
    assert writer.apply(feed.page(writer.place))
    for each in (2, 3):
        feed.delete(each)
    assert writer.apply(feed.page(writer.place))
    assert writer.must_compact(old=True) and not writer.must_compact(old=False)
    writer.compact()
    reader.refresh()
    assert found(reader, 1) == {1} and found(reader, 2) == found(reader, 3) == set()
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert bytes.fromhex(code(1)) in everything
    assert bytes.fromhex(code(2)) not in everything and bytes.fromhex(code(3)) not in everything


def test_a_restart_goes_on_and_a_cut_is_applied_again(tmp_path: Path) -> None:
    writer, _ = opened(tmp_path)
    feed = Feed()
    feed.bank(1)
    assert writer.apply(feed.page("0.0"))
    kept = (tmp_path / "place.json").read_bytes()
    feed.bank(2)
    assert writer.apply(feed.page(writer.place))
    (tmp_path / "place.json").write_bytes(kept)  # the cut came before the last step
    again, reader = opened(tmp_path)
    assert again.place == json.loads(kept)["place"]
    assert again.apply(feed.page(again.place))
    assert found(reader, 2) == {2} and reader.banks.sizes["pdq"] == 2
    again.compact()
    assert found(reader, 1) == {1} and found(reader, 2) == {2}


def test_a_state_that_is_damaged_begins_anew(tmp_path: Path) -> None:
    writer, _ = opened(tmp_path)
    feed = Feed()
    feed.bank(1)
    assert writer.apply(feed.page("0.0"))
    (tmp_path / "place.json").write_text("zorblat")
    again = Writer(tmp_path)
    assert (again.place, again.epoch) == ("0.0", 0)
    assert again.apply(feed.page("0.0"))
    (tmp_path / "head").write_bytes(b"zorblat!" * 8)
    with pytest.raises(UnavailableError):
        Reader(tmp_path).refresh()


def test_another_number_of_contents_is_noticed(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path)
    feed = Feed()
    feed.bank(1)
    assert writer.apply(feed.page("0.0"))
    feed.bank(2)
    feed.changed.pop(2)  # the feed forgets to tell
    assert not writer.apply(feed.page(writer.place))
    feed.changed[2] = feed.turn
    writer.begin_anew()
    assert found(reader, 1) == {1}, "what is loaded stays in force meanwhile"
    assert writer.apply(feed.page(writer.place))
    assert found(reader, 2) == {2}


def test_values_that_this_version_cannot_compare_are_counted(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path)
    feed = Feed()
    feed.rows[1] = Row(1, 1, 1, 31, 1, (("zorblat", "1"), ("pdq", "zz"), ("md5", "a" * 31 + "b")))
    feed.changed[1] = feed.turn = 1
    assert writer.apply(feed.page("0.0"))
    reader.refresh()
    assert writer.refused == 2 and reader.banks.sizes["md5"] == 1


STEPS = st.lists(
    st.tuples(st.sampled_from(["bank", "same", "switch", "delete", "apply", "compact", "restart"]), st.integers(1, 12)),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_any_changes_end_in_the_same_answers(tmp_path: Path, steps: list[tuple[str, int]]) -> None:
    folder = tmp_path / "hma"
    shutil.rmtree(folder, ignore_errors=True)
    writer, reader = opened(folder)
    feed, fresh = Feed(), iter(range(1, 10_000))
    assert writer.apply(feed.page("0.0"))
    for step, value in steps:
        alive = sorted(feed.rows)
        if step == "bank":
            feed.bank(next(fresh), same=value)
        elif step == "same":
            feed.bank(next(fresh), same=0, bank=2)
        elif step == "switch" and alive:
            feed.switch(alive[value % len(alive)], value % 3)
        elif step == "delete" and alive:
            feed.delete(alive[value % len(alive)])
        elif step == "compact":
            writer.compact()
        elif step == "restart":
            writer = Writer(folder)
        assert writer.apply(feed.page(writer.place))
    for value in range(13):
        assert found(reader, value) == {number for number, row in feed.rows.items() if row.signals[0][1] == code(value)}
    reader.refresh()
    untils = {row[0]: row[3] for value in range(13) for row in reader.search(PDQ, PDQ.parse(code(value)))}
    assert untils == {number: row.until for number, row in feed.rows.items()}


def test_the_journal_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store, "JOURNAL_ROWS", 3)
    writer, _ = opened(tmp_path)
    feed = Feed()
    assert writer.apply(feed.page("0.0"))
    for each in range(1, 6):
        feed.bank(each)
    assert writer.apply(feed.page(writer.place))
    assert writer.must_compact(old=False)
    writer.compact()
    assert not writer.must_compact(old=True)

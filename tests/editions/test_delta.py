"""Deltas between two editions: right by a slow twin, the same bytes each time, and refused where anything does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.editions.world import LISTS, START, page, picture

from vigil.editions import delta as deltas
from vigil.editions.build import BuiltEdition, build_edition
from vigil.editions.delta import apply_delta, delta_name, make_delta, steps_of
from vigil.editions.model import EditionContents, HashEntry, UrlEntry
from vigil.editions.refusal import EditionRefused
from vigil.editions.state import state_digest
from vigil.editions.wire import COLUMNS, DELTA, arrow_schema, decode_table, encode_table
from vigil.match.urls import Scope

Rows = list[dict[str, Any]]


def built(*entries: UrlEntry | HashEntry) -> BuiltEdition:
    urls = tuple(entry for entry in entries if isinstance(entry, UrlEntry))
    hashes = tuple(entry for entry in entries if isinstance(entry, HashEntry))
    return build_edition(EditionContents(LISTS, urls, hashes), number=1, previous=None, issued_at=START)


def tables_of(edition: BuiltEdition) -> dict[str, pa.Table]:
    return {name: decode_table(name, edition.files[name], edition.manifest.files[name].rows) for name in COLUMNS}


def rows_of(tables: dict[str, pa.Table]) -> dict[str, Rows]:
    return {name: table.to_pylist() for name, table in tables.items()}


def delta_rows(data: bytes) -> Rows:
    rows: Rows = decode_table(DELTA, data, None).to_pylist()
    return rows


def delta_of(rows: Rows) -> bytes:
    return encode_table(DELTA, pa.Table.from_pylist(rows, schema=arrow_schema(DELTA)))


ENTRIES = st.one_of(
    st.builds(page, st.integers(0, 12), scope=st.sampled_from([Scope.PAGE, Scope.PREFIX]), labels=st.sampled_from([(), ("ai",)])),
    st.builds(picture, st.integers(0, 12), st.sampled_from(["pdq", "md5", "sha1"])),
)
STATES = st.lists(ENTRIES, max_size=12, unique_by=lambda entry: (type(entry), entry.entry, getattr(entry, "algorithm", "")))


@settings(max_examples=60, deadline=None)
@given(STATES, STATES)
def test_a_delta_leads_from_any_edition_to_any_other(before: list[Any], after: list[Any]) -> None:
    old, new = built(*before), built(*after)
    data = make_delta(tables_of(old), tables_of(new))
    done = apply_delta(tables_of(old), data)
    assert rows_of(done) == rows_of(tables_of(new))
    assert state_digest(done) == new.manifest.state
    assert {name: encode_table(name, done[name]) for name in COLUMNS} == {name: new.files[name] for name in COLUMNS}
    assert data == make_delta(tables_of(old), tables_of(new))
    assert len(delta_rows(data)) == twin(rows_of(tables_of(old)), rows_of(tables_of(new)))


def twin(old: dict[str, Rows], new: dict[str, Rows]) -> int:
    """How many rows a delta needs: each identity that is new, gone or otherwise than before."""
    keys = {"urls.parquet": ("key", "list", "entry"), "hosts.parquet": ("host",)}
    keys["hashes.parquet"] = ("algorithm", "value", "list", "entry")
    count = 0
    for name, identity in keys.items():
        sides = [{tuple(row[part] for part in identity): row for row in side[name]} for side in (old, new)]
        count += sum(sides[0].get(key) != sides[1].get(key) for key in sides[0].keys() | sides[1].keys())
    return count


def test_rows_that_did_not_change_are_not_in_it_and_a_changed_one_is_there_once() -> None:
    old, new = tables_of(built(page(1), page(2), picture(3))), tables_of(built(page(1), page(2, labels=("ai",)), picture(3)))
    rows = delta_rows(make_delta(old, new))
    assert [(row["file"], row["op"], row["entry"], row["labels"]) for row in rows] == [("urls", "change", 2, "ai")]


def test_many_rows_are_merged_by_runs_as_they_are_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    old = tables_of(built(*(picture(n, "md5") for n in range(900))))
    new = tables_of(built(*(picture(n, "md5") for n in range(3, 904))))
    data = make_delta(old, new)
    by_runs = rows_of(apply_delta(old, data))
    monkeypatch.setattr(deltas, "RUN_ROWS", 10**9)
    assert by_runs == rows_of(apply_delta(old, data)) == rows_of(new)


BEFORE = (page(1), page(2), picture(1, "md5"), picture(2, "pdq"))
AFTER = (page(1, labels=("ai",)), page(3), picture(1, "md5"), picture(3, "pdq"))


def reversed_rows(rows: Rows) -> Rows:
    return rows[::-1]


def with_value(at: int, **values: Any) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        rows[at] = rows[at] | values
        return rows

    return change


@pytest.mark.parametrize(
    "change",
    [
        reversed_rows,
        lambda rows: [rows[0], *rows],
        lambda rows: [rows[1], rows[0], *rows[2:]],
        with_value(0, op="forget"),
        with_value(0, file="names"),
        with_value(0, key=b""),
        with_value(0, key=b"too short for pdq"),
        with_value(0, scope="page"),
        with_value(-1, max_depth=3),
        with_value(-1, key=b"quimber"),
        with_value(-1, op="remove"),
        lambda rows: [row | {"op": "add"} for row in rows],
        lambda rows: [row | {"op": "change"} for row in rows],
    ],
)
def test_what_does_not_fit_is_refused(change: Callable[[Rows], Rows]) -> None:
    old = tables_of(built(*BEFORE))
    rows = delta_rows(make_delta(old, tables_of(built(*AFTER))))
    assert rows_of(apply_delta(old, delta_of(rows))) == rows_of(tables_of(built(*AFTER)))
    with pytest.raises(EditionRefused) as found:
        apply_delta(old, delta_of(change(rows)))
    assert found.value.code == "delta"


def test_a_delta_from_elsewhere_is_refused_or_leads_to_another_state() -> None:
    second, third = (tables_of(built(*(page(n) for n in range(start, start + 2)))) for start in (2, 3))
    later = make_delta(second, third)
    with pytest.raises(EditionRefused, match="adds what is there, or changes or removes what is not"):
        apply_delta(third, later)
    other = tables_of(built(page(2), page(3), page(9)))
    assert state_digest(apply_delta(other, later)) != state_digest(third)


def test_a_delta_cut_anywhere_is_refused() -> None:
    old = tables_of(built(*BEFORE))
    data = make_delta(old, tables_of(built(*AFTER)))
    for end in range(0, len(data), 97):
        with pytest.raises(EditionRefused):
            apply_delta(old, data[:end])


def test_a_delta_beyond_the_limits_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    old = tables_of(built(*BEFORE))
    data = make_delta(old, tables_of(built(*AFTER)))
    rows = len(delta_rows(data))
    for limit, most in (("DELTA_BYTES", len(data)), ("DELTA_ROWS", rows)):
        with monkeypatch.context() as change:
            change.setattr(deltas, limit, type(deltas.DELTA_BYTES)(most - 1, "", ""))
            with pytest.raises(EditionRefused) as found:
                apply_delta(old, data)
            assert found.value.code == "too_large"


@pytest.mark.parametrize("name", ["delta-2-1.parquet", "delta-1-1.parquet", "delta-0-1.parquet", "delta-1-2.parquet.age", "x"])
def test_other_names_are_no_deltas(name: str) -> None:
    assert steps_of(name) is None
    assert steps_of(delta_name(1, 2)) == (1, 2)

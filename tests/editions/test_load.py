"""An edition is a stranger's file: whatever it claims is checked before it is believed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.editions.world import LISTS, START, Hotline, page, picture, some_contents

from vigil.base.errors import InputError
from vigil.editions import limits, wire
from vigil.editions.build import BuiltEdition, build_edition
from vigil.editions.load import load_edition, read_edition
from vigil.editions.manifest import AlgorithmCount, Counts, ListMember, decode_manifest, encode_manifest
from vigil.editions.model import Edition, EditionContents, HashEntry, UrlEntry
from vigil.editions.refusal import EditionRefused
from vigil.editions.state import state_digest
from vigil.match.hashing import ALGORITHMS
from vigil.match.index.url import UrlIndex
from vigil.match.urls import SCOPES, EntryFlag, Scope, canonical


def built(contents: EditionContents | None = None) -> BuiltEdition:
    return build_edition(contents or some_contents(), number=3, previous=2, issued_at=START)


def read(files: dict[str, bytes]) -> Edition:
    return read_edition(lambda name, limit: files[name])


def code_of(files: dict[str, bytes]) -> str:
    with pytest.raises(EditionRefused) as found:
        read(files)
    return found.value.code


def rows_of(files: dict[str, bytes], name: str) -> list[dict[str, Any]]:
    return pq.read_table(io.BytesIO(files[name])).to_pylist()


@dataclass
class Forger:
    """Someone with the hotline's keys who lies: changes files and makes the manifest agree as far as asked."""

    files: dict[str, bytes]

    def manifest(self, **changes: Any) -> Forger:
        manifest = msgspec.structs.replace(decode_manifest(self.files["edition.json"]), **changes)
        self.files["edition.json"] = encode_manifest(manifest)
        return self

    def content(self, name: str, data: bytes, **changes: Any) -> Forger:
        """Put other bytes in place of a file, with length and digest corrected."""
        self.files[name] = data
        files = decode_manifest(self.files["edition.json"]).files
        member = msgspec.structs.replace(
            files[name], bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), **changes
        )
        return self.manifest(files=files | {name: member})

    def table(self, name: str, table: pa.Table, **options: Any) -> Forger:
        """Put other rows in place, with number of rows and state digest corrected."""
        sink = io.BytesIO()
        pq.write_table(table, sink, **({"compression": "zstd", "write_statistics": False, "store_schema": False} | options))
        self.content(name, sink.getvalue(), rows=table.num_rows)
        tables = {each: pq.read_table(io.BytesIO(self.files[each])) for each in wire.COLUMNS}
        if all(table.schema.names == [column.name for column in wire.COLUMNS[each]] for each, table in tables.items()):
            self.manifest(state=state_digest(tables))
        return self

    def rows(self, name: str, change: Callable[[list[dict[str, Any]]], Any]) -> Forger:
        rows = rows_of(self.files, name)
        change(rows)
        return self.table(name, pa.Table.from_pylist(rows, wire.arrow_schema(name)))


@pytest.fixture
def forger() -> Forger:
    return Forger(built().files)


class TestHonestEditions:
    def test_what_was_built_is_what_is_read(self) -> None:
        contents = some_contents(40)
        edition = read(built(contents).files)
        assert (edition.number, edition.previous, edition.issued_at) == (3, 2, START)
        assert edition.lists == LISTS
        assert len(edition.urls.keys) == 40
        assert {name: columns.values.shape[0] for name, columns in edition.hashes.items()} == {
            "pdq": 13,
            "md5": 14,
            "sha256": 13,
        }
        assert {bytes(value) for value in edition.hashes["md5"].values} == {
            entry.value for entry in contents.hashes if entry.algorithm == "md5"
        }

    def test_the_index_finds_each_entry_of_an_edition(self) -> None:
        contents = some_contents(40)
        edition = read(built(contents).files)
        index = UrlIndex.from_columns(edition.urls, edition.hosts)
        for entry in contents.urls:
            hit = index.lookup(entry.url)
            assert hit is not None
            assert (hit.entry, hit.scope) == (entry.entry, entry.scope)
            assert edition.lists[hit.list].name == entry.list
            assert edition.urls.labels.of(hit.row) == entry.labels
        assert index.lookup(canonical("http://other.example/")) is None

    def test_equal_entries_give_equal_bytes_in_any_order(self) -> None:
        contents = some_contents(300)
        mixed = EditionContents(LISTS, contents.urls[::-1] + contents.urls[:9], contents.hashes[7:] + contents.hashes[:7])
        assert built(contents).files == built(mixed).files

    def test_an_edition_without_entries(self) -> None:
        edition = read(built(EditionContents(LISTS)).files)
        assert edition.urls.keys.shape == (0, 16)
        assert edition.hosts.keys.shape == (0, 8)
        assert edition.hashes == {}
        assert UrlIndex.from_columns(edition.urls, edition.hosts).lookup(canonical("http://b.example/")) is None

    def test_more_than_one_row_group(self, monkeypatch: pytest.MonkeyPatch) -> None:
        small = limits.Limit(8, "rows", "for this test")
        monkeypatch.setattr(wire, "ROW_GROUP_ROWS", small)
        edition = read(built(some_contents(41)).files)
        assert edition.urls.keys.shape == (41, 16)
        assert sum(len(columns.values) for columns in edition.hashes.values()) == 41

    def test_footers_hold_no_key(self) -> None:
        files = built().files
        for name in wire.COLUMNS:
            footer = pq.ParquetFile(io.BytesIO(files[name])).metadata
            assert not any(
                footer.row_group(group).column(column).is_stats_set
                for group in range(footer.num_row_groups)
                for column in range(footer.num_columns)
            )
            assert not footer.metadata

    def test_opaque_values_travel_as_their_digest(self) -> None:
        entry = HashEntry(1, "pictures", "netclean", b"quimber zorblat")
        edition = read(built(EditionContents(LISTS, (), (entry,))).files)
        assert bytes(edition.hashes["netclean"].values[0]) == ALGORITHMS["netclean"].key(entry.value)

    def test_one_value_on_two_lists(self) -> None:
        lists = (*LISTS, LISTS[1].__class__("more", "hash_ai"))
        entry = picture(5)
        contents = EditionContents(lists, (), (entry, HashEntry(9, "more", entry.algorithm, entry.value)))
        columns = read(built(contents).files).hashes[entry.algorithm]
        assert columns.entries.tolist() == [5, 9]
        assert columns.lists.tolist() == [1, 2]

    def test_folders_of_all_three_kinds(self, hotline: Hotline, tmp_path: Path) -> None:
        hotline.publish()
        plain = tmp_path / "plain"
        plain.mkdir()
        for name, content in hotline.build().files.items():
            (plain / name).write_bytes(content)
        assert load_edition(hotline.repository).number == 1
        assert load_edition(plain).number == 2
        with pytest.raises(InputError) as found:
            load_edition(tmp_path)
        assert found.value.code == "not_an_edition"

    def test_a_changed_file_of_an_edition_folder_is_noticed_on_loading(self, hotline: Hotline) -> None:
        hotline.publish()
        path = next((hotline.repository / "targets").glob("*.urls.parquet"))
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(EditionRefused) as found:
            load_edition(hotline.repository)
        assert found.value.code == "digest"


@st.composite
def contents_strategy(draw: st.DrawFn) -> EditionContents:
    labels = st.lists(st.sampled_from(["ai", "video", "b.1", "c:2"]), max_size=3).map(tuple)
    expires = st.none() | st.datetimes(datetime(2026, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    numbers = draw(st.lists(st.integers(0, 2**63 - 1), unique=True, max_size=12))
    urls, hashes = [], []
    for number in numbers:
        rest = {"labels": draw(labels), "expires": draw(expires)}
        if draw(st.booleans()):
            scope = draw(st.sampled_from([Scope.URL, Scope.PAGE, Scope.PREFIX, Scope.DOMAIN]))
            flags = EntryFlag(draw(st.integers(0, 3)))
            address = draw(st.sampled_from(["http://b.example/q/", "https://c.test:8443/a/b/", "http://d.example/?z"]))
            urls.append(page(number, address, scope, flags=flags, **rest))
        else:
            hashes.append(picture(number, draw(st.sampled_from(["pdq", "md5", "sha1"])), **rest))
    return EditionContents(LISTS, tuple(urls), tuple(hashes))


@settings(max_examples=60, deadline=None)
@given(contents_strategy())
def test_any_contents_survive_the_journey(contents: EditionContents) -> None:
    edition = read(built(contents).files)
    found = set()
    urls = edition.urls
    for row in range(len(urls.keys)):
        scope, flags = SCOPES[urls.scopes[row]], EntryFlag(int(urls.flags[row]))
        found.add((int(urls.entries[row]), scope, flags, urls.labels.of(row), int(urls.expires[row])))
    assert found == {
        (entry.entry, entry.scope, entry.flags, tuple(sorted(set(entry.labels))), seconds(entry)) for entry in contents.urls
    }
    values = {
        (name, int(columns.entries[row]), bytes(columns.values[row]), columns.labels.of(row), int(columns.expires[row]))
        for name, columns in edition.hashes.items()
        for row in range(len(columns.values))
    }
    assert values == {
        (entry.algorithm, entry.entry, entry.value, tuple(sorted(set(entry.labels))), seconds(entry)) for entry in contents.hashes
    }


def seconds(entry: UrlEntry | HashEntry) -> int:
    return int(entry.expires.timestamp()) if entry.expires else 0


def swap(rows: list[dict[str, Any]]) -> None:
    rows[0], rows[1] = rows[1], rows[0]


def double(rows: list[dict[str, Any]]) -> None:
    rows.insert(0, dict(rows[0]))


def put(**values: Any) -> Callable[[list[dict[str, Any]]], None]:
    return lambda rows: rows[0].update(values)


class TestRowsThatLie:
    """Signed, with length, digest and state digest all in order: and still not believed."""

    @pytest.mark.parametrize(
        ("name", "change", "code"),
        [
            ("urls.parquet", swap, "order"),
            ("hosts.parquet", swap, "order"),
            ("hashes.parquet", swap, "order"),
            ("hashes.parquet", list.reverse, "order"),
            ("urls.parquet", double, "order"),
            ("hosts.parquet", double, "order"),
            ("hashes.parquet", double, "order"),
            ("urls.parquet", put(flags=64), "values"),
            ("urls.parquet", put(flags=0x8000), "values"),
            ("urls.parquet", put(flags=1), "values"),
            ("urls.parquet", put(port=80), "values"),
            ("urls.parquet", put(scheme="http"), "values"),
            ("urls.parquet", put(scheme="gopher"), "values"),
            ("urls.parquet", put(scope="galaxy"), "values"),
            ("urls.parquet", put(scope="ip"), "counts"),
            ("urls.parquet", put(list=2), "values"),
            ("urls.parquet", put(entry=2**63), "values"),
            ("urls.parquet", put(expires=-1), "values"),
            ("urls.parquet", put(labels="b a"), "values"),
            ("urls.parquet", put(labels="a a"), "values"),
            ("urls.parquet", put(labels=" "), "values"),
            ("urls.parquet", put(labels="A"), "values"),
            ("urls.parquet", put(labels=" ".join(f"l{n:02}" for n in range(33))), "values"),
            ("hosts.parquet", put(max_depth=17), "values"),
            ("hashes.parquet", put(list=9), "values"),
            ("hashes.parquet", put(value=b"short"), "values"),
            ("hashes.parquet", put(value=b""), "values"),
            ("hashes.parquet", put(algorithm="aaa"), "counts"),
            ("hashes.parquet", put(algorithm="A A"), "values"),
            ("urls.parquet", list.clear, "counts"),
            ("hashes.parquet", list.clear, "counts"),
        ],
    )
    def test_rows(self, forger: Forger, name: str, change: Callable[[list[dict[str, Any]]], Any], code: str) -> None:
        assert code_of(forger.rows(name, change).files) == code

    def test_a_host_too_few_changes_the_state(self, forger: Forger) -> None:
        state = decode_manifest(forger.files["edition.json"]).state
        forger.rows("hosts.parquet", list.pop).manifest(state=state)
        assert code_of(forger.files) == "state"

    def test_an_entry_exchanged_changes_the_state(self, forger: Forger) -> None:
        state = decode_manifest(forger.files["edition.json"]).state
        forger.rows("hashes.parquet", put(entry=77)).manifest(state=state)
        assert code_of(forger.files) == "state"

    def test_one_algorithm_with_two_lengths(self, forger: Forger) -> None:
        def other(rows: list[dict[str, Any]]) -> None:
            for row in rows:
                row["algorithm"] = "zzz"
            rows.sort(key=lambda row: (row["value"], row["list"], row["entry"]))

        forger.rows("hashes.parquet", other)
        assert code_of(forger.files) == "values"

    def test_an_algorithm_that_is_not_known_here_is_kept(self, forger: Forger) -> None:
        rows = [{**rows_of(forger.files, "hashes.parquet")[0], "algorithm": "plugh", "value": bytes(7)}]
        forger.table("hashes.parquet", pa.Table.from_pylist(rows, wire.arrow_schema("hashes.parquet")))
        scopes = decode_manifest(forger.files["edition.json"]).counts.scopes
        forger.manifest(counts=Counts(scopes, {"plugh": AlgorithmCount(1, 7)}))
        assert read(forger.files).hashes["plugh"].values.shape == (1, 7)


class TestFilesThatLie:
    def test_a_column_too_many(self, forger: Forger) -> None:
        table = pa.Table.from_pylist(rows_of(forger.files, "hosts.parquet"), wire.arrow_schema("hosts.parquet"))
        assert code_of(forger.table("hosts.parquet", table.append_column("x", table["max_depth"])).files) == "schema"

    def test_a_column_too_few(self, forger: Forger) -> None:
        table = pa.Table.from_pylist(rows_of(forger.files, "urls.parquet"), wire.arrow_schema("urls.parquet"))
        assert code_of(forger.table("urls.parquet", table.drop_columns(["expires"])).files) == "schema"

    @pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.float64(), pa.binary(8)])
    def test_a_column_of_another_type(self, forger: Forger, kind: pa.DataType) -> None:
        table = pa.Table.from_pylist(rows_of(forger.files, "hosts.parquet"), wire.arrow_schema("hosts.parquet"))
        values = pa.array([bytes(8) if kind == pa.binary(8) else 0] * table.num_rows, kind)
        field = pa.field("max_depth", kind, nullable=False)
        assert code_of(forger.table("hosts.parquet", table.set_column(1, field, values)).files) == "schema"

    def test_a_column_that_may_be_null(self, forger: Forger) -> None:
        table = pa.Table.from_pylist(rows_of(forger.files, "hosts.parquet"))
        table = table.cast(pa.schema([(field.name, field.type) for field in wire.arrow_schema("hosts.parquet")]))
        assert code_of(forger.table("hosts.parquet", table).files) == "schema"

    @pytest.mark.parametrize(
        "options",
        [
            {"compression": "gzip"},
            {"compression": "snappy"},
            {"write_statistics": True},
            {"store_schema": True},
            {"row_group_size": 2},
        ],
        ids=str,
    )
    def test_written_in_another_way(self, forger: Forger, options: dict[str, Any]) -> None:
        table = pa.Table.from_pylist(rows_of(forger.files, "urls.parquet"), wire.arrow_schema("urls.parquet"))
        assert code_of(forger.table("urls.parquet", table, **options).files) == "schema"

    def test_more_rows_than_any_node_can_hold(self, forger: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wire, "ROWS", limits.Limit(3, "rows", "for this test"))
        assert code_of(forger.files) == "too_large"

    def test_a_row_group_that_unpacks_into_too_much(self, forger: Forger) -> None:
        rows = rows_of(forger.files, "hashes.parquet")
        rows[0]["labels"] = "a" * (limits.ROW_GROUP_BYTES.value + 1)
        table = pa.Table.from_pylist(rows, wire.arrow_schema("hashes.parquet"))
        forger.table("hashes.parquet", table, use_dictionary=False)
        assert len(forger.files["hashes.parquet"]) < 100_000
        assert code_of(forger.files) == "too_large"

    @pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 3, bytes(100), b"PAR1\xff\xff\xff\x7fPAR1"])
    def test_not_parquet_at_all(self, forger: Forger, data: bytes) -> None:
        assert code_of(forger.content("urls.parquet", data).files) == "schema"

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_no_damage_within_gets_through_or_breaks_the_reader(self, data: st.DataObject) -> None:
        """Length and digest agree with the damaged file, so only the reader itself stands in the way."""
        forger = Forger(dict(HONEST))
        name = data.draw(st.sampled_from(sorted(wire.COLUMNS)))
        content = bytearray(HONEST[name])
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        forger.content(name, bytes(content))
        try:
            edition = read(forger.files)
        except EditionRefused:
            return
        assert same(edition, read(dict(HONEST)))

    def test_a_file_of_another_length_or_digest(self, forger: Forger) -> None:
        files = decode_manifest(forger.files["edition.json"]).files
        for change, code in (({"bytes": 5}, "length"), ({"sha256": "0" * 64}, "digest"), ({"bytes": 2**62}, "too_large")):
            member = msgspec.structs.replace(files["urls.parquet"], **change)
            assert code_of(Forger(dict(forger.files)).manifest(files=files | {"urls.parquet": member}).files) == code


HONEST = built(some_contents(9)).files


def same(one: Edition, other: Edition) -> bool:
    return np.array_equal(one.urls.keys, other.urls.keys) and one.hashes.keys() == other.hashes.keys()


class TestManifestsThatLie:
    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"canon": "2/other"}, "canon_unknown"),
            ({"format": "other"}, "manifest"),
            ({"schema": 2}, "manifest"),
            ({"number": 0}, "manifest"),
            ({"previous": 3}, "manifest"),
            ({"previous": -1}, "manifest"),
            ({"issued_at": datetime(2030, 1, 1, tzinfo=UTC)}, "manifest"),
            ({"issued_at": datetime(2026, 1, 1)}, "manifest"),  # noqa: DTZ001
            ({"hard_until": START}, "manifest"),
            ({"issued_at": START.replace(microsecond=5)}, "manifest"),
            ({"files": {}}, "manifest"),
            ({"lists": ()}, "values"),
            ({"lists": (ListMember("a", "url", (), 31),) * 2}, "manifest"),
            ({"lists": (ListMember("a", "galaxy", (), 31),)}, "manifest"),
            ({"lists": (ListMember("a", "url", ("nl",), 31),)}, "manifest"),
            ({"lists": (ListMember("a", "url", (), 32),)}, "manifest"),
        ],
        ids=str,
    )
    def test_members(self, forger: Forger, changes: dict[str, Any], code: str) -> None:
        assert code_of(forger.manifest(**changes).files) == code

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (b'"schema": 1', b'"schema": 1.0'),
            (b'"schema": 1', b'"schema": true'),
            (b'"schema": 1', b'"schema": 1,\n "more": 1'),
            (b'"number": 3', b'"number": 3,\n "number": 4'),
            (b"{\n", b"{ \n"),
            (b'"canon"', b'"\\u0063anon"'),
            (b'"blake2b"', b'"md5"'),
        ],
    )
    def test_bytes(self, forger: Forger, before: bytes, after: bytes) -> None:
        assert before in forger.files["edition.json"]
        forger.files["edition.json"] = forger.files["edition.json"].replace(before, after, 1)
        assert code_of(forger.files) == "manifest"

    def test_a_key_that_the_reader_does_not_have_is_said_to_be_missing(self, forger: Forger) -> None:
        assert b'"key_id": null' in forger.files["edition.json"]
        forger.files["edition.json"] = forger.files["edition.json"].replace(b'"key_id": null', b'"key_id": "x"', 1)
        assert code_of(forger.files) == "key_missing"

    def test_a_newer_schema_is_told_apart(self, forger: Forger) -> None:
        forger.files["edition.json"] = b'{"schema": 2, "wholly": "different"}'
        with pytest.raises(EditionRefused, match="newer Vigil"):
            read(forger.files)

    def test_too_large(self, forger: Forger) -> None:
        forger.files["edition.json"] += b" " * limits.MANIFEST_BYTES.value
        assert code_of(forger.files) == "too_large"

    @given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
    def test_anything_at_all(self, data: bytes) -> None:
        with pytest.raises(EditionRefused):
            decode_manifest(data)

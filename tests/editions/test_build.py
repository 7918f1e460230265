"""What may not be in an edition is refused before anything is signed; messages never hold an entry."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.editions.world import LISTS, START, page, picture, some_contents

from vigil.base.errors import InputError
from vigil.editions import build as building
from vigil.editions.build import build_edition
from vigil.editions.manifest import PURPOSE
from vigil.editions.model import AuditAnchor, EditionContents, HashEntry, ListInfo, ListKind
from vigil.match.urls import CANON, EntryFlag, Scope, canonical, entry_key


def code_of(contents: EditionContents, **options: Any) -> str:
    settings = {"number": 1, "previous": None, "issued_at": START} | options
    with pytest.raises(InputError) as found:
        build_edition(contents, **settings)
    assert "zorblat" not in str(found.value)
    return found.value.code


DEEP = "http://zorblat.example" + "/a" * 17 + "/"


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (page(-1), "entry_number"),
        (page(2**63), "entry_number"),
        (replace(page(1), list="other"), "list_unknown"),
        (page(1, flags=EntryFlag(64)), "flag_unknown"),
        (page(1, "http://zorblat.example/q", Scope.PREFIX), "prefix_without_slash"),
        (page(1, DEEP, Scope.PREFIX), "prefix_too_deep"),
        (page(1, "http://192.0.2.7/", Scope.DOMAIN), "scope_and_host"),
        (page(1, "http://zorblat.example/", Scope.IP), "scope_and_host"),
        (page(1, "http://zorblat.example:0/", flags=EntryFlag.PORT_EXACT), "port_zero"),
        (page(1, labels=("Zorblat",)), "name_malformed"),
        (page(1, labels=("a b",)), "name_malformed"),
        (page(1, labels=tuple(f"l{n}" for n in range(33))), "labels_many"),
        (page(1, expires=datetime(1969, 1, 1, tzinfo=UTC)), "expires_range"),
        (page(1, expires=datetime(2030, 1, 1)), "time_without_zone"),  # noqa: DTZ001
    ],
)
def test_addresses(entry: Any, code: str) -> None:
    assert code_of(EditionContents(LISTS, (entry,))) == code


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (HashEntry(1, "pictures", "pdq", bytes(31)), "hash_wrong_length"),
        (HashEntry(1, "pictures", "md5", b""), "hash_wrong_length"),
        (HashEntry(1, "pictures", "zorblat", bytes(31)), "hash_unknown_algorithm"),
        (replace(picture(1), list="other"), "list_unknown"),
        (replace(picture(1), entry=-5), "entry_number"),
    ],
)
def test_hashes(entry: Any, code: str) -> None:
    assert code_of(EditionContents(LISTS, (), (entry,))) == code


def test_the_error_says_which_entry() -> None:
    with pytest.raises(InputError) as found:
        build_edition(EditionContents(LISTS, (page(41, DEEP, Scope.PREFIX),)), number=1, previous=None, issued_at=START)
    assert found.value.where == "entry 41"


def test_one_entry_given_twice_counts_once_but_must_not_differ() -> None:
    contents = EditionContents(LISTS, (page(1), page(1)), (picture(2), picture(2)))
    manifest = build_edition(contents, number=1, previous=None, issued_at=START).manifest
    assert manifest.files["urls.parquet"].rows == 1
    assert manifest.files["hashes.parquet"].rows == 1
    assert code_of(EditionContents(LISTS, (page(1), page(1, labels=("ai",))))) == "entry_twice"
    assert code_of(EditionContents(LISTS, (), (picture(1), picture(1, labels=("ai",))))) == "entry_twice"


@pytest.mark.parametrize(
    "options",
    [{"number": 0}, {"number": 2, "previous": 2}, {"number": 2, "previous": 0}, {"valid_hours": 0}, {"hard_hours": 23}],
    ids=str,
)
def test_numbers_and_hours(options: dict[str, Any]) -> None:
    assert code_of(some_contents(), **options) in {"number_not_rising", "hours_order"}


def test_lists() -> None:
    assert code_of(EditionContents((LISTS[0], LISTS[0]))) == "list_twice"
    many = tuple(ListInfo(f"l{n}", "url") for n in range(1025))
    assert code_of(EditionContents(many)) == "lists_many"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("Zorblat", "url"), "name_malformed"),
        (("", "url"), "name_malformed"),
        (("a" * 65, "url"), "name_malformed"),
        (("a\n", "url"), "name_malformed"),
        (("a", "galaxy"), "list_kind_unknown"),
        (("a", "url", ("nl",)), "jurisdiction_malformed"),
        (("a", "url", ("NL",) * 301), "jurisdiction_malformed"),
        (("a", "url", (), 32), "distance_range"),
        (("a", "url", (), -1), "distance_range"),
    ],
)
def test_descriptions_of_lists(arguments: tuple[Any, ...], code: str) -> None:
    with pytest.raises(InputError) as found:
        ListInfo(*arguments)
    assert found.value.code == code


def test_too_many_sets_of_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "LABEL_SETS", replace(building.LABEL_SETS, value=2))
    entries = tuple(page(n, labels=(f"l{n}",)) for n in range(3))
    assert code_of(EditionContents(LISTS, entries)) == "labels_many"


def test_the_manifest_says_what_the_edition_is() -> None:
    contents = replace(some_contents(6), audit=AuditAnchor(17, "ab" * 32))
    manifest = build_edition(contents, number=9, previous=8, issued_at=START, valid_hours=2, hard_hours=3).manifest
    assert (manifest.number, manifest.previous, manifest.canon, manifest.purpose) == (9, 8, CANON, PURPOSE)
    assert (manifest.valid_until - manifest.issued_at).total_seconds() == 7200
    assert (manifest.hard_until - manifest.issued_at).total_seconds() == 10800
    assert manifest.counts.scopes == {"page": 3, "prefix": 3}
    assert {name: (each.count, each.bytes) for name, each in manifest.counts.algorithms.items()} == {
        "md5": (2, 16),
        "pdq": (2, 32),
        "sha256": (2, 32),
    }
    assert manifest.anchor() == AuditAnchor(17, "ab" * 32)
    assert manifest.digest.key_id is None


def test_hosts_know_their_deepest_folder() -> None:
    entries = (
        page(1, "http://zorblat.example/a/b/", Scope.PREFIX),
        page(2, "http://zorblat.example/a/b/c/d"),
        page(3, "http://zorblat.example/", Scope.PREFIX),
        page(4, "http://other.example/", Scope.DOMAIN),
    )
    built = build_edition(EditionContents(LISTS, entries), number=1, previous=None, issued_at=START)
    hosts = pq.read_table(io.BytesIO(built.files["hosts.parquet"]))
    assert sorted(hosts["max_depth"].to_pylist()) == [0, 2]


def test_every_kind_of_list_is_possible() -> None:
    lists = tuple(ListInfo(kind.value, kind) for kind in ListKind)
    assert len(build_edition(EditionContents(lists), number=1, previous=None, issued_at=START).manifest.lists) == len(ListKind)


def test_a_host_with_a_deviation_character_is_found_under_both_its_names() -> None:
    contents = EditionContents(LISTS, (page(5, "http://zorblaß.example/seite"), page(6, "http://quimber.example/")))
    built = build_edition(contents, number=1, previous=None, issued_at=START)
    rows = pq.read_table(io.BytesIO(built.files["urls.parquet"])).to_pylist()
    keys = {row["key"] for row in rows if row["entry"] == 5}
    names = ("http://zorblaß.example/seite", "http://zorblass.example/seite")
    assert keys == {entry_key(Scope.PAGE, canonical(name)) for name in names}
    assert [row["entry"] for row in rows].count(6) == 1

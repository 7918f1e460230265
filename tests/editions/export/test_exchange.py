"""Formats for people, data tools and peers: CSV, Parquet, Safe Browsing, STIX, MISP; each read back by an independent reader."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.editions.export.readers import (
    rice_numbers,
    safe_browsing_expressions,
    safe_browsing_hashes,
    stix_matches,
)
from tests.editions.export.world import (
    LISTS,
    NOW,
    PAGES,
    around,
    check_cover,
    contents,
    host_rights,
    is_covered,
    living,
    made,
    probes,
    some_contents,
    whole_entries,
)

from vigil.editions.export import Exported, Reason
from vigil.editions.export.rice import encode, parameter_for
from vigil.editions.export.safebrowsing import hash_list
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.editions.source import read_source
from vigil.match.hashing import algorithm_named
from vigil.match.urls import CanonicalUrl, EntryFlag, Scope, canonical


def alive_set(source: EditionContents) -> set[object]:
    pictures = (entry for entry in source.hashes if entry.expires is None or entry.expires > NOW)
    return {*living(source), *pictures}


def read_csv(data: bytes) -> EditionContents:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "entries.csv"
        path.write_bytes(data)
        return read_source(path)


@settings(max_examples=40, deadline=None)
@given(contents().filter(alive_set))
def test_csv_is_read_back_as_the_same_entries(source: EditionContents) -> None:
    export = made("csv", source)
    again = read_csv(export.files["entries.csv"])
    assert not export.left
    assert {*again.urls, *again.hashes} == alive_set(source)
    assert set(again.lists) <= set(LISTS)


def test_csv_has_no_cell_that_a_spreadsheet_would_run() -> None:
    info = ListInfo("signals", "hash_csam")
    values = (b"=1+1", b"+x", b"-x", b"@x", b"'x", b"plain,\"quoted\"", b"\xc2\xa0blank")
    source = EditionContents((info,), (), tuple(HashEntry(n, "signals", "other", value) for n, value in enumerate(values)))
    export = made("csv", source)
    assert [entry.value for entry in read_csv(export.files["entries.csv"]).hashes] == [b"plain,\"quoted\""]
    assert [(each.entry, each.reason) for each in export.left] == [(n, Reason.VALUE_UNSAFE) for n in (0, 1, 2, 3, 4, 6)]


def parquet_entries(data: bytes) -> set[object]:
    """Rows as entries, by the documented columns."""
    found: set[object] = set()
    for row in pq.read_table(io.BytesIO(data)).to_pylist():
        expires = datetime.fromisoformat(row["expires"]) if row["expires"] else None
        labels = tuple(row["labels"])
        if row["signal"] == "url":
            flags = EntryFlag(sum(EntryFlag[name.upper()] for name in row["flags"]))
            url = canonical(row["value"])
            found.add(UrlEntry(row["entry"], row["list"], url, Scope(row["scope"]), flags, labels, expires))
        else:
            value = algorithm_named(row["signal"]).parse(row["value"])
            found.add(HashEntry(row["entry"], row["list"], row["signal"], value, labels, expires))
    return found


@settings(max_examples=40, deadline=None)
@given(contents())
def test_parquet_is_read_back_as_the_same_entries(source: EditionContents) -> None:
    export = made("parquet", source)
    assert parquet_entries(export.files["entries.parquet"]) == alive_set(source)
    assert not export.left


@settings(max_examples=100, deadline=None)
@given(st.sets(st.binary(min_size=32, max_size=32), max_size=40), st.integers(1, 2**32 - 1))
def test_any_hash_list_is_decoded_by_an_independent_decoder(hashes: set[bytes], number: int) -> None:
    message = hash_list(sorted(hashes), number.to_bytes(8, "big"))
    assert safe_browsing_hashes(message) == (number, hashes)


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 2**256 - 1), min_size=1, max_size=20), st.integers(227, 254))
def test_rice_coding_with_every_parameter(numbers: set[int], parameter: int) -> None:
    # A small parameter with far numbers makes unary runs of millions of bits; the choice below never does.
    parameter = max(parameter, 250)
    rising = sorted(numbers)
    assert rice_numbers(rising[0], parameter, len(rising) - 1, encode(rising, parameter)) == rising


def test_rice_bits_are_where_browsers_expect_them() -> None:
    """A difference of one: the zero of the unary part in bit 0, the lowest bit of the remainder in bit 1."""
    assert encode([7, 8], 227) == b"\x02" + bytes(28)
    assert encode([0, (3 << 227) + 1], 227) == b"\x17" + bytes(28)
    assert [parameter_for(count) for count in (0, 1, 2, 1000, 2**40)] == [254, 254, 254, 246, 227]


@settings(max_examples=40, deadline=None)
@given(contents(), probes)
def test_safe_browsing_as_a_client_asks(source: EditionContents, asked: list[CanonicalUrl]) -> None:
    asked = around(source, asked)
    export = made("safebrowsing", source)
    number, hashes = safe_browsing_hashes(export.files["safebrowsing.bin"])
    assert number == 7

    def is_listed(url: CanonicalUrl) -> bool:
        texts = safe_browsing_expressions(url.host, url.path, url.query, url.is_address())
        return any(hashlib.sha256(text.encode()).digest() in hashes for text in texts)

    check_cover(source, export, asked, is_listed)


def test_safe_browsing_writes_only_what_covers_the_same_there() -> None:
    shapes = (
        ("http://192.0.2.7/a/", Scope.PAGE, Reason.WOULD_WIDEN), ("http://192.0.2.7/a", Scope.PAGE, None),
        ("http://192.0.2.7/a", Scope.URL, Reason.WOULD_WIDEN), ("http://192.0.2.7/a?b", Scope.URL, None),
        ("http://192.0.2.7/a/b/c/", Scope.PREFIX, None), ("http://192.0.2.7/a/b/c/d/", Scope.PREFIX, Reason.PREFIX_TOO_DEEP),
        ("http://zorblat.example/a", Scope.PAGE, Reason.WOULD_WIDEN), ("http://zorblat.example/", Scope.HOST, Reason.WOULD_WIDEN),
        ("http://2.3.4.5.example/", Scope.DOMAIN, None), ("http://1.2.3.4.5.example/", Scope.DOMAIN, Reason.NAMES_BELOW),
    )  # fmt: skip
    for number, (address, scope, reason) in enumerate(shapes):
        export = made("safebrowsing", EditionContents((PAGES,), (UrlEntry(number, PAGES.name, canonical(address), scope),)))
        written = safe_browsing_hashes(export.files["safebrowsing.bin"])[1]
        assert [each.reason for each in export.left] == ([reason] if reason else [])
        assert len(written) == (reason in (None, Reason.NAMES_BELOW))


def stix_objects(export: Exported) -> list[dict[str, Any]]:
    bundle = json.loads(export.files["stix.json"])
    assert bundle["type"] == "bundle"
    assert re.fullmatch(r"bundle--[0-9a-f-]{36}", bundle["id"])
    marking, *indicators = bundle["objects"]
    assert marking["id"] == "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
    for each in indicators:
        required = {"type", "spec_version", "id", "created", "modified", "valid_from", "pattern", "pattern_type"}
        assert required <= set(each)
        assert each["object_marking_refs"] == [marking["id"]]
        assert each["created"] <= each["modified"]
        assert each["valid_from"] < each.get("valid_until", "9")
    assert len({each["id"] for each in indicators}) == len(indicators)
    return indicators


@settings(max_examples=40, deadline=None)
@given(contents(), probes)
def test_stix_patterns_cover_what_the_entries_cover(source: EditionContents, asked: list[CanonicalUrl]) -> None:
    asked = around(source, asked)
    export = made("stix", source)
    patterns = [each["pattern"] for each in stix_objects(export)]
    check_cover(source, export, asked, lambda url: any(stix_matches(each, "url:value", url.text()) for each in patterns))
    rights = [entry for entry in living(source) if host_rights(entry)]
    for url in asked:
        if any(stix_matches(each, "domain-name:value", url.host) for each in patterns):
            assert is_covered(rights, url)
    for entry in source.hashes:
        value = algorithm_named(entry.algorithm).text(entry.value)
        name = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "pdq": "X-PDQ"}[entry.algorithm]
        found = any(stix_matches(each, f"file:hashes.'{name}'", value) for each in patterns)
        pairs = {(x.algorithm, x.value) for x in alive_set(source) if isinstance(x, HashEntry)}
        assert found is ((entry.algorithm, entry.value) in pairs)


def test_stix_names_revoke_what_the_export_before_had() -> None:
    source = some_contents()
    fewer = replace(source, urls=tuple(entry for entry in source.urls if entry.entry not in (1, 9)), hashes=source.hashes[1:])
    before = {each["id"]: each for each in stix_objects(made("stix", source))}
    after = {each["id"]: each for each in stix_objects(made("stix", fewer, source, number=8))}
    revoked = {each["name"] for each in after.values() if each.get("revoked")}
    assert revoked == {"pages/1", "pages/9", "pages/8", "pictures/20"}
    assert set(before) <= set(after)
    assert not any(each.get("revoked") for each in stix_objects(made("stix", fewer)))


def test_stix_says_until_when_and_with_which_labels() -> None:
    shown = {each["name"]: each for each in stix_objects(made("stix", some_contents()))}
    assert shown["pages/9"]["valid_until"] == "2026-11-26T12:00:00.000Z"
    assert shown["pages/7"]["labels"] == ["canary"]
    assert "pages/8" not in shown
    partly = {(each.entry, each.reason) for each in made("stix", some_contents()).left}
    assert partly == {(6, Reason.QUERY_SET), (23, Reason.DISTANCE)}


class Feed:
    """A reader of MISP feeds: the manifest names the events, ``deleted`` attributes go, ``hashes.csv`` must agree."""

    def __init__(self, files: dict[str, bytes]) -> None:
        manifest = json.loads(files["manifest.json"])
        assert set(files) == {"manifest.json", "hashes.csv", *(f"{event}.json" for event in manifest)}
        self.attributes: list[dict[str, Any]] = []
        self.deleted: list[dict[str, Any]] = []
        sums: list[str] = []
        for known, shown in manifest.items():
            event = json.loads(files[f"{known}.json"])["Event"]
            assert event["uuid"] == known
            assert {key: event[key] for key in shown} == shown
            assert {"Orgc", "Tag", "info", "date", "analysis", "threat_level_id", "timestamp"} <= set(shown)
            for each in event["Attribute"]:
                (self.deleted if each.get("deleted") else self.attributes).append(each)
                if not each.get("deleted"):
                    sums.append(f"{hashlib.md5(each['value'].encode()).hexdigest()},{known}")
        assert sorted(files["hashes.csv"].decode().splitlines()) == sorted(sums)

    def values(self, kind: str) -> set[str]:
        return {each["value"] for each in self.attributes if each["type"] == kind}

    def has(self, url: CanonicalUrl) -> bool:
        domains = self.values("domain")
        below = any(url.host == name or url.host.endswith(f".{name}") for name in domains)
        return url.text() in self.values("url") or url.host in self.values("hostname") or below


@settings(max_examples=40, deadline=None)
@given(contents(), probes)
def test_a_misp_feed_covers_no_more_than_the_entries(source: EditionContents, asked: list[CanonicalUrl]) -> None:
    asked = around(source, asked)
    export = made("misp", source)
    feed = Feed(export.files)
    check_cover(source, export, [*asked, *(entry.url for entry in source.urls)], feed.has)
    exact = {x for x in alive_set(source) if isinstance(x, HashEntry)}
    for kind in ("md5", "sha1", "sha256"):
        assert feed.values(kind) == {entry.value.hex() for entry in exact if entry.algorithm == kind}
    unnamed = {each.entry for each in export.left if each.reason is Reason.HASH_TYPE}
    assert unnamed == {entry.entry for entry in exact if entry.algorithm == "pdq"}


def test_a_misp_feed_takes_back_what_is_withdrawn_and_whole_lists() -> None:
    source = some_contents()
    fewer = EditionContents((PAGES,), tuple(entry for entry in source.urls if entry.list == "pages" and entry.entry != 1))
    first, second = Feed(made("misp", source).files), Feed(made("misp", fewer, source, number=8).files)
    gone = {each["uuid"] for each in first.attributes} - {each["uuid"] for each in second.attributes}
    assert gone <= {each["uuid"] for each in second.deleted}
    assert canonical("http://zorblat.example/quimber/1.html").text() in first.values("url")
    assert canonical("http://zorblat.example/quimber/1.html").text() not in second.values("url")
    assert second.values("md5") == second.values("domain") == set()


def test_addresses_in_a_misp_feed_are_not_for_network_sensors() -> None:
    feed = Feed(made("misp", some_contents()).files)
    assert {(each["type"], each["to_ids"]) for each in feed.attributes} >= {("url", False), ("domain", True), ("md5", True)}


def test_before_and_after_a_withdrawal_of_everything() -> None:
    source = some_contents()
    empty = EditionContents(LISTS)
    assert safe_browsing_hashes(made("safebrowsing", empty).files["safebrowsing.bin"]) == (7, set())
    assert len(safe_browsing_hashes(made("safebrowsing", source).files["safebrowsing.bin"])[1]) == 3
    assert parquet_entries(made("parquet", empty).files["entries.parquet"]) == set()
    assert stix_objects(made("stix", empty)) == []
    assert Feed(made("misp", empty).files).attributes == []
    assert whole_entries(source, made("csv", source)) == living(source)

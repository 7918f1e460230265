"""Formats for readers that see only the host: RPZ, hosts, AdGuard Home, Pi-hole, Blocky, e2guardian."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.editions.export.readers import (
    adblock_has,
    blocky_has,
    is_below,
    lines_of,
    zone_has,
    zone_names,
)
from tests.editions.export.world import NOW, SITES, around, check_hosts, contents, made, probes, some_contents

from vigil.base.errors import InputError
from vigil.editions.export import Occasion, Reason, export_as
from vigil.editions.model import EditionContents, UrlEntry
from vigil.match.urls import CanonicalUrl, EntryFlag, Scope, canonical


def site(number: int, name: str, scope: Scope = Scope.DOMAIN, flags: EntryFlag = EntryFlag.NONE) -> UrlEntry:
    return UrlEntry(number, SITES.name, canonical(f"http://{name}/"), scope, flags)


def of(*entries: UrlEntry) -> EditionContents:
    return EditionContents((SITES,), entries)


@settings(max_examples=40, deadline=None)
@given(contents(), probes)
def test_rpz_as_bind_reads_it(source: EditionContents, asked: list[CanonicalUrl]) -> None:
    asked = around(source, asked)
    export = made("rpz", source, number=4_000_000_000)
    with tempfile.TemporaryDirectory() as folder:
        serial, owners = zone_names(export.files["rpz.zone"], Path(folder))
    assert serial == 4_000_000_000
    check_hosts(source, export, asked, lambda host: zone_has(owners, host))


def test_rpz_names_below_a_wildcard_do_not_hide_it(tmp_path: Path) -> None:
    source = of(site(1, "zorblat.example"), site(2, "x.y.zorblat.example", Scope.HOST), site(3, "z.zorblat.example"))
    export = made("rpz", source)
    _, owners = zone_names(export.files["rpz.zone"], tmp_path)
    assert owners == {"zorblat.example", "*.zorblat.example"}
    assert not export.left


def test_rpz_has_no_trigger_but_names(tmp_path: Path) -> None:
    address = UrlEntry(3, SITES.name, canonical("http://192.0.2.7/"), Scope.IP)
    source = of(site(1, "32.7.2.0.192.rpz-ip", Scope.HOST), site(2, "a*b.example"), address)
    export = made("rpz", source)
    assert zone_names(export.files["rpz.zone"], tmp_path)[1] == set()
    assert [each.reason for each in export.left] == [Reason.NAME_CHARACTERS, Reason.NAME_CHARACTERS, Reason.IP_ADDRESS]


def test_rpz_takes_the_longest_name_it_claims_and_reports_longer_ones(tmp_path: Path) -> None:
    longest = ".".join(["q" * 63] * 3 + ["z" * 30, "example"])
    assert len(longest) == 230
    export = made("rpz", of(site(1, longest), site(2, f"ab.{longest}")))
    (tmp_path / "rpz.zone").write_bytes(export.files["rpz.zone"])
    _, owners = zone_names(export.files["rpz.zone"], tmp_path, "sixteen-octets-z")
    assert owners == {longest, f"*.{longest}"}
    assert [each.reason for each in export.left] == [Reason.NAME_TOO_LONG]


def test_a_number_that_is_no_serial_is_refused() -> None:
    for number in (0, -1, 2**32):
        with pytest.raises(InputError):
            Occasion(number, NOW)


@settings(max_examples=40, deadline=None)
@given(contents(), probes)
def test_lists_for_resolvers_at_home(source: EditionContents, asked: list[CanonicalUrl]) -> None:
    asked = around(source, asked)
    adguard, pihole, blocky = (made(name, source) for name in ("adguard", "pihole", "blocky"))
    check_hosts(source, adguard, asked, lambda host: adblock_has(adguard.files["adguard-home.txt"], host))
    check_hosts(source, pihole, asked, lambda host: adblock_has(pihole.files["pi-hole.txt"], host))
    check_hosts(source, blocky, asked, lambda host: blocky_has(blocky.files["blocky.txt"], host))


@settings(max_examples=40, deadline=None)
@given(contents(), probes)
def test_hosts_file_and_site_list(source: EditionContents, asked: list[CanonicalUrl]) -> None:
    asked = around(source, asked)
    hosts, sites = made("hosts", source), made("e2guardian", source)
    names = {line.split(" ")[1] for line in lines_of(hosts.files["hosts.txt"])}
    check_hosts(source, hosts, asked, names.__contains__)
    domains = lines_of(sites.files["bannedsitelist"])
    check_hosts(source, sites, asked, lambda host: any(is_below(host, domain) for domain in domains))


def test_a_hosts_file_says_that_it_cannot_cover_a_domain() -> None:
    export = made("hosts", of(site(1, "zorblat.example"), site(2, "quimber.test", Scope.HOST)))
    assert lines_of(export.files["hosts.txt"]) == ["0.0.0.0 quimber.test", "0.0.0.0 zorblat.example"]
    assert [(each.entry, each.reason, each.partly) for each in export.left] == [(1, Reason.NAMES_BELOW, True)]


def test_every_host_level_format_obeys_the_rights_of_an_entry() -> None:
    entries = (
        site(1, "a.test", flags=EntryFlag.HOST_ONLY_SKIPPED),
        site(2, "b.test", flags=EntryFlag.PORT_EXACT),
        site(3, "c.test", flags=EntryFlag.SCHEME_EXACT),
        UrlEntry(4, SITES.name, canonical("http://d.test/x"), Scope.PAGE, EntryFlag.HOST_APPROVED),
    )
    for name in ("rpz", "hosts", "adguard", "pihole", "blocky"):
        export = made(name, of(*entries))
        assert b".test" not in b"".join(export.files.values())
        assert [each.reason for each in export.left] == [
            Reason.HOST_ONLY_SKIPPED, Reason.SCHEME_OR_PORT, Reason.SCHEME_OR_PORT, Reason.NARROWER_THAN_HOST,
        ]  # fmt: skip


def test_a_withdrawn_name_is_gone_from_every_list() -> None:
    source = some_contents()
    fewer = replace(source, urls=tuple(entry for entry in source.urls if entry.entry != 10))
    for name in ("rpz", "hosts", "adguard", "pihole", "blocky", "e2guardian", "squid", "nginx"):
        before, after = made(name, source), made(name, fewer)
        assert any(b"quimber.test" in data or b"quimber\\.test" in data for data in before.files.values())
        gone = [line for data in after.files.values() for line in data.splitlines() if b"quimber" in line]
        assert all(b"www.quimber.test" in line or b"/quimber/" in line for line in gone), name


def test_an_expired_entry_is_in_no_export_and_the_next_expiry_is_told() -> None:
    source = some_contents()
    for name in ("rpz", "squid", "nginx", "hosts"):
        export = export_as(name, source, Occasion(1, NOW))
        assert not any(b"/old" in data for data in export.files.values())
        assert not any(each.entry == 8 for each in export.left)
        assert export.first_expiry == next(entry.expires for entry in source.urls if entry.entry == 9)

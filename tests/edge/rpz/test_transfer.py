"""Transfers as dnspython asks for them: whole, in steps, signed; and what the zone may hold."""

from __future__ import annotations

from pathlib import Path

import dns.message
import dns.rdatatype
import dns.zone
from tests.edge.rpz.field import ENTRIES, NAMES, OWNERS, asked, changed, door_of, owners, primary, serial_of, signed, transferred
from tests.edge.rpz.test_keeper import kept
from tests.edge.world import Hotline, later, until, url_entry

from vigil.base.clock import FixedClock
from vigil.editions.export.names import Names
from vigil.match.urls import Scope


def test_hosts_and_domains_with_the_right_to_dns_and_nothing_else(hotline: Hotline, state: Path) -> None:
    hotline.publish(*ENTRIES)
    with primary(hotline, state) as node:
        zone = transferred(node)
    assert owners(zone) == OWNERS
    assert zone.find_rdataset("host.example", "CNAME").to_text() == "30 IN CNAME ."
    assert zone.get_soa().serial == serial_of(node)
    assert {str(each) for each in zone.find_rdataset("@", "NS")} == {"localhost."}


def test_a_change_travels_in_steps(hotline: Hotline, state: Path) -> None:
    hotline.publish(*ENTRIES)
    with primary(hotline, state, names=NAMES + "".join(f"n{n}.example\n" for n in range(50))) as node:
        many = tuple(url_entry(100 + n, f"http://n{n}.example/", Scope.HOST) for n in range(50))
        changed(hotline, node, *ENTRIES, *many)
        zone = transferred(node)
        first = zone.get_soa().serial
        changed(hotline, node, *ENTRIES[2:], *many)
        second = changed(hotline, node, *ENTRIES[2:], *many, url_entry(9, "http://other.example/", Scope.DOMAIN))
        transferred(node, zone)
        assert zone.get_soa().serial == second > first
        assert door_of(node).desk.transfers == {"axfr": 1, "ixfr": 1}
        assert owners(zone) == owners(transferred(node)) >= {"other.example", "*.other.example"}
        assert "domain.example" not in owners(zone)
        assert transferred(node, zone).get_soa().serial == second


def test_versions_survive_a_restart_and_a_lost_state_begins_higher(hotline: Hotline, state: Path) -> None:
    hotline.publish(*ENTRIES)
    with primary(hotline, state) as node:
        zone = transferred(node)
    with primary(hotline, state) as node:
        assert serial_of(node) == zone.get_soa().serial
        assert changed(hotline, node, *ENTRIES[:2]) > zone.get_soa().serial
        transferred(node, zone)
        assert owners(zone) == {"domain.example", "*.domain.example"}
        last = serial_of(node)
    (state / "rpz" / "versions.json").write_text("{")
    with primary(hotline, state) as node:
        assert any(event["event"] == "rpz_state_unreadable" for event in node.events())
        assert transferred(node, zone).get_soa().serial == serial_of(node) > last


def test_without_an_edition_there_is_no_zone(hotline: Hotline, state: Path) -> None:
    with primary(hotline, state) as node:
        for kind, tcp in (("SOA", False), ("AXFR", True), ("IXFR", True)):
            assert asked(node, signed(kind=kind), tcp=tcp).rcode() == 2
        hotline.publish(*ENTRIES)
        until(lambda: door_of(node).keeper.zone is not None)
        assert owners(transferred(node)) == OWNERS


def test_the_names_may_come_later_and_be_an_export(hotline: Hotline, state: Path) -> None:
    hotline.publish(*ENTRIES)
    with primary(hotline, state, names="# nothing yet\n") as node:
        assert owners(transferred(node)) == set()
        text = "; export\n$TTL 30\n@ SOA localhost. hostmaster.invalid. 1 60 30 2419200 30\n@ NS localhost.\n"
        text += "host.example CNAME .\n*.domain.example CNAME .\nDomain.Example. CNAME .\n"
        text += "two words\n32.7.2.0.192.rpz-ip CNAME .\n"
        (state.parent / "names.txt").write_text(text)
        until(lambda: len(owners(transferred(node))) == 3)
        said = [event for event in node.events() if event["event"] == "rpz_names"][-1]
        assert (said["names"], said["refused"]) == (2, 2)
        assert "host.example" not in node.log.getvalue()
        (state.parent / "names.txt").unlink()
        until(lambda: any(event.get("code") == "names_unreadable" for event in node.events()))
        assert len(owners(transferred(node))) == 3, "what was known stays in force"


def test_what_a_listed_name_gets(hotline: Hotline, state: Path) -> None:
    hotline.publish(*ENTRIES)
    with primary(hotline, state, 'answer = "page"\npage_addresses = ["192.0.2.9", "2001:db8::9"]\nttl_seconds = 7') as node:
        zone = transferred(node)
        assert zone.find_rdataset("*.domain.example", "A").to_text() == "7 IN A 192.0.2.9"
        assert zone.find_rdataset("host.example", "AAAA").to_text() == "7 IN AAAA 2001:db8::9"
    with primary(hotline, state, 'answer = "nodata"') as node:
        assert transferred(node).find_rdataset("host.example", "CNAME").to_text() == "30 IN CNAME *."


def test_entries_end_at_their_time_and_whole_hosts_at_the_hard_date(hotline: Hotline, state: Path) -> None:
    ends = later(hotline.now, hours=2)
    domain = url_entry(2, "http://domain.example/", Scope.DOMAIN)
    hotline.publish(url_entry(1, "http://host.example/", Scope.HOST, expires=ends), domain)
    clock = FixedClock(hotline.now)
    with kept(hotline, state, clock) as keeper:
        assert keeper.zone is not None and keeper.zone.names == Names(frozenset({"host.example"}), frozenset({"domain.example"}))
        clock.advance(hours=2)
        keeper.round(clock.now(), 60)
        assert keeper.zone.names == Names(frozenset(), frozenset({"domain.example"}))
        clock.advance(days=7)
        keeper.round(clock.now(), 60)
        assert keeper.zone.names == Names(frozenset(), frozenset())


def test_a_large_zone_takes_several_messages_each_signed(hotline: Hotline, state: Path) -> None:
    names = [f"site{number}.example" for number in range(3000)]
    hotline.publish(*(url_entry(number, f"http://{name}/", Scope.DOMAIN) for number, name in enumerate(names)))
    with primary(hotline, state, names="\n".join(names)) as node:
        assert len(owners(transferred(node))) == 6000


def test_other_questions_are_answered_or_refused(hotline: Hotline, state: Path) -> None:
    hotline.publish(*ENTRIES)
    with primary(hotline, state) as node:
        soa = asked(node, signed())
        assert soa.answer[0][0].serial == serial_of(node) and soa.flags & 0x0400
        assert asked(node, signed(kind="NS")).answer[0].to_text() == "v. 30 IN NS localhost."
        assert asked(node, signed("host.example.v.", "A")).rcode() == 9
        assert asked(node, signed("w.", "SOA")).rcode() == 9
        assert asked(node, signed(kind="A")).rcode() == 5
        assert asked(node, signed(kind="AXFR")).rcode() == 1
        over_udp = asked(node, signed(kind="IXFR"))
        assert [each.rdtype for each in over_udp.answer] == [dns.rdatatype.SOA]
        assert asked(node, dns.message.make_query("v.", "SOA")).rcode() == 5


def test_a_rehearsal_keeps_the_zone_empty(hotline: Hotline, state: Path) -> None:
    hotline.publish(*ENTRIES)
    with primary(hotline, state, '[policy]\nmode = "dry_run"') as node:
        assert owners(transferred(node)) == set()

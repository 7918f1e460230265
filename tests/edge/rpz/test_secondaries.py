"""The policy zone in the resolvers that providers run: each started here, told of a change, told of a withdrawal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.edge.dns.field import Resolver, resolving
from tests.edge.dns.peers import dig, free_port, program
from tests.edge.rpz.field import ENTRIES, changed, door_of, primary
from tests.edge.rpz.resolvers import bind_secondary, knot, knot_resolver, powerdns, unbound_with_file
from tests.edge.world import Hotline, until, url_entry
from tests.support.certificates import authority

from vigil.match.urls import Scope

FRESH = count()


@pytest.fixture
def upstream() -> Iterator[str]:
    with resolving(Resolver()) as address:
        yield address


def is_blocked(port: int, domain: str) -> bool:
    """A name below ``domain`` that nobody has asked for yet: no cache can answer, and the SOA of the zone tells who does."""
    said = dig(port, f"n{next(FRESH)}.{domain}", "+noidnout")
    return "status: NXDOMAIN" in said and ("hostmaster.invalid" in said or "EDE: 15" in said)


def passes(port: int, name: str) -> bool:
    return dig(port, name, "+short").strip() == "192.0.2.1"


def test_bind(hotline: Hotline, state: Path, upstream: str, tmp_path: Path) -> None:
    hotline.publish(*ENTRIES)
    port = free_port()
    with (
        primary(hotline, state, f'notify = ["127.0.0.1:{port}"]') as node,
        bind_secondary(tmp_path, door_of(node).port, upstream, port),
    ):
        until(lambda: is_blocked(port, "domain.example"))
        assert "status: NXDOMAIN" in dig(port, "host.example")
        assert all(passes(port, name) for name in ("page.example", "www.host.example", "skipped.example", "other.example"))
        changed(hotline, node, *ENTRIES, url_entry(9, "http://other.example/", Scope.DOMAIN))
        until(lambda: is_blocked(port, "other.example"))
        changed(hotline, node, *ENTRIES[2:])
        until(lambda: not is_blocked(port, "domain.example"))
        assert door_of(node).desk.transfers["ixfr"] >= 1 and door_of(node).desk.problems == 0


def test_bind_over_tls(hotline: Hotline, state: Path, upstream: str, tmp_path: Path) -> None:
    hotline.publish(*ENTRIES)
    made, port = authority(tmp_path, "primary.example"), free_port()
    tls = f'tls_port = 0\ntls_certificate = "{made.certificate}"\ntls_key = "{made.key}"'
    with primary(hotline, state, f'{tls}\nnotify = ["127.0.0.1:{port}"]') as node:
        until(lambda: door_of(node).tls_port)
        with bind_secondary(tmp_path, door_of(node).tls_port, upstream, port, tls=made.authority):
            until(lambda: is_blocked(port, "domain.example"))
            changed(hotline, node, *ENTRIES, url_entry(9, "http://other.example/", Scope.DOMAIN))
            until(lambda: is_blocked(port, "other.example"))


def test_powerdns_recursor(hotline: Hotline, state: Path, upstream: str, tmp_path: Path) -> None:
    hotline.publish(*ENTRIES)
    with primary(hotline, state) as node, powerdns(tmp_path, door_of(node).port, upstream) as resolver:
        until(lambda: is_blocked(resolver.port, "domain.example"))
        assert "EDE: 15 (Blocked): (Ask the operator.)" in dig(resolver.port, "host.example")
        assert passes(resolver.port, "page.example")
        changed(hotline, node, *ENTRIES[2:], url_entry(9, "http://other.example/", Scope.DOMAIN))
        until(lambda: is_blocked(resolver.port, "other.example"))
        assert not is_blocked(resolver.port, "domain.example")
        assert door_of(node).desk.transfers["ixfr"] == 1


def test_knot_dns_takes_the_zone_by_notify_and_in_steps(hotline: Hotline, state: Path, tmp_path: Path) -> None:
    hotline.publish(*ENTRIES)
    port = free_port()
    with primary(hotline, state, f'notify = ["127.0.0.1:{port}"]') as node, knot(tmp_path, door_of(node).port, port):
        until(lambda: "CNAME\t." in dig(port, "host.example.v", "CNAME"))
        for number in range(3):
            changed(hotline, node, *ENTRIES, *(url_entry(9, "http://other.example/", Scope.DOMAIN),) * (number % 2 == 0))
            until(lambda even=number % 2 == 0: ("CNAME\t." in dig(port, "x.other.example.v", "CNAME")) == even)
        assert door_of(node).desk.transfers["axfr"] == 1 and door_of(node).desk.problems == 0


def test_knot_resolver_reads_the_file(hotline: Hotline, state: Path, upstream: str, tmp_path: Path) -> None:
    hotline.publish(*ENTRIES)
    zone = tmp_path / "v.zone"
    with primary(hotline, state, f'file = "{zone}"'):
        until(zone.exists)
        with knot_resolver(tmp_path, zone, upstream) as resolver:
            assert "status: NXDOMAIN" in dig(resolver.port, "n1.domain.example")
            assert "status: NXDOMAIN" in dig(resolver.port, "host.example")
            assert passes(resolver.port, "page.example")


def test_unbound_by_the_file_and_its_reload(hotline: Hotline, state: Path, upstream: str, tmp_path: Path) -> None:
    hotline.publish(*ENTRIES)
    zone, control = tmp_path / "v.zone", program("unbound-control", "unbound")
    command = f'reload = ["{control}", "-c", "{tmp_path / "unbound.conf"}", "auth_zone_reload", "v."]'
    with primary(hotline, state, f'file = "{zone}"\n{command}\nreload_seconds = 5') as node:
        until(lambda: any(event.get("code") == "reload_failed" for event in node.events()))
        assert zone.exists()
        with unbound_with_file(tmp_path, zone, upstream) as resolver:
            assert is_blocked_by_unbound(resolver.port, "domain.example")
            assert passes(resolver.port, "page.example")
            changed(hotline, node, *ENTRIES[2:], url_entry(9, "http://other.example/", Scope.DOMAIN))
            until(lambda: is_blocked_by_unbound(resolver.port, "other.example"))
            assert not is_blocked_by_unbound(resolver.port, "domain.example")
        failed = [event for event in node.events() if event.get("code") == "reload_failed"]
        assert len(failed) == 1, "Unbound did not run yet: said once"
    assert "other.example CNAME ." in zone.read_text() and zone.stat().st_mode & 0o007 == 0


def is_blocked_by_unbound(port: int, domain: str) -> bool:
    """Unbound puts neither an SOA nor an explanation into its answer; our resolver behind it never says NXDOMAIN here."""
    return "status: NXDOMAIN" in dig(port, f"n{next(FRESH)}.{domain}")

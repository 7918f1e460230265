"""Real clients of the door: dig and kdig, and Unbound and BIND as resolvers that forward to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.dns.field import Resolver, door_of, front, listed, resolving
from tests.edge.dns.peers import bind, dig, program, said, unbound
from tests.edge.world import Hotline, RunningNode

from vigil.edge.counts import CountClass

SETTINGS = 'explanation = "censored"\nexplanation_text = "Ask the operator."\n'


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    listed(hotline)
    with resolving(Resolver()) as address, front(hotline, state, f'upstream = ["{address}"]\n{SETTINGS}') as node:
        yield node


@pytest.mark.parametrize("way", ["+notcp", "+tcp"])
def test_dig(node: RunningNode, way: str) -> None:
    port = door_of(node).port
    blocked = dig(port, way, "host.example", "A")
    assert "status: NXDOMAIN" in blocked and "EDE: 16 (Censored): (Ask the operator.)" in blocked
    assert "WARNING" not in blocked and "malformed" not in blocked.lower()
    assert dig(port, way, "zorblat.example", "A", "+short").strip() == "192.0.2.1"
    assert dig(port, way, "gone.example", "+noall", "+comments").count("status: NXDOMAIN") == 1
    assert "status: BADVERS" in dig(port, way, "host.example", "+edns=1", "+noednsnegotiation")
    assert "status: NOTIMP" in dig(port, way, "host.example", "+opcode=NOTIFY")
    assert "status: REFUSED" in dig(port, way, "version.bind", "CH", "TXT")
    assert "status: NXDOMAIN" in dig(port, way, "bücher.example", "+idnin")
    assert "status: NXDOMAIN" in dig(port, way, "host.example", "+subnet=192.0.2.0/24", "+cookie", "+nsid", "+padding=128")
    assert "Transfer failed" in dig(port, "example", "AXFR")


def test_dig_comes_again_over_tcp_where_an_answer_is_cut(node: RunningNode) -> None:
    assert "Truncated, retrying in TCP mode" in (found := dig(door_of(node).port, "zorblat.example", "TXT"))
    assert "status: NOERROR" in found and "quimber" in found


def test_kdig(node: RunningNode) -> None:
    kdig, port = program("kdig", "knot-dnsutils"), str(door_of(node).port)
    asked = ("@127.0.0.1", "-p", port, "+edns", "host.example", "A")
    for way in ((), ("+tcp",)):
        found = said(kdig, *way, *asked)
        assert "status: NXDOMAIN" in found and "EDE: 16 (Censored)" in found
    many = said(kdig, "+tcp", "+keepopen", *asked, "zorblat.example", "A", "@127.0.0.1", "-p", port)
    assert many.count("status: ") == 2


def test_unbound_forwards_to_the_door_with_random_capitals(node: RunningNode, tmp_path: Path) -> None:
    with unbound(tmp_path, door_of(node).port) as resolver:
        blocked = dig(resolver.port, "host.example")
        assert "status: NXDOMAIN" in blocked and "EDE" not in blocked  # as the guide says: neither passes it on
        assert dig(resolver.port, "zorblat.example", "+short").strip() == "192.0.2.1"
        assert "quimber" in dig(resolver.port, "zorblat.example", "TXT")
    assert node.node.tally.totals()[("urls", CountClass.DNS_ANSWER)] >= 1


def test_bind_forwards_to_the_door(node: RunningNode, tmp_path: Path) -> None:
    upstream = f"recursion yes; allow-query {{ any; }}; forward only; forwarders {{ 127.0.0.1 port {door_of(node).port}; }};"
    with bind(tmp_path, upstream) as resolver:
        blocked = dig(resolver.port, "host.example")
        assert "status: NXDOMAIN" in blocked and "EDE" not in blocked  # as the guide says: neither passes it on
        assert dig(resolver.port, "zorblat.example", "+short").strip() == "192.0.2.1"
        assert "quimber" in dig(resolver.port, "zorblat.example", "TXT")

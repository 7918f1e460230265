"""The answering front in a running node: listed names, everything else, counts, and what happens without edition or upstream."""

from __future__ import annotations

import itertools
import re
import threading
from datetime import timedelta
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest
from tests.edge.dns.field import DOMAIN, HOST, PAGE, Resolver, cut, door_of, front, listed, over_udp, resolver_answer, resolving
from tests.edge.world import Hotline, RunningNode, until

from vigil.base.clock import SystemClock
from vigil.edge.config import warnings
from vigil.edge.counts import CountClass
from vigil.edge.dns.memory import Repeats

Found = dns.message.Message


def ask(node: RunningNode, name: str, kind: str = "A", *, edns: int | None = 0) -> Found:
    made = dns.message.make_query(name, kind, use_edns=-1 if edns is None else edns)
    found = dns.message.from_wire(over_udp(node, made.to_wire()))
    assert (found.id, found.question) == (made.id, made.question)
    return found


def code_of(found: Found) -> int | None:
    """The Extended DNS Error of an answer."""
    codes = [option.code for option in found.options if isinstance(option, dns.edns.EDEOption)]
    return int(codes[0]) if codes else None


def counted(node: RunningNode) -> dict[CountClass, int]:
    return {kind: number for (_, kind), number in node.node.tally.totals().items()}


@pytest.fixture
def resolver() -> Resolver:
    return Resolver()


NAMES = [
    ("host.example", True),
    ("HoSt.ExAmPlE.", True),
    ("deep.host.example", False),
    ("domain.example", True),
    ("very.deep.domain.example", True),
    (r"odd\.label.domain.example", True),
    (r"\228.domain.example", True),
    (r"a\.domain.example", False),  # a dot inside a label does not make another name
    ("xdomain.example", False),
    ("xn--bcher-kva.example", True),
    ("page.example", False),  # one page is listed: never its host
    ("folder.example", False),
    ("skipped.example", False),
    ("192.0.2.7", False),
    ("zorblat.example", False),
    (".", False),
]


def test_whole_hosts_and_nothing_wider(hotline: Hotline, state: Path, resolver: Resolver) -> None:
    listed(hotline)
    with resolving(resolver) as address, front(hotline, state, f'upstream = ["{address}"]') as node:
        for name, blocked in NAMES:
            for kind in ("A", "AAAA", "HTTPS", "ANY"):
                found = ask(node, name, kind)
                assert ((found.rcode() == dns.rcode.NXDOMAIN), code_of(found)) == (blocked, 15 if blocked else None), name
            assert bool(resolver.asked) != blocked
            resolver.asked.clear()


@pytest.mark.parametrize(("explanation", "code"), [("blocked", 15), ("censored", 16), ("filtered", 17), ("none", None)])
@pytest.mark.parametrize("answer", ["nxdomain", "nodata", "refused", "page"])
def test_each_answer_with_each_explanation(
    hotline: Hotline, state: Path, answer: str, explanation: str, code: int | None
) -> None:
    listed(hotline)
    settings = f'answer = "{answer}"\nexplanation = "{explanation}"\nexplanation_text = "Ask the operator."\nttl_seconds = 17\n'
    if answer == "page":
        settings += 'page_addresses = ["192.0.2.80", "192.0.2.81"]\n'
    with front(hotline, state, settings) as node:
        found, other = ask(node, "host.example"), ask(node, "host.example", "AAAA")
        bare = ask(node, "host.example", edns=None)
    rcode = {"nxdomain": dns.rcode.NXDOMAIN, "refused": dns.rcode.REFUSED}.get(answer, dns.rcode.NOERROR)
    assert (found.rcode(), other.rcode(), bare.rcode()) == (rcode,) * 3
    assert code_of(found) == code_of(other) == code
    assert bare.edns == -1
    if code is not None:
        assert isinstance(found.options[0], dns.edns.EDEOption)
        assert found.options[0].text == "Ask the operator."
    assert [str(each) for rrset in found.answer for each in rrset] == (["192.0.2.80", "192.0.2.81"] if answer == "page" else [])
    assert bool(other.authority) == (answer != "refused")
    assert all(rrset.ttl == 17 for rrset in (*found.answer, *found.authority, *other.authority))


def test_an_answer_passes_unchanged(hotline: Hotline, state: Path, resolver: Resolver) -> None:
    listed(hotline)
    sent: list[bytes] = []

    def behaviour(message: bytes) -> list[bytes]:
        sent[:] = resolver_answer(message)
        return sent

    resolver.behaviour = behaviour
    with resolving(resolver) as address, front(hotline, state, f'upstream = ["{address}"]') as node:
        for name, kind in (("ZoRbLaT.example", "A"), ("gone.example", "A"), ("zorblat.example", "TYPE65280")):
            made = dns.message.make_query(name, kind, want_dnssec=True)
            answer = over_udp(node, made.to_wire())
            assert (answer[:2], answer[2:]) == (made.to_wire()[:2], sent[0][2:])
    asked = [dns.message.from_wire(each) for each in resolver.asked]
    assert all(each.ednsflags == 0x8000 and each.payload == 1232 for each in asked)


def test_each_question_goes_out_under_its_own_id_and_port(hotline: Hotline, state: Path, resolver: Resolver) -> None:
    listed(hotline)
    with resolving(resolver) as address, front(hotline, state, f'upstream = ["{address}"]') as node:
        made = dns.message.make_query("zorblat.example", "A", id=4711).to_wire()
        assert len({over_udp(node, made) for _ in range(24)}) == 1
    assert len({each[:2] for each in resolver.asked}) > 20
    assert len(set(resolver.ports)) > 20


def test_a_stranger_is_not_heard(hotline: Hotline, state: Path, resolver: Resolver) -> None:
    """Wrong id, wrong question, not an answer: all ignored; the right one after them counts."""
    listed(hotline)

    def behaviour(message: bytes) -> list[bytes]:
        [good] = resolver_answer(message)
        wrong_id = bytes([good[0] ^ 1]) + good[1:]
        return [wrong_id, good.replace(b"zorblat", b"quimber"), message, b"", good[:11], good]

    resolver.behaviour = behaviour
    with resolving(resolver) as address, front(hotline, state, f'upstream = ["{address}"]') as node:
        assert str(ask(node, "zorblat.example").answer[0][0]) == "192.0.2.1"


def test_resolvers_are_tried_in_order_and_silence_is_said(hotline: Hotline, state: Path, resolver: Resolver) -> None:
    listed(hotline)
    silent = Resolver(lambda message: [])
    with resolving(silent) as first, resolving(resolver) as second:
        settings = f'upstream = ["{first}", "{second}"]\nupstream_seconds = 0.1'
        with front(hotline, state, settings) as node:
            assert ask(node, "zorblat.example").rcode() == dns.rcode.NOERROR
            resolver.behaviour = silent.behaviour
            found = ask(node, "zorblat.example")
            assert (found.rcode(), code_of(found)) == (dns.rcode.SERVFAIL, 23)
            assert ask(node, "host.example").rcode() == dns.rcode.NXDOMAIN
    assert len(silent.asked) == 2


def test_nobody_behind_the_upstream_is_said_too(hotline: Hotline, state: Path, resolver: Resolver) -> None:
    listed(hotline)
    with resolving(resolver) as gone:
        pass
    with front(hotline, state, f'upstream = ["{gone}"]\nupstream_seconds = 20') as node:
        assert ask(node, "zorblat.example").rcode() == dns.rcode.SERVFAIL


def test_without_upstream_the_rest_is_refused(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with front(hotline, state) as node:
        found = ask(node, "zorblat.example")
        assert (found.rcode(), code_of(found), bool(found.flags & dns.flags.RA)) == (dns.rcode.REFUSED, 20, False)
        assert ask(node, "host.example").rcode() == dns.rcode.NXDOMAIN
        checked = node.node.config
    assert any("dns.upstream" in note for note in warnings(checked))


def test_more_than_may_wait_is_answered_at_once(hotline: Hotline, state: Path, resolver: Resolver) -> None:
    listed(hotline)
    gate = threading.Event()

    def behaviour(message: bytes) -> list[bytes]:
        gate.wait(20)
        return resolver_answer(message)

    resolver.behaviour = behaviour
    with (
        resolving(resolver) as address,
        front(hotline, state, f'upstream = ["{address}"]\nupstream_seconds = 20\nwaiting = 1') as node,
    ):
        first: list[Found] = []
        thread = threading.Thread(target=lambda: first.append(ask(node, "zorblat.example")))
        thread.start()
        until(lambda: resolver.asked)
        assert ask(node, "quimber.example").rcode() == dns.rcode.SERVFAIL
        assert ask(node, "host.example").rcode() == dns.rcode.NXDOMAIN
        gate.set()
        thread.join()
        assert first[0].rcode() == dns.rcode.NOERROR


def test_an_upstream_answer_too_long_for_the_asker_is_cut(hotline: Hotline, state: Path, resolver: Resolver) -> None:
    listed(hotline)
    with resolving(resolver) as address, front(hotline, state, f'upstream = ["{address}"]') as node:
        found = ask(node, "zorblat.example", "TXT")
        assert found.flags & dns.flags.TC
        resolver.behaviour = lambda message: [resolver_answer(message)[0][:1200]]
        found = ask(node, "zorblat.example", "TXT", edns=None)
        assert (bool(found.flags & dns.flags.TC), found.answer) == (True, [])
    assert cut(resolver_answer(dns.message.make_query("a.example", "A").to_wire())[0])


@pytest.mark.parametrize(("choice", "rcode"), [("refuse", dns.rcode.SERVFAIL), ("pass", dns.rcode.NOERROR)])
def test_without_an_edition_as_configured_and_counted(
    hotline: Hotline, state: Path, resolver: Resolver, choice: str, rcode: int
) -> None:
    with resolving(resolver) as address:
        settings = f'upstream = ["{address}"]\non_unknown = "{choice}"'
        with front(hotline, state, settings, edition=False) as node:
            found = ask(node, "host.example")
            assert (found.rcode(), code_of(found)) == (rcode, 14 if choice == "refuse" else None)
            expected = {CountClass.UNKNOWN: 1} | ({CountClass.BYPASSED: 1} if choice == "pass" else {})
            assert counted(node) == expected


def test_whole_hosts_of_a_hard_expired_edition_are_unknown(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with front(hotline, state) as node:
        edition = node.node.state.enforced
        assert edition is not None
        edition.hard_until = SystemClock().now() - timedelta(hours=1)
        found = ask(node, "host.example")
        assert (found.rcode(), code_of(found)) == (dns.rcode.SERVFAIL, 14)
        assert ask(node, "zorblat.example").rcode() == dns.rcode.REFUSED


def test_one_count_for_a_name_and_second(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with front(hotline, state) as node:
        door_of(node).desk.memory.repeats = Same()
        for kind in ("A", "AAAA", "HTTPS", "A"):
            ask(node, "host.example", kind)
        ask(node, "domain.example")
        ask(node, "probe.example")
        ask(node, "zorblat.example")
        assert counted(node) == {CountClass.DNS_ANSWER: 2, CountClass.TEST: 1}


class Same(Repeats):
    """All questions fall into one second."""

    def __init__(self) -> None:
        super().__init__(b"k" * 16)

    def is_new(self, digest: bytes, second: int) -> bool:
        return super().is_new(digest, 1)


def test_repeats_know_names_only_as_digests_and_only_for_a_second() -> None:
    repeats = Repeats(b"k" * 16)
    name, other = repeats.digest(b"\x07Zorblat\x07example\0"), repeats.digest(b"\x07quimber\x07example\0")
    assert name == repeats.digest(b"\x07zorblat\x07example\0") != Repeats(b"l" * 16).digest(b"\x07zorblat\x07example\0")
    assert [repeats.is_new(name, second) for second in (1, 1, 2, 2, 1)] == [True, False, True, False, True]
    assert repeats.is_new(other, 1)
    assert not re.search("zorblat|quimber", repr(vars(repeats)))
    assert not Repeats(b"l" * 16)._seen


def test_listed_names_come_to_the_watch_for_floods(hotline: Hotline, state: Path) -> None:
    """Once for a name and second, remembered names and those that come for the first time; tests and canaries never."""
    listed(hotline)
    with front(hotline, state) as node:
        memory = door_of(node).desk.memory
        for second in range(1, 4):
            for name in ("host.example", f"w{second}.domain.example", "probe.example", "zorblat.example"):
                ask(node, name)
            memory.repeats._second = -second
        found = node.node.floods.drain()
    (counts,) = found.values()
    assert sorted(counts.values()) == [3, 3], "a host, and the domain above three names"


def test_strangers_are_refused_and_learn_nothing(hotline: Hotline, state: Path, resolver: Resolver) -> None:
    listed(hotline)
    with (
        resolving(resolver) as address,
        front(hotline, state, f'upstream = ["{address}"]\nclients = ["192.0.2.0/24"]') as node,
    ):
        assert (ask(node, "host.example").rcode(), code_of(ask(node, "zorblat.example"))) == (dns.rcode.REFUSED, 18)
        assert counted(node) == {}
    assert resolver.asked == []


def test_a_fault_of_ours_is_said_and_logged_without_the_name(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with front(hotline, state) as node:
        desk = door_of(node).desk
        memory, desk.memory = desk.memory, None  # type: ignore[assignment]
        raw = over_udp(node, dns.message.make_query("host.example", "A", id=7).to_wire())
        assert (raw[:2], raw[3] & 15) == (b"\0\7", dns.rcode.SERVFAIL)
        assert node.node.traffic.faults == 2, "once at what is remembered, once at the decision"
        faults = [event for event in node.events() if event["event"] == "fault"]
        assert faults[0]["fault"] == "AttributeError"
        desk.memory = memory
        assert ask(node, "zorblat.example").rcode() == dns.rcode.REFUSED
    assert "host.example" not in node.log.getvalue()


def test_what_is_remembered_is_what_is_decided(hotline: Hotline, state: Path) -> None:
    """Every question twice, by every way that leads to the memory or past it: the same answer, but for id and capitals."""
    listed(hotline)
    with front(hotline, state, 'explanation_text = "Ask the operator."') as node:
        desk = door_of(node).desk
        asked = [
            dns.message.make_query(name, kind, use_edns=edns, payload=payload, want_dnssec=dnssec, id=number)
            for number, (name, kind, edns, payload, dnssec) in enumerate(
                itertools.product(
                    ("host.example", "HOST.example", "a.domain.example", f"{'a' * 63}.{'b' * 63}.domain.example", "page.example"),
                    ("A", "AAAA", "HTTPS"),
                    (-1, 0),
                    (512, 1232),
                    (False, True),
                )
            )
        ]
        decided = {query.id: desk.on_message(query.to_wire(), tcp=False) for query in asked}
        remembered = {query.id: desk.remembered(query.to_wire()) for query in asked}
        assert all(answer is None or answer == decided[number] for number, answer in remembered.items())
        known = sum(answer is not None for answer in remembered.values())
        assert known == len(asked)
        assert desk.remembered(asked[0].to_wire() + b"\0") is None and desk.remembered(b"") is None
        before = hotline.number
        hotline.publish()
        until(lambda: node.node.state.enforced is not None and node.node.state.enforced.number > before)
        assert all(desk.remembered(query.to_wire()) is None for query in asked)


def test_names_that_come_for_the_first_time_get_what_reading_with_care_gives(hotline: Hotline, state: Path) -> None:
    """Over UDP one look is enough once a question of that shape was answered; over TCP every question is read."""
    listed(hotline)
    with front(hotline, state) as node:
        desk = door_of(node).desk
        for name in (DOMAIN, "other.example"):
            assert over_udp(node, dns.message.make_query(name, "A").to_wire())
        texts = ["a.b.{}", "C.{}", "{}", "x-1.{}", "_x.{}", "a\\.b.{}", "\\000.{}", "192.0.2.7", "{}." + "a" * 60, "2.7"]
        for host in (DOMAIN, HOST, PAGE, "skipped.example", "xn--bcher-kva.example", "probe.example", "never.example", "example"):
            for text in texts:
                message = dns.message.make_query(text.format(host), "A").to_wire()
                careful = desk.on_message(message, tcp=True)
                assert over_udp(node, message) == careful, text.format(host)
        assert node.node.traffic.faults == 0


def test_what_is_remembered_is_counted_and_forgets_names(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with front(hotline, state) as node:
        memory = door_of(node).desk.memory
        for second in (1, 1, 2, 3):
            ask(node, "host.example")
            memory.repeats._second = -second
        assert counted(node)[CountClass.DNS_ANSWER] == 4
        assert not re.search(rb"host", repr((memory._names, memory._shapes, vars(memory.repeats))).encode())
        edition = node.node.state.enforced
        memory.repeats._second = 0
        query = dns.message.make_query("host.example", "A").to_wire()
        assert memory.answer(query, edition, 2**33) is None, "what was remembered ends"

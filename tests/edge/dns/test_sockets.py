"""TCP framing, pipelining and limits; storms and nonsense over both ways; the node stays up."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from pathlib import Path

import dns.message
import dns.rcode
import pytest
from tests.edge.dns.field import (
    Resolver,
    connected,
    door_of,
    exactly,
    framed,
    front,
    listed,
    next_message,
    over_udp,
    resolver_answer,
    resolving,
)
from tests.edge.world import Hotline, RunningNode, until

from vigil.base.errors import InputError, UnavailableError
from vigil.edge import config
from vigil.edge.dns.clients import Clients
from vigil.edge.dns.server import sockets_at


def question(name: str = "host.example", number: int = 1, kind: str = "A") -> bytes:
    return dns.message.make_query(name, kind, id=number).to_wire()


def asked_again(node: RunningNode, message: bytes) -> bytes:
    for _ in range(10):
        with contextlib.suppress(TimeoutError):
            return over_udp(node, message, seconds=2.0)
    return over_udp(node, message)


def still_answers(node: RunningNode) -> None:
    """Over UDP too, where a question that comes while the socket is full is lost: a resolver asks again."""
    assert asked_again(node, question())[3] & 15 == dns.rcode.NXDOMAIN
    with connected(node) as stream:
        stream.sendall(framed(question()))
        assert next_message(stream)[3] & 15 == dns.rcode.NXDOMAIN


def test_messages_come_in_pieces_and_in_heaps(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with front(hotline, state) as node, connected(node) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in framed(question(number=7)):
            stream.sendall(bytes([byte]))
        assert next_message(stream)[:2] == b"\0\7"
        stream.sendall(framed(*(question(number=number) for number in range(300))))
        assert {next_message(stream)[:2] for _ in range(300)} == {struct.pack(">H", number) for number in range(300)}


def test_pipelined_questions_for_the_upstream_all_come_back(hotline: Hotline, state: Path) -> None:
    """More than wait at one time on one connection; listed names overtake the others (RFC 7766 6.2.1.1)."""
    listed(hotline)
    gate = threading.Event()

    def behaviour(message: bytes) -> list[bytes]:
        gate.wait(20)
        return resolver_answer(message)

    with (
        resolving(Resolver(behaviour)) as address,
        front(hotline, state, f'upstream = ["{address}"]\nupstream_seconds = 20') as node,
        connected(node) as stream,
    ):
        stream.sendall(framed(question("zorblat.example", 1), question("host.example", 2)))
        assert next_message(stream)[:2] == b"\0\2"
        stream.sendall(framed(*(question("zorblat.example", number) for number in range(3, 80))))
        gate.set()
        numbers = {struct.unpack(">H", next_message(stream)[:2])[0] for _ in range(78)}
        assert numbers == {1, *range(3, 80)}


def test_a_long_answer_comes_whole_over_tcp(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with resolving(Resolver()) as address, front(hotline, state, f'upstream = ["{address}"]') as node, connected(node) as stream:
        stream.sendall(framed(question("zorblat.example", kind="TXT")))
        assert len(next_message(stream)) > 4000


def test_a_half_closed_client_gets_its_answers(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with resolving(Resolver()) as address, front(hotline, state, f'upstream = ["{address}"]') as node, connected(node) as stream:
        stream.sendall(framed(question("zorblat.example", 3), question(number=4)))
        stream.shutdown(socket.SHUT_WR)
        assert {next_message(stream)[:2], next_message(stream)[:2]} == {b"\0\3", b"\0\4"}
        with pytest.raises(EOFError):
            exactly(stream, 1)


@pytest.mark.parametrize("start", [b"\0\0", b"\0\1a", b"\0\x0b" + b"a" * 11])
def test_a_length_below_a_header_ends_the_connection(hotline: Hotline, state: Path, start: bytes) -> None:
    listed(hotline)
    with front(hotline, state) as node:
        with connected(node) as stream:
            stream.sendall(start)
            with pytest.raises((EOFError, ConnectionResetError)):
                exactly(stream, 1)
        still_answers(node)


@pytest.mark.parametrize("start", [b"", b"\0", b"\xff\xff", framed(question())[:-1]])
def test_silent_and_slow_clients_are_let_go(hotline: Hotline, state: Path, start: bytes) -> None:
    listed(hotline)
    with front(hotline, state, "idle_seconds = 0.2") as node:
        with connected(node) as stream:
            stream.sendall(start)
            with pytest.raises((EOFError, ConnectionResetError)):
                exactly(stream, 1)
        until(lambda: not door_of(node).connections)


def test_a_client_that_never_reads_is_let_go(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with front(hotline, state, "idle_seconds = 0.3") as node:
        with connected(node) as stream:
            stream.setblocking(False)
            flood = framed(*[question()] * 500)
            with pytest.raises((BlockingIOError, ConnectionResetError, BrokenPipeError)):
                while True:
                    stream.send(flood)
            until(lambda: not door_of(node).connections)
        still_answers(node)


def test_no_more_connections_than_allowed(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with front(hotline, state, "connections = 2") as node:
        with connected(node) as one, connected(node) as two:
            for stream in (one, two):
                stream.sendall(framed(question()))
                next_message(stream)
            with connected(node) as three, pytest.raises((EOFError, ConnectionResetError)):
                exactly(three, 1)
            one.sendall(framed(question()))
            assert next_message(one)
        until(lambda: not door_of(node).connections)
        still_answers(node)


def test_strangers_get_no_connection(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    with front(hotline, state, 'clients = ["::1"]') as node:
        with connected(node) as stream, pytest.raises((EOFError, ConnectionResetError)):
            exactly(stream, 1)
        assert not door_of(node).connections


def test_a_storm_of_nonsense_does_no_harm(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    generator = random.Random(7)
    good = question()
    with front(hotline, state) as node:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", door_of(node).port))
            for _ in range(3000):
                raw = bytearray(good)
                for _ in range(generator.randrange(4)):
                    raw[generator.randrange(len(raw))] = generator.randrange(256)
                client.send(bytes(raw[: generator.randrange(len(raw) + 1)]))
            client.send(b"")
            client.send(bytes(65000))
        for _ in range(40):
            with connected(node) as stream:
                stream.sendall(generator.randbytes(generator.randrange(400)))
        still_answers(node)
        assert node.node.traffic.faults == 0


def test_an_answer_is_never_answered(hotline: Hotline, state: Path) -> None:
    """Two servers that answer each other's errors would never stop."""
    listed(hotline)
    with front(hotline, state) as node:
        reply = over_udp(node, question())
        for raw in (reply, reply[:12], b"\0" * 2 + b"\x80" + b"\0" * 9):
            with pytest.raises(TimeoutError):
                over_udp(node, raw, seconds=0.2)
        still_answers(node)


def test_stopping_lets_waiting_questions_finish(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    gate, resolver = threading.Event(), Resolver()

    def behaviour(message: bytes) -> list[bytes]:
        gate.wait(20)
        return resolver_answer(message)

    resolver.behaviour = behaviour
    with resolving(resolver) as address, front(hotline, state, f'upstream = ["{address}"]\nupstream_seconds = 20') as node:
        stream = connected(node)
        stream.sendall(framed(question("zorblat.example")))
        until(lambda: resolver.asked)
        node.service.stop()
        until(lambda: door_of(node).stopping)
        gate.set()
        assert next_message(stream)[3] & 15 == dns.rcode.NOERROR
        stream.close()


def test_nothing_that_was_asked_is_kept(hotline: Hotline, state: Path) -> None:
    """A planted name, listed and not, over both ways and through a fault: in no log, no file, no count."""
    listed(hotline)
    with resolving(Resolver()) as address, front(hotline, state, f'upstream = ["{address}"]') as node:
        for name in ("planted-marker.domain.example", "planted-marker.example"):
            over_udp(node, question(name))
            with connected(node) as stream:
                stream.sendall(framed(question(name)))
                next_message(stream)
        until(lambda: hotline.total("dns_answer") >= 1)
    kept = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file()) + b"".join(hotline.posts)
    assert b"planted-marker" not in kept + node.log.getvalue().encode()
    assert b"127.0.0.1" not in kept
    assert hotline.total("dns_answer") in {1, 2}


def test_over_ipv6(hotline: Hotline, state: Path) -> None:
    listed(hotline)
    resolver = Resolver()
    with resolving(resolver) as address, front(hotline, state, f'host = "::1"\nupstream = ["{address}"]') as node:
        port = door_of(node).port
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
            client.settimeout(20)
            client.connect(("::1", port))
            for name, rcode in (("host.example", dns.rcode.NXDOMAIN), ("zorblat.example", dns.rcode.NOERROR)):
                client.send(question(name))
                assert client.recv(65535)[3] & 15 == rcode
        with socket.create_connection(("::1", port), timeout=20) as stream:
            stream.sendall(framed(question()))
            assert next_message(stream)[3] & 15 == dns.rcode.NXDOMAIN


def test_a_taken_port_is_said_plainly() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(UnavailableError) as caught:
            sockets_at("127.0.0.1", other.getsockname()[1])
    assert caught.value.code == "port_taken"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("10.1.2.3", True),
        ("10.2.0.0", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1%eth0", True),
        ("2001:db9::1", False),
        ("::a01:203", False),
        ("zorblat", False),
    ],
)
def test_networks_of_clients(host: str, allowed: bool) -> None:
    assert Clients(("10.1.0.0/16", "2001:db8::/32")).may_ask(host) == allowed


@pytest.mark.parametrize(
    ("setting", "where"),
    [
        ('host = "zorblat"', "dns.host"),
        ("port = 65536", "dns.port"),
        ('clients = ["zorblat"]', "dns.clients"),
        ('upstream = ["resolver.example"]', "dns.upstream"),
        ('upstream = ["192.0.2.1:0"]', "dns.upstream"),
        ('port = 53\nupstream = ["127.0.0.1"]', "dns.upstream"),
        ("upstream_seconds = 0", "dns.upstream_seconds"),
        ("waiting = 0", "dns.waiting"),
        ('answer = "page"', "dns.page_addresses"),
        ('page_addresses = ["192.0.2.1"]', "dns.page_addresses"),
        ('answer = "page"\npage_addresses = ["zorblat"]', "dns.page_addresses"),
        (f'explanation_text = "{"ä" * 51}"', "dns.explanation_text"),
        ("ttl_seconds = -1", "dns.ttl_seconds"),
        ("udp_bytes = 511", "dns.udp_bytes"),
        ("idle_seconds = 0", "dns.idle_seconds"),
        ("connections = 0", "dns.connections"),
    ],
)
def test_settings_that_cannot_be_used_are_named(setting: str, where: str) -> None:
    text = f'node = "n-1"\nstate = "state"\n[editions]\nsource = "published"\n[dns]\n{setting}\n'
    with pytest.raises(InputError) as caught:
        config.parse(text.encode())
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("192.0.2.1:", None),
        ("192.0.2.1:65536", None),
        ("[2001:db8::1]x", None),
        ("", None),
    ],
)
def test_addresses_of_resolvers(text: str, endpoint: tuple[str, int] | None) -> None:
    assert config.endpoint_of(text) == endpoint

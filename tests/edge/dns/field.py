"""Around the DNS door: a resolver to stand behind it, and clients that speak bytes."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
from tests.edge.world import Hotline, RunningNode, config_text, running, until, url_entry

from vigil.edge.dns.server import DnsDoor
from vigil.match.urls import EntryFlag, Scope

HOST, DOMAIN, PAGE = "host.example", "domain.example", "page.example"
Behaviour = Callable[[bytes], list[bytes]]


def listed(hotline: Hotline) -> None:
    """An edition with one entry of each kind that matters here."""
    hotline.publish(
        url_entry(1, f"http://{PAGE}/quimber"),
        url_entry(2, f"http://{DOMAIN}/", Scope.DOMAIN),
        url_entry(3, f"http://{HOST}/", Scope.HOST),
        url_entry(4, "http://skipped.example/", Scope.DOMAIN, flags=EntryFlag.HOST_ONLY_SKIPPED),
        url_entry(5, "http://folder.example/", Scope.PREFIX),
        url_entry(6, "http://bücher.example/", Scope.HOST),
        url_entry(7, "http://probe.example/", Scope.HOST, labels=("test",)),
        url_entry(8, "http://192.0.2.7/", Scope.IP),
    )


def resolver_answer(message: bytes) -> list[bytes]:
    """What the resolver in these tests says: 192.0.2.1 for everything, NXDOMAIN under ``gone.``; the question as it came."""
    query = dns.message.from_wire(message)
    answer = dns.message.make_response(query, recursion_available=True)
    [question] = query.question
    if question.name.labels[0] == b"gone":
        answer.set_rcode(3)
    elif question.rdtype == dns.rdatatype.A:
        answer.answer.append(dns.rrset.from_text(question.name, 77, "IN", "A", "192.0.2.1"))
    elif question.rdtype == dns.rdatatype.TXT:
        texts = " ".join(f'"{"quimber" * 30}{number}"' for number in range(20))
        answer.answer.append(dns.rrset.from_text(question.name, 77, "IN", "TXT", texts))
    return [answer.to_wire(max_size=65535)]


class Resolver:
    """A resolver on loopback, UDP and TCP on one port, that behaves as told and keeps what it was asked."""

    def __init__(self, behaviour: Behaviour = resolver_answer) -> None:
        self.behaviour = behaviour
        self.asked: list[bytes] = []
        self.ports: list[int] = []
        self.port = 0

    def answer(self, message: bytes, port: int, most: int) -> list[bytes]:
        """All answers to one message, cut to TC where they are too long."""
        self.asked.append(message)
        self.ports.append(port)
        return [each if len(each) <= most else cut(each) for each in self.behaviour(message)]


def cut(answer: bytes) -> bytes:
    whole = dns.message.from_wire(answer)
    short = dns.message.make_response(dns.message.make_query(whole.question[0].name, whole.question[0].rdtype, id=whole.id))
    short.flags |= dns.flags.TC
    return short.to_wire()


def both(over_tcp: type, over_udp: type) -> tuple[socketserver.ThreadingTCPServer, socketserver.ThreadingUDPServer]:
    """Servers on one port that is free for TCP and UDP."""
    for _ in range(20):
        tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), over_tcp)
        try:
            return tcp, socketserver.ThreadingUDPServer(("127.0.0.1", tcp.server_address[1]), over_udp)
        except OSError:
            tcp.server_close()
    raise AssertionError("no port is free for both")


@contextmanager
def resolving(resolver: Resolver) -> Iterator[str]:
    """The resolver's address, while it answers."""

    class OverUdp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            message, own = self.request
            for each in resolver.answer(message, self.client_address[1], 1232):
                own.sendto(each, self.client_address)

    class OverTcp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            size = struct.unpack(">H", exactly(self.request, 2))[0]
            for each in resolver.answer(exactly(self.request, size), self.client_address[1], 65535):
                self.request.sendall(struct.pack(">H", len(each)) + each)

    with ExitStack() as stack:
        tcp, udp = both(OverTcp, OverUdp)
        stack.enter_context(tcp)
        stack.enter_context(udp)
        resolver.port = tcp.server_address[1]
        for server in (udp, tcp):
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield f"127.0.0.1:{resolver.port}"


@contextmanager
def front(hotline: Hotline, state: Path, settings: str = "", more: str = "", *, edition: bool = True) -> Iterator[RunningNode]:
    """A node with the DNS door open on any port; ``settings`` are lines of the table ``[dns]``."""
    text = config_text(hotline, state, f"[dns]\nenabled = true\nport = 0\n{settings}\n{more}")
    with running(text) as node:
        until(lambda: door_of(node).port and (not edition or node.node.state.enforced is not None))
        until(lambda: node.ask("GET", "/healthz").status == 200)
        yield node


def door_of(node: RunningNode) -> DnsDoor:
    """The DNS door of a running node."""
    door = node.service.dns
    assert door is not None
    return door


def over_udp(node: RunningNode, message: bytes, seconds: float = 20.0) -> bytes:
    """One datagram there, one back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds)
        client.connect(("127.0.0.1", door_of(node).port))
        client.send(message)
        return client.recv(65535)


def connected(node: RunningNode) -> socket.socket:
    """A TCP connection to the door."""
    return socket.create_connection(("127.0.0.1", door_of(node).port), timeout=20)


def framed(*messages: bytes) -> bytes:
    """Messages behind their lengths."""
    return b"".join(struct.pack(">H", len(each)) + each for each in messages)


def exactly(stream: socket.socket, size: int) -> bytes:
    """So many bytes, or an EOFError."""
    parts = b""
    while len(parts) < size:
        part = stream.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts


def next_message(stream: socket.socket) -> bytes:
    """The next framed message."""
    return exactly(stream, struct.unpack(">H", exactly(stream, 2))[0])

"""The SPOE door of a running node: verdicts, bounds, and nobody recorded."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.edge.spoe import peer
from tests.edge.world import Hotline, RunningNode, config_text, running, until, url_entry

from vigil.edge.counts import CountClass
from vigil.edge.spoe.server import SpoeDoor
from vigil.match.urls import EntryFlag, Scope


@contextmanager
def agent(hotline: Hotline, state: Path, settings: str = "", more: str = "") -> Iterator[RunningNode]:
    """A node with the SPOE door open on any port."""
    with running(config_text(hotline, state, f"[spoe]\nenabled = true\nport = 0\n{settings}\n{more}")) as node:
        until(lambda: node.ask("GET", "/healthz").status == 200)
        if hotline.number:
            until(lambda: node.node.state.enforced is not None)
        yield node


def door_of(node: RunningNode) -> SpoeDoor:
    door = node.service.spoe
    assert door is not None
    return door


@contextmanager
def connected(node: RunningNode) -> Iterator[socket.socket]:
    """A connection after its handshake."""
    with socket.create_connection(("127.0.0.1", door_of(node).port), timeout=20) as stream:
        stream.sendall(peer.hello())
        greeting = peer.got(stream)
        assert greeting is not None and greeting.kind == peer.AGENT_HELLO
        yield stream


def asked(node: RunningNode, **arguments: peer.Value) -> tuple[bytes, bytes]:
    """Verdict and action on one request."""
    with connected(node) as stream:
        stream.sendall(peer.notify(7, 3, **arguments))
        answer = peer.got(stream)
    assert answer is not None and (answer.kind, answer.stream, answer.number) == (peer.ACK, 7, 3)
    return answer.variables["verdict"], answer.variables["action"]


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    hotline.publish(
        url_entry(1, "http://page.example/quimber"),
        url_entry(2, "http://domain.example/", Scope.DOMAIN),
    )
    with agent(hotline, state) as node:
        yield node


def test_requests_get_their_variables(node: RunningNode) -> None:
    get: dict[str, peer.Value] = {"method": b"GET", "tls": False}
    assert asked(node, **get, target=b"/quimber", host=b"page.example") == (b"listed", b"block")
    assert asked(node, **get, target=b"/other", host=b"page.example") == (b"not_listed", b"pass")
    assert asked(node, **get, target=b"http://other.example/", host=b"www.domain.example") == (b"listed", b"block")
    assert asked(node, method=b"CONNECT", target=b"domain.example:443", host=b"domain.example:443") == (b"listed", b"block")
    assert asked(node, method=b"CONNECT", target=b"page.example:443") == (b"not_listed", b"pass")
    assert asked(node, **get, target=b"/quimber") == (b"unknown", b"refuse")
    assert asked(node, **get, target=b"/", host=b"xn--a.%20.example") == (b"unknown", b"refuse")
    assert asked(node, target=b"/", host=b"page.example") == (b"unknown", b"refuse")
    assert asked(node, **get, target=b"/a b", host=b"page.example") == (b"unknown", b"refuse")
    totals = node.node.tally.totals()
    assert totals[("urls", CountClass.UNDETERMINED)] == 3 and totals[("*", CountClass.UNKNOWN)] == 4


def test_the_scheme_of_a_request_is_what_haproxy_says_of_tls(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, "https://page.example/quimber", flags=EntryFlag.SCHEME_EXACT))
    with agent(hotline, state) as node:
        get: dict[str, peer.Value] = {"method": b"GET", "target": b"/quimber", "host": b"page.example"}
        assert asked(node, **get, tls=True) == (b"listed", b"block")
        assert asked(node, **get, tls=False) == (b"not_listed", b"pass")
        assert asked(node, **get) == (b"listed", b"block"), "either may be meant"


def test_policy_and_open_doors(hotline: Hotline, state: Path) -> None:
    more = '[[policy.rules]]\ndoors = ["spoe"]\naction = "deny"\n'
    with agent(hotline, state, 'on_unknown = "pass"', more) as node:
        get: dict[str, peer.Value] = {"method": b"GET", "target": b"/quimber", "host": b"page.example"}
        assert asked(node, **get) == (b"unknown", b"pass"), "no edition yet"
        assert node.node.tally.totals()[("*", CountClass.BYPASSED)] == 1
        hotline.publish(url_entry(1, "http://page.example/quimber"))
        until(lambda: node.node.state.enforced is not None)
        assert asked(node, **get) == (b"listed", b"deny")


def test_pipelined_questions_are_answered_in_one_go(node: RunningNode) -> None:
    with connected(node) as stream:
        stream.sendall(b"".join(peer.notify(n, method=b"GET", target=b"/", host=b"a%d.example" % n) for n in range(500)))
        found = [peer.got(stream) for _ in range(500)]
        assert [each.stream for each in found if each] == list(range(500))
        stream.sendall(peer.frame(peer.DISCONNECT, peer.pairs(status_code=0, message=b"bye")))
        last = peer.got(stream)
        assert last is not None and (last.kind, last.status) == (peer.AGENT_DISCONNECT, 0)
        assert peer.got(stream) is None


def test_slow_silent_and_too_many(hotline: Hotline, state: Path) -> None:
    hotline.publish()
    with agent(hotline, state, "idle_seconds = 0.3\nhello_seconds = 0.3\nconnections = 5") as node:
        with socket.create_connection(("127.0.0.1", door_of(node).port), timeout=20) as stream:
            stream.sendall(peer.hello()[:10])
            last = peer.got(stream)
            assert last is not None and (last.kind, last.status) == (peer.AGENT_DISCONNECT, 2)
        with connected(node) as stream:
            last = peer.got(stream)
            assert last is not None and last.status == 0, "idle"
        crowd = [socket.create_connection(("127.0.0.1", door_of(node).port), timeout=20) for _ in range(8)]
        assert sum(ended(stream) for stream in crowd) >= 3
        for stream in crowd:
            stream.close()
        until(lambda: not door_of(node).connections)
        assert asked(node, method=b"GET", target=b"/", host=b"a.example") == (b"not_listed", b"pass")
        assert node.node.traffic.faults == 0


def ended(stream: socket.socket) -> bool:
    """Ended without a word, and not by the silence that ends all of them."""
    try:
        return stream.recv(1) == b""
    except ConnectionError:
        return True


def test_a_fault_of_ours_is_said_and_logged_without_the_address(node: RunningNode) -> None:
    door_of(node).desk._choice = None  # type: ignore[assignment]
    door_of(node).desk._node = None  # type: ignore[assignment]
    with connected(node) as stream:
        stream.sendall(peer.notify(1, method=b"GET", target=b"/quimber", host=b"page.example"))
        last = peer.got(stream)
        assert last is not None and (last.kind, last.status) == (peer.AGENT_DISCONNECT, 99)
    assert node.node.traffic.faults == 1
    assert "quimber" not in node.log.getvalue() and "page.example" not in node.log.getvalue()

"""Slow, silent, half-closed, smuggling and greedy clients: bounded, answered by the protocol's own error, the node stays up."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.edge.world import Hotline, RunningNode, config_text, running, until, url_entry

PAGE = "http://quimber.example/zorblat"
LIMITS = """[limits]
header_seconds = 0.4
idle_seconds = 0.6
body_seconds = 0.5
header_bytes = 4096
connections = 20
"""


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    hotline.publish(url_entry(1, PAGE))
    with running(config_text(hotline, state, LIMITS)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        yield node
        assert node.verdict_on(PAGE)["verdict"] == "listed"  # whatever came before
        assert node.node.traffic.faults == 0


def connect(node: RunningNode) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", node.port), timeout=20)
    connection.settimeout(20)
    return connection


def talk(node: RunningNode, *pieces: bytes) -> bytes:
    """Send the pieces, then read until the node ends the connection."""
    with connect(node) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the node had heard enough
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def code_of(answer: bytes) -> tuple[int, str]:
    """Status and code of the last answer."""
    head, _, body = answer.rpartition(b"\r\n\r\n")
    return int(head.rpartition(b"HTTP/1.1 ")[2][:3]), json.loads(body)["code"]


def test_a_head_that_drips_is_ended(node: RunningNode) -> None:
    assert code_of(talk(node, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-")) == (408, "head_slow")


def test_a_second_head_that_drips_is_ended_too(node: RunningNode) -> None:
    whole = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    assert code_of(talk(node, whole, b"GET /hea")) == (408, "head_slow")


def test_a_silent_connection_is_ended(node: RunningNode) -> None:
    assert talk(node) == b""


def test_a_body_that_drips_is_ended(node: RunningNode) -> None:
    head = b"POST /v1/url HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    assert code_of(talk(node, head)) == (408, "body_slow")
    chunked = head.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked")[:-1] + b"5\r\n{    \r\n"
    assert code_of(talk(node, chunked)) == (408, "body_slow")


def test_a_head_without_end_is_ended(node: RunningNode) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
    assert code_of(talk(node, head, *[b"X-A: " + b"b" * 900 + b"\r\n"] * 8)) == (431, "head_too_large")
    assert code_of(talk(node, b"GET /" + b"a" * 3000, b"a" * 3000)) == (431, "head_too_large")


def test_a_body_that_nobody_asked_for_ends_the_connection(node: RunningNode) -> None:
    answer = talk(node, b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nxx")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"zorblat\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50,
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/url HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/url HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"CONNECT quimber.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_clean_http_is_refused(node: RunningNode, request_bytes: bytes) -> None:
    answer = talk(node, request_bytes)
    assert answer.startswith(b"HTTP/1.1 4")
    assert b"application/problem+json" in answer
    assert b"quimber" not in answer


def test_half_closed_clients_cost_nothing(node: RunningNode) -> None:
    for piece in (b"", b"GET /heal", b"POST /v1/url HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"):
        with connect(node) as connection:
            connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)
    until(lambda: not node.service._server.server_state.connections)


def test_clients_that_leave_in_the_middle_are_forgotten(node: RunningNode) -> None:
    head = b"POST /v1/match HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 100000\r\n\r\n"
    for _ in range(30):
        with connect(node) as connection:
            connection.sendall(head + b"x" * 1000)
    until(lambda: node.service.door._media == 0)


def asked(target: str, *more: str) -> bytes:
    return "\r\n".join((f"GET {target} HTTP/1.1", "Host: a", *more, "", "")).encode()


def said(answer: bytes) -> list[tuple[bytes, bytes]]:
    """Status line and body of each answer in a stream of them."""
    found = []
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append((head.partition(b"\r\n")[0], rest[:length]))
        answer = rest[length:]
    return found


def test_however_requests_are_mixed_and_cut_each_has_its_answer_in_order(node: RunningNode) -> None:
    """Some are answered by one look, some parsed, some are tasks: the same question has the same answer each way."""
    usual, digest = "/v1/match?type=pdq&value=" + "0f" * 32, "/v1/match?type=md5&value=" + "ab" * 16
    targets = [usual, digest, digest.replace("ab", "zz"), "/v1/match?type=pdq", "/v1/match?type=nonesuch&value=00", "/healthz"]
    targets += [usual.replace("match", "m%61tch"), digest.replace("type", "t%79pe"), "/v1/match?value=" + "0f" * 32 + "&type=pdq"]
    end = asked("/healthz", "Connection: close")
    alone = {target: said(talk(node, asked(target), end))[0] for target in targets}
    assert alone[usual] == alone[targets[6]] == alone[targets[8]] and alone[digest] == alone[targets[7]]
    chance = random.Random(20261129)  # the mixes are the same in each run
    for _ in range(40):
        mix = chance.choices(targets, k=chance.randint(1, 9))
        stream = b"".join(asked(target, *chance.choice([(), ("Connection: keep-alive",)])) for target in mix) + end
        places = sorted(chance.sample(range(1, len(stream)), 3))
        pieces = [stream[a:b] for a, b in pairwise([0, *places, len(stream)])]
        assert said(talk(node, *pieces))[:-1] == [alone[target] for target in mix]


def test_who_reads_no_answers_is_not_read_from(node: RunningNode) -> None:
    """What waits for a client that only asks is bounded, and it is let go."""
    many, most, open_now = asked("/v1/match?type=md5&value=" + "ab" * 16) * 200, 0, node.service._server.server_state.connections
    until(lambda: not open_now)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.05)
        connection.connect(("127.0.0.1", node.port))
        until(lambda: len(open_now) > 0)
        left = memoryview(many)
        while open_now:
            try:
                left = left[connection.send(left) :] or memoryview(many)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            finally:
                most = max([most, *(each.transport.get_write_buffer_size() for each in list(open_now))])
        until(lambda: not open_now)
    assert 0 < most < 1_100_000  # the answers to what the loop reads at once (256 kB), and 64 kB


def test_pipelined_requests_are_answered_in_order(node: RunningNode) -> None:
    body = json.dumps({"url": PAGE}).encode()
    one = b"POST /v1/url HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    last = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = talk(node, one * 5 + last)
    assert answer.count(b'"listed"') == 5
    assert answer.endswith(b'{"status":"alive"}')


def test_more_connections_than_allowed_are_turned_away(node: RunningNode) -> None:
    idle = [connect(node) for _ in range(30)]
    try:
        answers = [read_all(connection) for connection in idle]
    finally:
        for connection in idle:
            connection.close()
    refused = [answer for answer in answers if answer]
    assert len(refused) == 10
    assert {code_of(answer) for answer in refused} == {(503, "connections")}


def test_an_answer_that_nobody_reads_does_not_hold_the_connection(node: RunningNode) -> None:
    body = json.dumps({"urls": [PAGE] * 1000}).encode()
    head = b"POST /v1/url HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(5)
    connection.connect(("127.0.0.1", node.port))
    try:
        for _ in range(100):
            connection.sendall(head + body)
    except OSError:
        pass  # the node stopped listening to it
    until(lambda: not node.service._server.server_state.connections)
    connection.close()

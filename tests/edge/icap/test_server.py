"""The ICAP door of a running node: verdicts, counts, editions that change; slow, silent, half-closed and greedy clients."""

from __future__ import annotations

import io
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.edge.icap.messages import PAGE, answer, chunked, http, options, reqmod, respmod
from tests.edge.world import (
    Hotline,
    RunningNode,
    as_jpeg,
    config_text,
    drawn_picture,
    flat_picture,
    hash_entry,
    running,
    sha256,
    until,
    url_entry,
)

from vigil.edge.counts import CountClass
from vigil.match.hashing import pdq
from vigil.match.urls import Scope

PICTURE = drawn_picture(3)
OTHER = http("http://other.example/")
ICAP = "[icap]\nenabled = true\nport = 0\nidle_seconds = 0.8\nconnections = 20\nearly_head_bytes = 0\n"
LIMITS = "[limits]\nheader_seconds = 0.5\nbody_seconds = 0.7\nheader_bytes = 8192\nmedia_bytes = 3000000\ndrain_seconds = 3\n"


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    with started(hotline, state, ICAP + LIMITS) as node:
        yield node
        with connect(node) as connection:  # whatever came before
            assert status(say(connection, reqmod())) == (200, 451)
        assert node.node.traffic.faults == 0
        assert "zorblat" not in node.log.getvalue()


class started:  # noqa: N801  reads as a function
    """A node with an edition in force and its ICAP door open."""

    def __init__(self, hotline: Hotline, state: Path, more: str) -> None:
        if not hotline.number:
            hotline.publish(
                url_entry(1, PAGE),
                url_entry(2, "http://domain.example/", Scope.DOMAIN),
                hash_entry(7, "sha256", sha256(PICTURE)),
                hash_entry(8, "pdq", pdq_of(PICTURE)),
            )
        self._running = running(config_text(hotline, state, more))

    def __enter__(self) -> RunningNode:
        node = self._running.__enter__()
        until(lambda: node.node.state.enforced is not None and node.service.icap is not None and node.service.icap.port)
        return node

    def __exit__(self, *problem: object) -> None:
        self._running.__exit__(*problem)  # type: ignore[arg-type]


def pdq_of(data: bytes) -> bytes:
    return pdq.hash_rgb(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))[0]


def connect(node: RunningNode) -> socket.socket:
    assert node.service.icap is not None
    connection = socket.create_connection(("127.0.0.1", node.service.icap.port), timeout=20)
    connection.settimeout(20)
    return connection


def say(connection: socket.socket, *pieces: bytes) -> bytes:
    """Send the pieces and read one whole answer."""
    for piece in pieces:
        connection.sendall(piece)
    seen = b""
    while not whole(seen):
        part = connection.recv(65536)
        if not part:
            return seen
        seen += part
    return seen


def whole(seen: bytes) -> bool:
    """No body, or the last chunk."""
    head, end, _ = seen.partition(b"\r\n\r\n")
    if not end:
        return False
    if b"-body=" not in head or b"null-body" in head:
        size = re.search(rb"null-body=(\d+)", head)
        return len(seen) >= len(head) + 4 + (int(size[1]) if size else 0)
    return seen.endswith(b"\r\n0\r\n\r\n")


def status(answer: bytes) -> tuple[int, int]:
    """Of ICAP and of the HTTP answer in it; 0 for none."""
    outer = re.match(rb"ICAP/1.0 (\d+)", answer)
    inner = re.search(rb"\r\n\r\nHTTP/1.1 (\d+)", answer)
    return int(outer[1]) if outer else 0, int(inner[1]) if inner else 0


def read_all(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def ask(node: RunningNode, *pieces: bytes) -> tuple[int, int]:
    with connect(node) as connection:
        return status(say(connection, *pieces))


def counted(node: RunningNode) -> dict[str, int]:
    return {kind.value: number for (_, kind), number in node.node.tally.totals().items()}


def test_a_listed_page_gets_the_block_page_with_strict_headers(node: RunningNode) -> None:
    with connect(node) as connection:
        page = say(connection, reqmod(http(PAGE, "Accept-Language: nl", "Sec-Fetch-Dest: document")))
        assert status(say(connection, reqmod(OTHER))) == (204, 0)
    assert status(page) == (200, 451)
    for line in (b"content-language: nl", b"cache-control: no-store", b"x-content-type-options: nosniff", b"lang=\"nl\""):
        assert line in page
    assert b"default-src 'none'" in page
    assert b"zorblat" not in page
    assert counted(node) == {"navigation": 1}


def test_a_part_of_a_page_and_a_head_request_get_no_body(node: RunningNode) -> None:
    for head in (http(PAGE, "Sec-Fetch-Dest: image"), http(PAGE, method="HEAD")):
        with connect(node) as connection:
            page = say(connection, reqmod(head))
        assert status(page) == (200, 451)
        assert b"content-length: 0\r\n" in page
        assert b"null-body=" in page


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (http("http://other.example/zorblat"), (200, 451)),  # the Host is listed
        (http(host="other.example"), (200, 451)),  # the target is
        (http("/zorblat"), (200, 451)),
        (http("/other"), (204, 0)),
        (http("domain.example:443", method="CONNECT", host="domain.example:443"), (200, 451)),
        (http("quimber.example:443", method="CONNECT", host="quimber.example:443"), (204, 0)),
        (http("other.example:443", method="CONNECT", host="domain.example"), (200, 451)),
        (http(PAGE, "Host: other.example"), (200, 400)),
        (http(host=None), (200, 451)),
        (http("/zorblat", host=None), (200, 400)),
        (http("http://276.2.3/"), (200, 400)),
        (http("ftp://other.example/"), (200, 400)),
        (b"zorblat\r\n\r\n", (200, 400)),
    ],
)
def test_every_reading_of_a_request_is_judged(node: RunningNode, head: bytes, expected: tuple[int, int]) -> None:
    assert ask(node, reqmod(head)) == expected


def test_what_cannot_be_read_passes_only_where_chosen_and_is_counted(hotline: Hotline, state: Path) -> None:
    with started(hotline, state, ICAP + 'on_unknown = "pass"\n') as node:
        assert ask(node, reqmod(http("http://276.2.3/", host=None))) == (204, 0)
        assert ask(node, reqmod(http("/", "Host: a.example"))) == (200, 400)  # two meanings: never
        assert counted(node) == {"unknown": 2, "bypassed": 1}


@pytest.mark.parametrize(("choice", "expected"), [("refuse", (200, 503)), ("pass", (204, 0))])
def test_without_an_edition_it_does_as_was_chosen(
    hotline: Hotline, state: Path, choice: str, expected: tuple[int, int]
) -> None:
    with running(config_text(hotline, state, ICAP + f'on_unknown = "{choice}"\n')) as node:
        until(lambda: node.service.icap is not None and node.service.icap.port)
        assert ask(node, reqmod()) == expected
        assert ask(node, respmod(chunked(PICTURE))) == expected
        assert counted(node) == {"unknown": 2} | ({"bypassed": 2} if choice == "pass" else {})


@pytest.mark.parametrize(
    ("data", "head", "expected"),
    [
        (PICTURE, answer(), (200, 451)),
        (as_jpeg(PICTURE), answer(kind="image/jpeg"), (200, 451)),
        (as_jpeg(PICTURE), answer(kind="text/html"), (200, 451)),
        (drawn_picture(9), answer(), (204, 0)),
        (b"zorblat " * 1000, answer(kind="text/html"), (204, 0)),
        (flat_picture(), answer(), (204, 0)),
        (PICTURE, answer("Content-Encoding: gzip"), (204, 0)),
        (PICTURE[:3000], answer(status="206 Partial Content"), (204, 0)),
        (PICTURE + bytes(3_000_000), answer(), (204, 0)),
    ],
)
def test_files_are_judged_by_their_hashes(node: RunningNode, data: bytes, head: bytes, expected: tuple[int, int]) -> None:
    assert ask(node, respmod(chunked(data, 50_000), head=head)) == expected
    with connect(node) as connection:
        first = say(connection, respmod(chunked(data[:1024], 1024), "Preview: 1024", head=head, allow=False))
        if first.startswith(b"ICAP/1.0 100"):
            first = say(connection, chunked(data[1024:], 50_000))
        assert status(first)[1] in (expected[1], 200)
    assert node.service.icap is not None
    assert node.service.icap.desk.budget.left == node.node.config.file.icap.bodies_bytes


def test_files_that_cannot_be_looked_into_are_refused_where_chosen(hotline: Hotline, state: Path) -> None:
    with started(hotline, state, ICAP + 'on_unknown_media = "refuse"\n') as node:
        assert ask(node, respmod(chunked(PICTURE), head=answer("Content-Encoding: gzip"))) == (200, 403)
        assert ask(node, respmod(chunked(drawn_picture(9)))) == (204, 0)
        assert counted(node) == {"unknown": 1}


def test_a_new_edition_has_another_tag_and_is_enforced_on_kept_connections(hotline: Hotline, node: RunningNode) -> None:
    with connect(node) as connection:
        before = re.search(rb"ISTag: (\S+)", say(connection, options()))
        assert status(say(connection, reqmod(OTHER))) == (204, 0)
        hotline.publish(url_entry(1, PAGE), url_entry(5, "http://other.example/"))

        def blocked() -> bool:
            return status(say(connection, reqmod(OTHER))) == (200, 451)

        until(blocked)
        after = re.search(rb"ISTag: (\S+)", say(connection, options()))
    assert before and after and before[1] != after[1]
    assert re.fullmatch(rb'"[\x21\x23-\x7e]{1,30}"', after[1])


def test_many_requests_in_one_go_are_answered_in_order(node: RunningNode) -> None:
    stream = (reqmod(OTHER) + reqmod() + respmod(chunked(PICTURE))) * 5 + reqmod(OTHER, None, "Connection: close")
    with connect(node) as connection:
        connection.sendall(stream)
        seen = read_all(connection)
    assert re.findall(rb"^ICAP/1.0 (\d+)", seen, re.MULTILINE) == [b"204", b"200", b"200"] * 5 + [b"204"]


def test_one_byte_at_a_time(node: RunningNode) -> None:
    with connect(node) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = reqmod()
        assert status(say(connection, *(stream[at : at + 1] for at in range(len(stream))))) == (200, 451)


def test_a_client_that_closes_its_half_gets_its_answer(node: RunningNode) -> None:
    with connect(node) as connection:
        connection.sendall(respmod(chunked(PICTURE)))
        connection.shutdown(socket.SHUT_WR)
        assert status(read_all(connection)) == (200, 451)
    with connect(node) as connection:
        connection.sendall(respmod(chunked(PICTURE))[:-10])
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((), b""),
        ((reqmod()[:30],), b"ICAP/1.0 408"),
        ((respmod(chunked(PICTURE), "Preview: 9000")[:600],), b"ICAP/1.0 408"),
        ((b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",), b"ICAP/1.0 400"),
        ((options("reqmod", "X: " + "a" * 9000),), b"ICAP/1.0 400"),
        ((options().replace(b"1.0", b"1.1"),), b"ICAP/1.0 505"),
        ((options("zorblat"),), b"ICAP/1.0 404"),
    ],
)
def test_what_is_slow_silent_or_foreign_is_ended(node: RunningNode, pieces: tuple[bytes, ...], expected: bytes) -> None:
    with connect(node) as connection:
        for piece in pieces:
            connection.sendall(piece)
        assert read_all(connection)[:12] == expected


def test_a_head_that_drips_is_ended_although_it_never_stops(node: RunningNode) -> None:
    with connect(node) as connection:
        pause = threading.Event()
        try:
            for _ in range(200):
                connection.sendall(b"X")
                pause.wait(0.05)
        except (BrokenPipeError, ConnectionResetError):
            return
    raise AssertionError("it was heard for ten seconds")


def test_a_slow_file_goes_its_way_and_is_counted(node: RunningNode) -> None:
    stream = respmod(chunked(PICTURE))
    with connect(node) as connection:
        assert status(say(connection, stream[:-400])) == (204, 0)  # after body_seconds
        connection.sendall(stream[-400:] + reqmod())
        assert status(say(connection)) == (200, 451)
    assert counted(node)["bypassed"] == 1


def test_idle_connections_are_bounded_and_the_node_stays_up(node: RunningNode) -> None:
    crowd = [connect(node) for _ in range(25)]
    try:
        refused = [read_all(connection) for connection in crowd[20:]]
        assert {answer[:12] for answer in refused} == {b"ICAP/1.0 503"}
        assert all(read_all(connection) == b"" for connection in crowd[:20])  # after idle_seconds
    finally:
        for connection in crowd:
            connection.close()


def test_a_client_that_does_not_read_its_answers_is_dropped(node: RunningNode) -> None:
    with connect(node) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        try:
            while True:
                connection.sendall(reqmod() * 50)
        except (BrokenPipeError, ConnectionResetError):
            return
        except TimeoutError:
            raise AssertionError("the node neither read nor ended the connection") from None


def test_a_vanished_client_leaves_nothing_behind(node: RunningNode) -> None:
    assert node.service.icap is not None
    for _ in range(5):
        connection = connect(node)
        connection.sendall(respmod(chunked(PICTURE)))
        connection.close()
    with connect(node) as connection:
        connection.sendall(respmod(chunked(PICTURE))[:-100])
    until(lambda: not node.service.icap.connections)  # type: ignore[union-attr]
    assert node.service.icap.desk.budget.left == node.node.config.file.icap.bodies_bytes


def test_a_stop_lets_a_running_request_finish(hotline: Hotline, state: Path) -> None:
    with started(hotline, state, ICAP + LIMITS) as node:
        idle, busy = connect(node), connect(node)
        with idle, busy:
            until(lambda: node.service.icap is not None and len(node.service.icap.connections) == 2)
            stream = reqmod(OTHER, chunked(b"zorblat" * 100), allow=False)
            busy.sendall(stream[:-50])
            assert busy.recv(65536).startswith(b"ICAP/1.0 200")
            node.service.stop()
            assert read_all(idle) == b""
            busy.sendall(stream[-50:])
            assert read_all(busy).endswith(b"0\r\n\r\n")


def test_nobody_is_recorded(node: RunningNode) -> None:
    lines = ("X-Client-IP: 192.0.2.77", "X-Client-Username: mallory", "X-Authenticated-User: bWFsbG9yeQ==")
    assert ask(node, reqmod(None, None, *lines)) == (200, 451)
    exported = node.ask("GET", "/metrics").body.decode() + node.log.getvalue()
    for trace in ("192.0.2.77", "mallory", "bWFsbG9yeQ", "quimber"):
        assert trace not in exported
    assert CountClass.UNDETERMINED.value in counted(node)


def test_the_door_is_closed_unless_configured(hotline: Hotline, state: Path) -> None:
    hotline.publish()
    with running(config_text(hotline, state)) as node:
        assert node.service.icap is None

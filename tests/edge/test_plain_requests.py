"""The short ways say what the long ones say: one look at a request, an answer without a task, a head that is kept."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.world import Hotline, RunningNode, config_text, running, until, url_entry

from vigil.base.limits import URL_BYTES
from vigil.edge.icap import wire
from vigil.edge.questions import UrlQuestion
from vigil.edge.readings import Unreadable, plain_address, plain_host, readings_of, request_head

HOSTS = st.sampled_from(["a.example", "A.example", "b.example", "a.example:80", "a.example.", "", "a b", "xn--a.example"])
NAMES = st.sampled_from(["Host", "host", "HOST", "Host ", " Host", "Accept", "X", "ho\rst", "X\0", "Host\t", "X-Host"])
TARGETS = st.sampled_from(
    [
        "http://a.example/",
        "http://a.example/x?y=1",
        "http://a.example",
        "/x",
        "http://A.example/",
        "https://a.example/",
        "*",
        "http:///",
        "http://a.example:80/",
        "a.example:443",
        "http://u@a.example/",
        "http://a.example/\\x",
        "http://a.example/a%20b",
    ]
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "CONNECT", "get", "PURGE", "G ET"])
ENDS = st.sampled_from(["\r\n", "\n", "\r\n ", "\r"])
LINES = st.lists(st.tuples(NAMES, HOSTS, ENDS), max_size=4)


@given(METHODS, TARGETS, st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 "]), LINES, st.booleans())
def test_one_look_sees_what_reading_with_care_sees(
    method: str, target: str, version: str, lines: list[tuple[str, str, str]], host: bool
) -> None:
    rows = [("Host", "a.example", "\r\n")] * host + lines
    block = f"{method} {target} {version}\r\n" + "".join(f"{name}: {value}{end}" for name, value, end in rows) + "\r\n"
    address = plain_address(block.encode())
    assert (plain_host(block.encode()) is None) == (address is None)
    if address is not None:
        assert readings_of(request_head(block.encode())) == (UrlQuestion(address),)


@pytest.mark.parametrize(
    "block",
    [
        "GET http://a.example/ HTTP/1.1\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nhost: a.example\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n folded\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nHost : a.example\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\nHost: a.example\n\n",
        "CONNECT http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nHost: a.example.example\r\n\r\n",
        "GET http://a.example/ HTTP/1.1\r\nX: y\r\nhOsT: b.example\r\nHost: a.example\r\n\r\n",
    ],
)
def test_what_takes_care_is_not_told_by_one_look(block: str) -> None:
    assert plain_address(block.encode()) is None


def test_one_look_knows_the_usual_request() -> None:
    block = b"GET http://a.example/x?y HTTP/1.1\r\nAccept: */*\r\nHOST:  a.example \r\nX: host: b\r\n\r\n"
    assert plain_address(block) == "http://a.example/x?y"
    assert (plain_host(b"before" + block, 6), plain_host(block[:-1])) == ("a.example", None)
    assert plain_host(block.replace(b"/x", b"/" + b"x" * URL_BYTES.value)) is None
    try:
        assert readings_of(request_head(block)) == (UrlQuestion("http://a.example/x?y"),)
    except Unreadable as error:
        raise AssertionError(error.code) from error


@pytest.fixture
def node(hotline: Hotline, state: Path) -> RunningNode:
    hotline.publish(url_entry(1, "http://page.example/quimber"))
    with running(config_text(hotline, state, '[forward_auth]\nproxies = ["nginx", "traefik", "envoy"]\n')) as node:
        until(lambda: node.node.state.enforced is not None and node.ask("GET", "/healthz").status == 200)
        yield node


ASKED: list[tuple[str, dict[str, str]]] = [
    ("/auth/nginx", {"X-Original-URI": "http://page.example/quimber"}),
    ("/auth/nginx", {"X-Original-URI": "http://other.example/"}),
    ("/auth/nginx", {"X-Original-URI": "/quimber"}),
    ("/auth/nginx", {}),
    ("/auth/nginx?x", {"X-Original-URI": "http://other.example/"}),
    ("/auth/traefik", {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "page.example", "X-Forwarded-Uri": "/quimber"}),
    ("/auth/traefik", {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "%20", "X-Forwarded-Uri": "/"}),
    ("/auth/envoy/quimber", {"Host": "page.example"}),
    ("/auth/envoy/quimber?q", {"Host": "page.example", "X-Forwarded-Proto": "http"}),
    ("/auth/caddy", {}),
    ("/healthz", {}),
]


@pytest.mark.parametrize(("path", "headers"), ASKED)
def test_an_answer_without_a_task_is_the_same_answer(node: RunningNode, path: str, headers: dict[str, str]) -> None:
    """A body, even an empty one, takes the long way."""
    found = []
    for more in ({}, {"Content-Length": "0"}):
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
        connection.putrequest("GET", path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in (headers | more).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        said = {name: value for name, value in answer.getheaders() if name != "date"}
        found.append((answer.status, said, len(answer.read())))
        connection.close()
    assert found[0] == found[1]


def test_many_on_one_connection_in_pieces_and_in_heaps(node: RunningNode) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
    for _ in range(3):
        for path, headers in (ASKED[1], ("/healthz", {}), ASKED[0]):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == (403 if headers == ASKED[0][1] else 200)
    raw = b"GET /auth/nginx HTTP/1.1\r\nHost: a\r\nX-Original-URI: http://other.example/\r\n\r\n"
    assert connection.sock is not None
    connection.sock.sendall(raw * 50 + raw[:30])
    connection.sock.sendall(raw[30:] + raw.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n"))
    data = b""
    while part := connection.sock.recv(65536):
        data += part
    assert data.count(b"HTTP/1.1 200 OK") == 52
    connection.close()


def test_heads_that_name_who_asks_are_not_kept() -> None:
    http_head = b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"
    plain = b"REQMOD icap://127.0.0.1/reqmod ICAP/1.0\nHost: 127.0.0.1\nEncapsulated: req-hdr=0, null-body=%d" % len(http_head)
    assert wire.read_head(plain) is wire.read_head(plain)
    named = plain + b"\nX-Client-IP: 192.0.2.77"
    assert wire.read_head(named) is not wire.read_head(named)
    assert wire.read_head(named).headers[b"x-client-ip"] == b"192.0.2.77"
    assert not any(b"192.0.2.77" in block for block in wire._KEPT)

"""What one look reads, httptools reads alike; what it leaves, it leaves to httptools."""

from __future__ import annotations

import httptools
from hypothesis import given
from hypothesis import strategies as st

from vigil.edge.http.plain import OTHERS, plain_request

NAMES = st.sampled_from([b"Host", b"X-Original-URI", b"x-a", b"Cookie", b"Connection", b"Content-Length", b"Te", b"a b", b""])
PLAIN_VALUES = [b" http://a.example/b", b"0", b"\tx ", b"", b" chunked", b"\xff\x80", b"a\rb", b"a\0"]
VALUES = st.one_of(st.sampled_from(PLAIN_VALUES), st.binary(max_size=6))
PATHS = [b"/auth/nginx", b"/auth/envoy/a?b=c", b"/a#b", b"*", b"http://a.example/", b"/\xff"]
TARGETS = st.one_of(st.sampled_from(PATHS), st.binary(max_size=5))
LINES = st.lists(st.tuples(NAMES, VALUES), max_size=5)


class Read:
    """What httptools makes of a request."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_message_complete(self) -> None:
        self.complete += 1


@given(TARGETS, LINES, st.sampled_from([b"", b"GET / HTTP/1.1\r\n\r\n", b" "]), st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]))
def test_one_look_agrees_with_httptools(target: bytes, lines: list[tuple[bytes, bytes]], behind: bytes, version: bytes) -> None:
    rows = b"".join(b"%s:%s\r\n" % line for line in lines)
    data = b"GET %s %s\r\n%s\r\n%s" % (target, version, rows, behind)
    found = plain_request(data)
    if found is None:
        return
    read = Read()
    parser = httptools.HttpRequestParser(read)
    parser.feed_data(data[: found.end])
    path, query, pairs, _ = found
    assert read.complete == 1 and parser.get_method() == b"GET" and parser.should_keep_alive() and not parser.should_upgrade()
    assert read.url == path + (b"?" + query if b"?" in read.url else b"")
    assert [(name, value.rstrip(b" \t")) for name, value in read.headers] == list(pairs)
    assert not OTHERS & {name for name, _ in pairs}


def test_the_usual_question_of_a_proxy_is_read_by_one_look() -> None:
    data = b"GET /auth/nginx HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Original-URI: http://a.example/b\r\n\r\n"
    asked = (b"/auth/nginx", b"", [(b"host", b"127.0.0.1"), (b"x-original-uri", b"http://a.example/b")], len(data))
    assert plain_request(data) == asked
    for cut in range(len(data)):
        assert plain_request(data[:cut]) is None
    assert plain_request(data.replace(b"Host:", b"Content-Length: 3\r\nHost:")) is None


def test_requests_in_one_piece_are_read_one_behind_the_other() -> None:
    first, second = b"GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /d HTTP/1.1\r\nHost: b\r\n\r\n"
    data = first + second + b"GET /half HTTP/1.1\r\nHo"
    one = plain_request(data)
    assert one == (b"/a", b"b=c", [(b"host", b"a")], len(first))
    two = plain_request(data, one.end)
    assert two == (b"/d", b"", [(b"host", b"b")], len(first) + len(second))
    assert plain_request(data, two.end) is None

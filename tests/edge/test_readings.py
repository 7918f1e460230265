"""What a request can mean: both sides of a contradiction, never one of two hosts, beside httptools for plain requests."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigil.edge.questions import HostQuestion, UrlQuestion
from vigil.edge.readings import Unreadable, answer_head, readings_of, request_head


def asked(block: bytes | str) -> list[str]:
    """The addresses of the readings; those of whole hosts with a star."""
    found = []
    for reading in readings_of(request_head(block.encode() if isinstance(block, str) else block)):
        address = reading.address if isinstance(reading, UrlQuestion) else reading.authority
        shown = address if isinstance(address, str) else address.decode("latin-1")
        found.append(("*" if isinstance(reading, HostQuestion) else "") + shown)
    return found


A, B = "a.example", "b.example"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (f"GET http://{A}/p HTTP/1.1\r\nHost: {A}\r\n\r\n", [f"http://{A}/p"]),
        (f"GET http://{A}/p HTTP/1.1\r\nHost: {A.upper()}:80\r\n\r\n", [f"http://{A}/p"]),
        (f"GET https://{A}:443/p HTTP/1.1\r\nHost: {A}\r\n\r\n", [f"https://{A}:443/p"]),
        (f"GET http://{A}/p HTTP/1.0\r\n\r\n", [f"http://{A}/p"]),
        (f"GET http://{A}/p HTTP/1.1\r\nHost:\r\n\r\n", [f"http://{A}/p"]),
        (f"GET http://{A}/p?q HTTP/1.1\r\nHost: {B}\r\n\r\n", [f"http://{A}/p?q", f"http://{B}/p?q"]),
        (f"GET http://{A}/ HTTP/1.1\r\nHost: {A}:81\r\n\r\n", [f"http://{A}/", f"http://{A}:81/"]),
        (f"GET http://u@{A}/ HTTP/1.1\r\nHost: {A}\r\n\r\n", [f"http://u@{A}/", f"http://{A}/"]),
        (f"GET http://{A} HTTP/1.1\r\nHost: {B}\r\n\r\n", [f"http://{A}", f"http://{B}"]),
        (f"GET http:\\\\{A}\\p HTTP/1.1\r\nHost: {B}\r\n\r\n", [f"http:\\\\{A}\\p", f"http://{B}\\p"]),
        (f"GET zorblat HTTP/1.1\r\nHost: {B}\r\n\r\n", ["zorblat", f"http://{B}/zorblat"]),
        (f"GET /p HTTP/1.1\r\nHost: {A}\r\n\r\n", [f"http://{A}/p", f"https://{A}/p"]),
        (f"GET //{B}/p HTTP/1.1\r\nHost: {A}\r\n\r\n", [f"http://{A}//{B}/p", f"https://{A}//{B}/p"]),
        (f"GET /a b HTTP/1.1\r\nHost: {A}\r\n\r\n", [f"http://{A}/a b", f"https://{A}/a b"]),
        (f"OPTIONS * HTTP/1.1\r\nHost: {A}\r\n\r\n", [f"*{A}"]),
        (f"CONNECT {A}:443 HTTP/1.1\r\nHost: {A}:443\r\n\r\n", [f"*{A}:443"]),
        (f"CONNECT {A}:443 HTTP/1.1\r\nHost: {B}\r\n\r\n", [f"*{A}:443", f"*{B}"]),
        (f"CONNECT {A}:443 HTTP/1.1\r\n\r\n", [f"*{A}:443"]),
        (f"GET /p HTTP/1.1\nhOsT:{A}\n\n", [f"http://{A}/p", f"https://{A}/p"]),
        (b"GET http://a.example/\xff HTTP/1.1\r\n\r\n", ["http://a.example/\xff"]),
    ],
)
def test_every_reading_is_asked(block: bytes | str, expected: list[str]) -> None:
    assert asked(block) == expected


@pytest.mark.parametrize(
    ("block", "code"),
    [
        (f"GET / HTTP/1.1\r\nHost: {A}\r\nHost: {B}\r\n\r\n", "host_twice"),
        (f"GET / HTTP/1.1\r\nHost: {A}\r\nHost : {B}\r\n\r\n", "host_twice"),
        (f"GET / HTTP/1.1\r\nHost: {A}\r\nhost: {A}\r\n\r\n", "host_twice"),
        (f"GET / HTTP/1.1\r\nHost: {A},{B}/\r\n\r\n", "host_malformed"),
        (f"GET / HTTP/1.1\r\nHost: {A}@{B}\r\n\r\n", "host_malformed"),
        (f"GET / HTTP/1.1\r\nHost: {A} {B}\r\n\r\n", "host_malformed"),
        ("GET / HTTP/1.1\r\n\r\n", "host_absent"),
        ("OPTIONS * HTTP/1.1\r\n\r\n", "host_absent"),
        (f"CONNECT {A}/p HTTP/1.1\r\n\r\n", "connect_target"),
        (f"CONNECT http://{A} HTTP/1.1\r\n\r\n", "connect_target"),
        (f"GET / HTTP/1.1\r\nHost: {A}\r\n Host: {B}\r\n\r\n", "http_folded"),
        (f"GET / HTTP/1.1\r\nX: 1\rHost: {B}\r\nHost: {A}\r\n\r\n", "http_control"),
        (f"GET / HTTP/1.1\r\nX: \0\r\nHost: {A}\r\n\r\n", "http_control"),
        (f"GET http://{A}/\r\n\r\n", "http_request_line"),
        ("GET  HTTP/1.1\r\n\r\n", "http_request_line"),
        (f"G(T http://{A}/ HTTP/1.1\r\n\r\n", "http_request_line"),
        (f"GET http://{A}/ SIP/2.0\r\n\r\n", "http_request_line"),
        ("", "http_request_line"),
    ],
)
def test_what_has_two_meanings_or_none_is_refused(block: str, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        asked(block)
    assert caught.value.code == code
    assert A not in str(caught.value)


def test_an_answer_gives_its_status_and_kind() -> None:
    head = answer_head(b"HTTP/1.1 206 Partial Content\r\nContent-Type: image/png\r\n folded\r\nbroken\r\n\r\n")
    assert (head.status, head.fields[b"content-type"]) == (206, b"image/png")
    with pytest.raises(Unreadable):
        answer_head(b"zorblat")


class Seen:
    """What httptools makes of a request."""

    def __init__(self) -> None:
        self.url, self.hosts = b"", []  # type: ignore[var-annotated]

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"host":
            self.hosts.append(value)


PLAIN = st.text("abcxyz0189-._~", min_size=1, max_size=12)
HEADER = st.tuples(st.sampled_from(["X-A", "host", "Host", "Accept", "HOST"]), PLAIN)


@given(st.sampled_from(["GET", "HEAD", "OPTIONS"]), PLAIN, PLAIN, st.booleans(), st.lists(HEADER, max_size=4))
@settings(max_examples=200, deadline=None)
def test_plain_requests_are_read_as_by_httptools(
    method: str, host: str, path: str, absolute: bool, headers: list[tuple[str, str]]
) -> None:
    target = f"http://{host}.example/{path}" if absolute else f"/{path}"
    block = "\r\n".join([f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]).encode() + b"\r\n\r\n"
    seen = Seen()
    httptools.HttpRequestParser(seen).feed_data(block)
    head = request_head(block)
    assert (head.target, list(head.hosts)) == (seen.url, seen.hosts)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_it(block: bytes) -> None:
    for prefix in (b"", b"GET ", b"GET /p HTTP/1.1\r\nHost: ", b"CONNECT ", b"GET http://a.example/p HTTP/1.1\r\n"):
        try:
            assert readings_of(request_head(prefix + block + b" HTTP/1.1\r\n\r\n"))
        except Unreadable:
            continue


def test_long_targets_are_read_in_linear_time() -> None:
    for filling in (b" ", b" a", b"\\", b":", b"@"):
        block = b"GET " + filling * 60_000 + b" HTTP/1.1\r\nHost: a.example\r\n\r\n"
        try:
            readings_of(request_head(block))
        except Unreadable:
            continue

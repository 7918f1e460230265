"""Only hosts that were named, only addresses that may be reached, counted bytes: the fetcher against a world that misleads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from vigil.media.fetching import FetchRefused, Rules, fetch

LOCAL = ("127.0.0.0/8",)


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        name, _, value = self.path.strip("/").partition("/")
        self.send_response(302 if name == "to" else 200)
        if name == "to":
            self.send_header("Location", value)
        if name == "liar":
            self.send_header("Content-Length", "zorblat")
        self.send_header("Content-Type", "Image/PNG; charset=x")
        self.end_headers()
        self.wfile.write(b"z" * (5000 if name == "large" else 7))


@contextmanager
def world() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with world() as number:
        yield number


def here(host: str, port: int) -> list[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


def refusal(address: str, rules: Rules, look_up: Any = here) -> str:
    with pytest.raises(FetchRefused) as caught:
        fetch(address, rules, look_up)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value.code


def test_a_named_host(port: int) -> None:
    rules = Rules((f"media.example:{port}",), LOCAL)
    found = fetch(f"http://media.example:{port}/a?b", rules, here)
    assert (found.kind, found.data) == ("image/png", b"z" * 7)
    assert fetch(f"http://media.example:{port}/liar", rules, here).data == b"z" * 7


def test_nothing_is_fetched_unless_somebody_said_from_where() -> None:
    assert refusal("http://media.example/", Rules()) == "fetch_off"


@pytest.mark.parametrize(
    "address",
    ["http://other.example/", "http://xmedia.example/", "http://media.example.test/", "http://media.example@other.example/",
     "http://media.example:81/", "ftp://media.example/", "file:///etc/hostname", "http://", "zorblat",
     "http://media.example :80/",
     "http://mediä.example/", "http://[::1/", "http://media.example:99999/", "http://127.0.0.1/"],
)  # fmt: skip
def test_addresses_that_are_refused(address: str) -> None:
    assert refusal(address, Rules(("media.example", ".sub.example"), LOCAL)) == "fetch_refused"


@pytest.mark.parametrize(("host", "allowed"), [("a.sub.example", True), ("a.b.sub.example", True), ("sub.example", False)])
def test_suffixes(host: str, allowed: bool) -> None:
    assert Rules((".sub.example",)).allows(host, 80, 80) is allowed


@pytest.mark.parametrize(
    "where",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "0.0.0.0", "224.0.0.1"],
)
def test_names_that_lead_inside_are_refused(where: str) -> None:
    """One address that may not be reached is enough, whatever the others are."""
    rules = Rules(("media.example",), ("203.0.113.0/24",))
    assert refusal("http://media.example/", rules, lambda host, port: ["203.0.113.7", where]) == "fetch_refused"


def test_the_judged_address_is_the_one_that_is_asked(port: int) -> None:
    """A name that changes its mind is looked up once."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    fetch(f"http://media.example:{port}/", Rules((f"media.example:{port}",), LOCAL), lambda host, port: next(answers))


def test_redirections_go_through_all_of_it_again(port: int) -> None:
    rules = Rules((f"media.example:{port}",), LOCAL)
    assert fetch(f"http://media.example:{port}/to//x", rules, here).data
    assert refusal(f"http://media.example:{port}/to/http://other.example/", rules) == "fetch_refused"
    assert (
        refusal(f"http://media.example:{port}/to/http://media.example:{port}/to/file:///etc/hostname", rules) == "fetch_refused"
    )


def test_bytes_are_counted(port: int) -> None:
    assert (
        refusal(f"http://media.example:{port}/large", Rules((f"media.example:{port}",), LOCAL, most_bytes=1000))
        == "fetch_too_large"
    )


def test_a_host_that_is_not_there() -> None:
    def nowhere(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    assert refusal("http://media.example/", Rules(("media.example",)), nowhere) == "fetch_failed"
    assert refusal("http://media.example:1/", Rules(("media.example:1",), LOCAL)) == "fetch_failed"

"""The fetcher against a proxy whose world misbehaves."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest
from tests.hotline.reports.misbehaving_world import World, answer, raw, redirect

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.hotline.reports.fetcher import Failure, FetchError, Proxy, ProxyFetcher, fetchable

SMALL = Limit(100_000, "bytes", "for tests")
PAGE = "http://gallery.example/room"


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def fetcher(world: World, seconds: float = 20) -> ProxyFetcher:
    return ProxyFetcher(Proxy.at(world.proxy), seconds=seconds)


def failure(world: World, address: str = PAGE, seconds: float = 20) -> Failure:
    with pytest.raises(FetchError) as caught:
        fetcher(world, seconds).fetch(fetchable(address), SMALL)
    return caught.value.failure


def test_a_page_comes_back_whole(world: World) -> None:
    world.pages[PAGE] = answer(b"<p>zorblat")
    fetched = fetcher(world).fetch(fetchable(PAGE), SMALL)
    assert (fetched.status, fetched.body, fetched.declared_type) == (200, b"<p>zorblat", "text/html; charset=utf-8")


def test_an_answer_of_not_found_is_an_answer(world: World) -> None:
    assert fetcher(world).fetch(fetchable(PAGE), SMALL).status == 404


def test_nothing_tells_who_asked(world: World) -> None:
    world.pages[PAGE] = answer(b"", Set_Cookie="zorblat=1")
    fetcher(world).fetch(fetchable(PAGE), SMALL)
    fetcher(world).fetch(fetchable(PAGE), SMALL)
    for head in world.heads:
        names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line}
        assert names == {b"host", b"user-agent", b"accept", b"accept-encoding", b"connection"}


def test_only_the_proxy_is_ever_connected_to(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[object] = []
    resolved: list[object] = []
    connect, resolve = socket.socket.connect, socket.getaddrinfo
    monkeypatch.setattr(
        socket.socket, "connect", lambda self, address: (reached.append(address), connect(self, address))[1]
    )
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: (resolved.append(host), resolve(host, *rest, **more))[1]
    )
    world.pages[PAGE] = redirect("http://inner.example:9/inside")
    world.pages["http://inner.example:9/inside"] = redirect("http://other.example/inside")
    world.pages["http://other.example/inside"] = answer(b"played by the proxy")
    assert fetcher(world).fetch(fetchable(PAGE), SMALL).body == b"played by the proxy"
    assert set(reached) == {("127.0.0.1", world.port)}
    assert set(resolved) == {"127.0.0.1"}


def test_https_asks_the_proxy_for_a_tunnel(world: World) -> None:
    assert failure(world, "https://gallery.example/room") is Failure.CONNECTION_CLOSED
    assert world.asked == ["CONNECT gallery.example:443 HTTP/1.0"] or world.asked == [
        "CONNECT gallery.example:443 HTTP/1.1"
    ]


def test_a_bad_certificate_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ssl.SSLCertVerificationError("self-signed")

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", refuse)
    world.pages["://gallery.example:443"] = raw(b"HTTP/1.1 200 OK\r\n\r\n")
    world._address = lambda head: "://gallery.example:443"  # type: ignore[method-assign]
    assert failure(world, "https://gallery.example/room") is Failure.TLS_FAILED


def test_an_endless_stream_is_cut_by_size(world: World) -> None:
    world.pages[PAGE] = world.endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)
    assert failure(world) is Failure.TOO_LARGE


def test_an_endless_chunked_stream_is_cut_by_size(world: World) -> None:
    chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    world.pages[PAGE] = world.endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk)
    assert failure(world) is Failure.TOO_LARGE


def test_a_declared_length_beyond_the_limit_is_not_waited_for(world: World) -> None:
    world.pages[PAGE] = world.endless(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 65536)
    assert failure(world) is Failure.TOO_LARGE


def test_a_body_that_drips_is_cut_by_time(world: World) -> None:
    world.pages[PAGE] = world.endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pause=0.05)
    assert failure(world, seconds=0.6) is Failure.TOO_SLOW


def test_a_head_that_drips_is_cut_by_time(world: World) -> None:
    world.pages[PAGE] = world.endless(b"HTTP/1.1 200 OK\r\nX: ", b"y", pause=0.05)
    assert failure(world, seconds=0.6) is Failure.TOO_SLOW


def test_a_server_that_goes_on_promising_is_cut_by_time(world: World) -> None:
    world.pages[PAGE] = world.endless(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.01)
    assert failure(world, seconds=0.6) is Failure.TOO_SLOW


def test_silence_in_the_middle_is_cut_by_time(world: World) -> None:
    world.pages[PAGE] = world.endless(b"HTTP/1.1 200 OK\r\n\r\nhalf", b"", pause=30)
    assert failure(world, seconds=0.5) is Failure.TOO_SLOW


def test_silence_is_cut_by_time(world: World) -> None:
    world.pages[PAGE] = world.silent()
    assert failure(world, seconds=0.5) is Failure.TOO_SLOW


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf",
    ],
    ids=["nothing", "half a body", "half a chunk"],
)
def test_a_closed_connection_is_not_a_whole_answer(world: World, content: bytes) -> None:
    world.pages[PAGE] = raw(content)
    assert failure(world) is Failure.CONNECTION_CLOSED


@pytest.mark.parametrize(
    "content",
    [
        b"SSH-2.0-zorblat\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(500)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzorblat\r\n",
    ],
    ids=["no http", "no status", "500 headers", "long header", "no chunk size"],
)
def test_what_is_not_http_is_said_to_be_so(world: World, content: bytes) -> None:
    world.pages[PAGE] = raw(content)
    assert failure(world) in {Failure.NOT_HTTP, Failure.CONNECTION_CLOSED}


def test_packed_answers_are_refused(world: World) -> None:
    world.pages[PAGE] = answer(b"\x1f\x8b", Content_Encoding="gzip")
    assert failure(world) is Failure.ENCODING_REFUSED


def test_redirects_are_followed_through_the_proxy(world: World) -> None:
    world.pages[PAGE] = redirect("/other?q=1#part")
    world.pages["http://gallery.example/other"] = answer(b"there")
    fetched = fetcher(world).fetch(fetchable(PAGE), SMALL)
    assert fetched.url.text() == "http://gallery.example/other?q=1"
    assert [line.split(" ")[1] for line in world.asked] == [PAGE, "http://gallery.example/other?q=1"]


def test_a_redirect_loop_ends(world: World) -> None:
    world.pages[PAGE] = redirect(PAGE)
    assert failure(world) is Failure.TOO_MANY_REDIRECTS
    assert len(world.asked) == 6


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://gallery.example/", "gopher://x.example/", "http://[bad"])
def test_redirects_to_anything_but_the_web_are_refused(world: World, to: str) -> None:
    world.pages[PAGE] = redirect(to)
    assert failure(world) is Failure.REDIRECT_REFUSED
    assert len(world.asked) == 1


@pytest.mark.parametrize("address", ["file:///etc/passwd", "javascript:1", "ftp://gallery.example/", "", "http://a b/"])
def test_addresses_that_are_not_fetched(address: str) -> None:
    with pytest.raises(FetchError) as caught:
        fetchable(address)
    assert caught.value.failure is Failure.ADDRESS_REFUSED


def test_a_proxy_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(FetchError) as caught:
        ProxyFetcher(Proxy("127.0.0.1", port)).fetch(fetchable(PAGE), SMALL)
    assert caught.value.failure is Failure.PROXY_UNREACHABLE


@pytest.mark.parametrize(
    "address", ["https://proxy.example:1", "http://proxy.example", "http://u:p@proxy.example:1", "http://p.example:x", "http://p.example:1/x"]
)
def test_a_proxy_is_host_and_port(address: str) -> None:
    with pytest.raises(InputError) as caught:
        Proxy.at(address)
    assert caught.value.code == "proxy_malformed"


def test_errors_hold_no_address(world: World) -> None:
    with pytest.raises(FetchError) as caught:
        fetcher(world).fetch(fetchable("https://gallery.example/room"), SMALL)
    assert "gallery" not in repr(caught.value) + str(caught.value)

"""Where a fetch may lead: private addresses, rebinding names, redirects inwards, Tor; and the process that fetches."""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hotline.reports.misbehaving_world import World, answer, redirect
from tests.hotline.reports.test_captures import PAGE, PICTURE, drawn, reported

from vigil.base.errors import InputError, RefusedError, UnavailableError
from vigil.base.limits import Limit
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.reports.captures import (
    basis_in_force,
    captures_on,
    claim_next,
    do_allow_captures,
    do_forbid_captures,
    do_request_capture,
    fetcher_in_service,
    run,
)  # fmt: skip
from vigil.hotline.reports.fetch_process import ProcessFetcher, setup_of
from vigil.hotline.reports.fetcher import ProxyFetcher, RouteFetcher
from vigil.hotline.reports.fetching import Failure, FetchError, Proxy, fetchable
from vigil.hotline.reports.models import AccessRecipe, Capture
from vigil.hotline.reports.notes import access_notes
from vigil.hotline.reports.routes import DirectRoute, TorRoute, is_reachable, judge_name
from vigil.hotline.settings.config import Capture as CaptureTable
from vigil.media import hash_image


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def analyst(make_user: Callable[..., User]) -> User:
    return make_user(Role.ANALYST, username="anna")


SMALL = Limit(10_000, "bytes", "a test")
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PRIVATE = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "255.255.255.255",
    "224.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd00::1",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::127.0.0.1", "::10.0.0.1", "::ffff:0:127.0.0.1", "fec0::1", "4000::1", "3fff::1", "192.88.99.1", "2001:0:7f00:1::1",
    "2002:7f00:1::", "2001:db8::1", "64:ff9b::7f00:1", "64:ff9b:1::1",
]  # fmt: skip


@contextmanager
def server(page: bytes, seen: list[bytes]) -> Iterator[int]:
    """A server on loopback that keeps what it was asked and answers always the same."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connected, _ = listening.accept()
                except TimeoutError:
                    continue
                with connected:
                    seen.append(connected.recv(65536))
                    connected.sendall(page)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            thread.join()


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\nX-Odd: zorblat\r\n\r\nok"


def failure_of(fetch: Callable[[], object]) -> Failure:
    with pytest.raises(FetchError) as caught:
        fetch()
    return caught.value.failure


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_private_networks_are_not_reached(address: str) -> None:
    assert not is_reachable(ipaddress.ip_address(address), ())
    named = f"[{address}]" if ":" in address else address
    assert failure_of(lambda: judge_name(named, ())) is Failure.PRIVATE_ADDRESS
    fetcher = RouteFetcher(DirectRoute(resolver=lambda host, port: [address]))
    assert failure_of(lambda: fetcher.fetch(fetchable("http://gallery.example/"), SMALL)) is Failure.PRIVATE_ADDRESS


PUBLIC_ADDRESSES = ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822", "::ffff:93.184.216.34", "2002:5db8:d822::1"]


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_public_addresses_are_reached(address: str) -> None:
    """Also where they come as an IPv4 address inside an IPv6 one."""
    assert is_reachable(ipaddress.ip_address(address), ())


@pytest.mark.parametrize(
    "disguise",
    ["http://2130706433/", "http://0x7f000001/", "http://127.1/", "http://0177.0.0.1/", "http://127.0.0.1./",
     "http://１２７.0.0.1/", "http://127。0。0。1/", "http://[::ffff:7f00:1]/", "http://[::7f00:1]/",
     "http://gallery.example@127.0.0.1/", "http://ⓛocalhost/"],
)  # fmt: skip
def test_a_private_address_in_disguise_is_not_asked(world: World, disguise: str) -> None:
    """Numbers, octal, hexadecimal, full-width letters, user names: neither reported nor after a redirect."""
    fetch = ProxyFetcher(Proxy.at(world.proxy))
    assert failure_of(lambda: fetch.fetch(fetchable(disguise), SMALL)) is Failure.PRIVATE_ADDRESS
    world.pages[PAGE] = redirect(disguise) if disguise.isascii() else redirect(f"http://{quote(disguise[7:-1])}/")
    assert failure_of(lambda: fetch.fetch(fetchable(PAGE), SMALL)) in {Failure.PRIVATE_ADDRESS, Failure.REDIRECT_REFUSED}
    assert len(world.asked) == 1


def test_a_label_that_is_too_long_is_a_name_without_an_address() -> None:
    fetch = RouteFetcher(DirectRoute())
    assert failure_of(lambda: fetch.fetch(fetchable(f"http://{'q' * 64}.example/"), SMALL)) is Failure.NAME_UNKNOWN


@pytest.mark.parametrize(
    "name", ["localhost", "a.localhost", "printer", "db.internal", "nas.local", "1.0.0.127.in-addr.arpa", "LOCALHOST."]
)
def test_names_of_the_own_network_are_not_asked(name: str) -> None:
    assert failure_of(lambda: judge_name(name, ())) is Failure.PRIVATE_ADDRESS


@given(st.ip_addresses())
def test_whatever_is_reached_is_global(address: Any) -> None:
    assert not is_reachable(address, ()) or address.is_global


def test_one_private_answer_among_many_is_enough_to_refuse() -> None:
    fetcher = RouteFetcher(DirectRoute(resolver=lambda host, port: ["93.184.216.34", "10.0.0.1"]))
    assert failure_of(lambda: fetcher.fetch(fetchable("http://gallery.example/"), SMALL)) is Failure.PRIVATE_ADDRESS


def test_the_connection_goes_to_the_address_that_was_judged_and_the_name_is_asked_once() -> None:
    """DNS rebinding: the second answer would be another one; nobody asks for it."""
    asked: list[str] = []
    seen: list[bytes] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with server(OK, seen) as port:
        fetcher = RouteFetcher(DirectRoute(LOOPBACK, resolver))
        got = fetcher.fetch(fetchable(f"http://gallery.example:{port}/room?x=1"), SMALL)
    assert (got.status, got.body, got.ip, asked) == (200, b"ok", "127.0.0.1", ["gallery.example"])
    assert (
        seen[0].startswith(b"GET /room?x=1 HTTP/1.1\r\nHost: gallery.example:")
        and b"Cookie" not in seen[0]
        and b"Referer" not in seen[0]
    )
    assert ("X-Odd", "zorblat") in got.headers


@pytest.mark.parametrize(
    "inward", ["http://127.0.0.1/", "http://[::1]/", "http://localhost/", "http://169.254.169.254/latest", "//10.0.0.1/"]
)
def test_each_redirect_is_judged_anew(world: World, inward: str) -> None:
    world.pages[PAGE] = redirect(inward)
    fetcher = ProxyFetcher(Proxy.at(world.proxy))
    assert failure_of(lambda: fetcher.fetch(fetchable(PAGE), SMALL)) is Failure.PRIVATE_ADDRESS
    assert len(world.asked) == 1


def test_a_name_without_an_address() -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise socket.gaierror

    fetcher = RouteFetcher(DirectRoute(resolver=resolver))
    assert failure_of(lambda: fetcher.fetch(fetchable("http://gallery.example/"), SMALL)) is Failure.NAME_UNKNOWN


@contextmanager
def socks(reply: bytes, seen: list[bytes]) -> Iterator[Proxy]:
    """A SOCKS 5 proxy that answers every request itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connected, _ = listening.accept()
            with connected:
                connected.recv(3)
                connected.sendall(b"\x05\x00")
                head = connected.recv(5)
                seen.append(connected.recv(head[4]))
                seen.append(connected.recv(2))
                connected.sendall(reply)
                if reply[1:2] == b"\x00":
                    seen.append(connected.recv(65536))
                    connected.sendall(OK)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Proxy("127.0.0.1", listening.getsockname()[1])
        thread.join(5)


def test_through_tor_the_name_is_resolved_elsewhere() -> None:
    seen: list[bytes] = []
    with socks(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", seen) as proxy:
        got = RouteFetcher(TorRoute(proxy)).fetch(fetchable("http://quimberquimber.onion/room"), SMALL)
    assert got.body == b"ok" and got.ip == ""
    assert seen[:2] == [b"quimberquimber.onion", struct.pack(">H", 80)] and seen[2].startswith(b"GET /room")


def test_tor_that_says_no() -> None:
    with socks(b"\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00", []) as proxy:
        fetch = RouteFetcher(TorRoute(proxy))
        assert failure_of(lambda: fetch.fetch(fetchable("http://gallery.example/"), SMALL)) is Failure.CONNECTION_CLOSED


class TestProcess:
    def test_it_fetches_and_knows_nothing_of_us(self) -> None:
        seen: list[bytes] = []
        with server(OK, seen) as port:
            fetcher = ProcessFetcher(setup_of("proxy", "127.0.0.1", port))
            got = fetcher.fetch(fetchable(PAGE), SMALL, "https://way.example/")
            process = fetcher._process
            assert process is not None
            with open(f"/proc/{process.pid}/environ", "rb") as environment:
                assert b"VIGIL" not in environment.read()
            with open(f"/proc/{process.pid}/limits") as limits:
                assert "Max file size             0 " in limits.read()
            fetcher.close()
        assert (got.status, got.body, got.url.text()) == (200, b"ok", PAGE)
        assert b"Referer: https://way.example/\r\n" in seen[0]

    def test_it_cannot_write_a_file(self, tmp_path: Path) -> None:
        code = (
            "from vigil.hotline.reports.fetch_child import confine; confine();"
            "open('left', 'wb', buffering=0).write(b'zorblat')"
        )
        ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ended.returncode == 1 and "File too large" in ended.stderr
        assert (tmp_path / "left").stat().st_size == 0

    def test_its_failures_arrive(self) -> None:
        fetcher = ProcessFetcher(setup_of("direct"))
        assert failure_of(lambda: fetcher.fetch(fetchable("http://127.0.0.1:9/"), SMALL)) is Failure.PRIVATE_ADDRESS
        fetcher.close()

    def test_one_that_is_killed_is_a_failure_and_the_next_request_works(self) -> None:
        with server(OK, []) as port:
            fetcher = ProcessFetcher(setup_of("proxy", "127.0.0.1", port))
            fetcher.fetch(fetchable(PAGE), SMALL)
            assert fetcher._process is not None
            fetcher._process.kill()
            fetcher._process.wait()
            assert fetcher.fetch(fetchable(PAGE), SMALL).status == 200
            fetcher.close()

    def test_one_that_lies_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vigil.hotline.reports.fetch_process.MODULE", "this")
        fetcher = ProcessFetcher(setup_of("direct"))
        assert failure_of(lambda: fetcher.fetch(fetchable(PAGE), SMALL)) is Failure.FETCHER_LOST


@pytest.mark.usefixtures("clock")
class TestBasisAndRecipe:
    def test_off_until_a_legal_basis_is_recorded_and_off_again_when_it_ends(
        self,
        analyst: User,
        settings: Any,
    ) -> None:
        settings.CONFIG = msgspec.structs.replace(settings.CONFIG, capture=CaptureTable(direct=True))
        with pytest.raises(UnavailableError):
            do_request_capture(analyst, *reported())
        for wrong in ("", "because", "x" * 501):
            with pytest.raises(InputError):
                do_allow_captures(OPERATOR, wrong)
        with pytest.raises(RefusedError):
            do_allow_captures(analyst, "Permit 7 of the authority of Quimber")
        do_allow_captures(OPERATOR, "Permit 7 of the authority of Quimber")
        capture = do_request_capture(analyst, *reported())
        assert captures_on() and capture.legal_basis == "Permit 7 of the authority of Quimber"
        do_forbid_captures(OPERATOR)
        assert not captures_on() and basis_in_force() is None and claim_next() is None, "what waits is not fetched"
        assert [event.code for event in AuditEvent.objects.filter(code__in=["capture.allowed", "capture.forbidden"])] == [
            "capture.allowed", "capture.forbidden",
        ]  # fmt: skip

    def test_a_disguised_page_is_reached_by_its_recipe_and_recorded(
        self,
        analyst: User,
        world: World,
        settings: Any,
    ) -> None:
        from vigil.hotline.reports.intake import Arrival, do_submit_report

        settings.CONFIG = msgspec.structs.replace(settings.CONFIG, capture=CaptureTable(proxy=world.proxy))
        do_allow_captures(OPERATOR, "Permit 7 of the authority of Quimber")
        world.pages = {
            "http://way.example/": answer(b"in"), "http://old.example/": redirect(PAGE),
            PAGE: answer(b'<img src="a.png">'), PICTURE: answer(drawn(1), "image/png"),
        }  # fmt: skip
        said = access_notes("http://said.example/", "third link")
        report = do_submit_report(PUBLIC, Arrival("http://old.example/", access_notes=said))
        url = report.submissions.get().url
        assert url is not None
        requested = do_request_capture(analyst, report, url, before=("http://way.example/",))
        assert AccessRecipe.objects.get().referrer.open() == "http://said.example/", "what the reporter said"
        claimed = claim_next()
        assert claimed is not None
        fetcher = fetcher_in_service()
        assert isinstance(fetcher, ProcessFetcher)
        run(claimed, fetcher, hash_image)
        fetcher.close()
        capture = Capture.objects.get(pk=requested.pk)
        assert capture.status == "done" and capture.via == "proxy" and capture.chain is not None and capture.headers is not None
        assert capture.chain.open() == f'["http://old.example/", "{PAGE}"]' and "text/html" in capture.headers.open()
        assert capture.sightings.count() == 1
        assert [line.split()[1] for line in world.asked] == ["http://way.example/", "http://old.example/", PAGE, PICTURE]
        assert capture.page_sha256 == hashlib.sha256(b'<img src="a.png">').hexdigest()

    @pytest.mark.parametrize("steps", [("ftp://a.example/",), ("http://a.example/",) * 6])
    def test_a_recipe_that_cannot_be_followed_is_refused(
        self,
        analyst: User,
        settings: Any,
        steps: tuple[str, ...],
    ) -> None:
        settings.CONFIG = msgspec.structs.replace(settings.CONFIG, capture=CaptureTable(direct=True))
        do_allow_captures(OPERATOR, "Permit 7 of the authority of Quimber")
        with pytest.raises(InputError):
            do_request_capture(analyst, *reported(), before=steps)

"""The self-test: green over all doors, red when one is broken on purpose, signed so that a hotline can tell."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from tests.edge.world import LISTS, Hotline, RunningNode, config_text, running, until
from typer.testing import CliRunner

from vigil.base.clock import SystemClock
from vigil.base.errors import InputError, RefusedError
from vigil.cli import edge as edge_cli
from vigil.edge import config as edge_config
from vigil.edge.certify import run as certification
from vigil.edge.certify.probes import ApiProbe, DnsProbe, Http, IcapProbe, seen_by
from vigil.edge.certify.programs import HmaProbe, SpoeProbe
from vigil.edge.dns.wire import read_query
from vigil.edge.identity import NodeKey
from vigil.editions import selftest
from vigil.editions.certificate import Certificate, Report, Seen, read, sign
from vigil.editions.model import ListInfo
from vigil.media import ImageHashes, hash_image

DOORS = """
[gate]
enabled = true
hosts = ["selftest.vigil.test"]
[forward_auth]
proxies = ["nginx", "traefik", "caddy", "envoy", "squid"]
[screen]
enabled = true
without_help = true
terms_file = "{terms}"
[icap]
enabled = true
port = {icap}
[dns]
enabled = true
port = {dns}
[spoe]
enabled = true
port = {spoe}
[rpz]
enabled = true
port = {rpz}
names = ["{terms}"]
keys_file = "{keys}"
poll_seconds = 0.1
[listen]
port = {port}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def all_doors(hotline: Hotline, folder: Path, more: str = "") -> Iterator[tuple[RunningNode, Path]]:
    """A node with every door open over an edition with the test list, and the file of its configuration."""
    if hotline.number == 0:
        lists = (*LISTS, ListInfo(selftest.LIST, "test"))
        hotline.publish(*selftest.url_entries(), *selftest.hash_entries(), lists=lists)
    terms = {"list": selftest.LIST, "terms": [{"entry": selftest.FIRST_ENTRY + 3, "text": selftest.TERM, "labels": ["test"]}]}
    (folder / "terms.json").write_text(json.dumps(terms))
    (folder / "keys.conf").write_text(f'key "vigil" {{ algorithm hmac-sha256; secret "{"emFibHF1aW1iZXJ6b3JibGF0" * 2}"; }};\n')
    ports = {name: free_port() for name in ("icap", "dns", "spoe", "rpz", "port")}
    doors = DOORS.format(terms=folder / "terms.json", keys=folder / "keys.conf", **ports)
    text = config_text(hotline, folder / "state", doors + more)
    (folder / "edge.toml").write_text(text)
    with running(text) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        until(lambda: node.service.rpz is not None and node.service.rpz.keeper.zone is not None)
        yield node, folder / "edge.toml"


def certify(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(edge_cli.app, ["certify", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_all_doors_are_green_and_the_report_can_be_checked(hotline: Hotline, tmp_path: Path) -> None:
    with all_doors(hotline, tmp_path) as (_node, config):
        code, text = certify("--config", str(config), "--out", str(tmp_path / "c.json"))
        assert (code, text.splitlines()[-1]) == (0, "All doors are right."), text
        assert {line.split(": ")[0] for line in text.splitlines()[:-1]} == {
            "http", "gate", "icap", "dns", "spoe", "rpz",
            *(f"forward_auth:{proxy}" for proxy in ("nginx", "traefik", "caddy", "envoy", "squid")),
        }  # fmt: skip
        until(lambda: hotline.total("test") >= 10)
        assert {hotline.total(kind) for kind in ("navigation", "undetermined", "media_match", "dns_answer")} == {0}
        public = CliRunner().invoke(edge_cli.app, ["key", "--config", str(config)]).output.strip()
    assert certify("--check", str(tmp_path / "c.json"), "--key", public)[0] == 0
    with pytest.raises(RefusedError):
        certify("--check", str(tmp_path / "c.json"), "--key", "0" * 64)
    certificate = msgspec.json.decode((tmp_path / "c.json").read_bytes(), type=Certificate)
    report = msgspec.json.decode(certificate.report, type=Report)
    assert (report.node, report.edition, report.good) == ("n-1", 1, True)
    altered = msgspec.structs.replace(certificate, report=certificate.report.replace('"n-1"', '"n-2"'))
    with pytest.raises(RefusedError):
        read(msgspec.json.encode(altered))
    with pytest.raises(InputError):
        read(b"{}")


def test_pages_with_the_other_status_are_green_too(hotline: Hotline, tmp_path: Path) -> None:
    with all_doors(hotline, tmp_path, "[pages]\nstatus = 403\n") as (_node, config):
        code, text = certify("--config", str(config))
        assert (code, text.splitlines()[-1]) == (0, "All doors are right."), text


@pytest.mark.parametrize(
    ("broken", "failing"),
    [
        ("[policy]\nmode = 'dry_run'\n", {"gate", "icap", "dns", "forward_auth:nginx"}),
        ("[policy]\nmode = 'dry_run'\n[counts]\nk = 1\n", {"rpz", "spoe", "icap", "dns"}),
        ("[[policy.rules]]\naction = 'log'\ndoors = ['icap']\n", {"icap"}),
        ("[[policy.rules]]\naction = 'log'\ndoors = ['spoe']\n", {"spoe"}),
        ("[[policy.rules]]\naction = 'allow'\nlists = ['selftest']\ndoors = ['dns', 'squid']\n", {"dns", "forward_auth:squid"}),
    ],
)
def test_a_door_that_is_broken_on_purpose_is_named(hotline: Hotline, tmp_path: Path, broken: str, failing: set[str]) -> None:
    with all_doors(hotline, tmp_path, broken) as (_node, config):
        found = certification.run(edge_config.load(config), SystemClock())
    assert not found.good
    assert failing <= set(found.failing())
    assert certification.NOTHING_KNOWN not in certification.lines_of(found)
    if len(failing) < 4:
        assert failing == set(found.failing())


def test_a_closed_door_and_a_node_without_the_test_list_are_red(hotline: Hotline, tmp_path: Path) -> None:
    hotline.publish()
    with all_doors(hotline, tmp_path) as (_node, config):
        text = config.read_text().replace("[icap]\nenabled = true\nport = ", "[icap]\nenabled = true\nport = 1 #")
        config.write_text(text)
        code, words = certify("--config", str(config))
    assert code == 1
    assert "icap: WRONG" in words and "ConnectionRefusedError" in words
    assert "http: WRONG" in words and "page: should be blocked, was passed" in words
    assert words.splitlines()[-1].startswith("Failing: ")
    assert words.splitlines()[-2] == certification.NOTHING_KNOWN


@pytest.mark.parametrize("door", ["spoe", "rpz", "icap", "dns"])
def test_each_door_that_is_not_there_is_named_and_no_other(hotline: Hotline, tmp_path: Path, door: str) -> None:
    with all_doors(hotline, tmp_path) as (_node, config):
        lines = config.read_text().split("\n")
        at = lines.index(f"[{door}]") + 2
        lines[at] = f"port = {free_port()}"
        config.write_text("\n".join(lines))
        assert certification.run(edge_config.load(config), SystemClock()).failing() == [door]


def test_a_zone_under_another_key_is_no_zone(hotline: Hotline, tmp_path: Path) -> None:
    with all_doors(hotline, tmp_path) as (_node, config):
        keys = tmp_path / "keys.conf"
        keys.write_text(keys.read_text().replace("emFib", "emFia"))
        assert certification.run(edge_config.load(config), SystemClock()).failing() == ["rpz"]


class _Banks(BaseHTTPRequestHandler):
    """Stands for the HMA-compatible door."""

    said, matches = b"I-AM-ALIVE", b"[]"

    def do_GET(self) -> None:
        body = self.said if self.path == "/status" else b'{"matches": %s}' % self.matches
        self.send_response(200 if self.said == b"I-AM-ALIVE" else 503)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(
    ("said", "matches", "seen"),
    [
        (b"I-AM-ALIVE", b"[]", Seen.PASSED),
        (b"INDEX-NOT-LOADED", b"[]", Seen.FAILED),
        (b"INDEX-STALE", b"[]", Seen.FAILED),
        (b"I-AM-ALIVE", b"[1]", Seen.BLOCKED),
    ],
)
def test_banks_that_are_not_loaded_or_match_everything_are_red(said: bytes, matches: bytes, seen: Seen) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Banks", (_Banks,), {"said": said, "matches": matches}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        assert seen_by(HmaProbe(Http("127.0.0.1", server.server_address[1]), asks=True), selftest.CASES[-1])[0] is seen
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("found", "seen"), [(b'{"selftest": []}', Seen.BLOCKED), (b'{"urls": []}', Seen.PASSED)])
def test_lists_that_answer_beside_banks_must_find_the_picture_of_the_test(found: bytes, seen: Seen) -> None:
    class Lists(_Banks):
        def do_GET(self) -> None:
            assert f"signal_type=sha256&signal={hashlib.sha256(selftest.picture()).hexdigest()}" in self.path
            self.send_response(200)
            self.send_header("content-length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Lists)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        probe = HmaProbe(Http("127.0.0.1", server.server_address[1]), asks=True, lists=True)
        (case,) = [case for case in selftest.CASES if case.sees is selftest.Sees.BANKED_LISTS]
        assert case.sees in probe.sees and case.listed
        assert seen_by(probe, case)[0] is seen
        assert case.sees not in HmaProbe(probe.server, asks=False, lists=True).sees
    finally:
        server.shutdown()
        server.server_close()


class _Front(BaseHTTPRequestHandler):
    """Stands for a proxy: blocks what the list says, or nothing."""

    blocks = True

    def do_GET(self) -> None:
        address = self.path if "://" in self.path else f"http://{self.headers['host']}{self.path}"
        listed = address == selftest.PAGE or address.startswith(f"http://{selftest.HOST}/")
        self.send_response(451 if listed and self.blocks else 502)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.mark.parametrize("blocks", [True, False])
def test_what_stands_in_front_of_the_node_is_tested_too(hotline: Hotline, tmp_path: Path, blocks: bool) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Front", (_Front,), {"blocks": blocks}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    row = "[[certify.doors]]\nkind = '{kind}'\nname = '{kind}-1'\naddress = '{address}'\n"
    more = "".join(row.format(kind=kind, address=address) for kind in ("proxy", "site"))
    try:
        with all_doors(hotline, tmp_path, more) as (_node, config):
            found = certification.run(edge_config.load(config), SystemClock())
    finally:
        server.shutdown()
        server.server_close()
    assert found.failing() == ([] if blocks else ["proxy-1", "site-1"])


def test_the_node_runs_it_by_itself_and_hands_the_report_in(hotline: Hotline, tmp_path: Path) -> None:
    more = f"[certify]\nevery_hours = 24\nreport_url = '{hotline.url}/v1/certificates'\n"
    with all_doors(hotline, tmp_path, more) as (node, _config):
        until(lambda: "vigil_edge_certified 1.0" in node.ask("GET", "/metrics").body.decode())
        until(lambda: any(b'"signature"' in body for body in hotline.posts))
    [certificate] = [body for body in hotline.posts if b'"signature"' in body]
    assert read(certificate).key == NodeKey.of(tmp_path / "state").public
    assert read(certificate).report.good


def test_a_resolver_is_judged_by_what_it_says() -> None:
    """Answers of BIND's policy zone, of a plain resolver, and broken ones, put together by hand."""
    denial = b"\x81\x83\0\1\0\0\0\1\0\0"

    def soa(owner: bytes) -> bytes:
        return owner + b"\0\6\0\1\0\0\0\1\0\x16" + b"\0\0" + b"\0" * 20

    case = selftest.CASES[3]
    question = b"\4host\x08selftest\5vigil\4test\0\0\1\0\1"
    foreign = denial + question + soa(b"\1v\0")
    for answer, seen in (
        (foreign, Seen.FAILED),
        (denial + question + soa(b"\1v\0"), Seen.BLOCKED),
        (denial + question + soa(b"\xc0\x0c"), Seen.BLOCKED),
        (denial + question + soa(b"\0"), Seen.PASSED),
        (denial + question + soa(b"\4test\0"), Seen.PASSED),
        (b"\x81\x82\0\1\0\0\0\0\0\0" + question, Seen.FAILED),
        (b"\x81\x83\0\1\0\0\0\1\0\0" + question + b"\xc0\xff", Seen.FAILED),
        (b"\x81\x83\0\1\0\0\0\1\0\0" + question + b"\xc0", Seen.FAILED),
    ):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(20)

            def respond(answer: bytes = answer, server: socket.socket = server) -> None:
                asked, client = server.recvfrom(4096)
                assert read_query(asked).name == "host.selftest.vigil.test"
                number = bytes(255 - byte for byte in asked[:2]) if answer is foreign else asked[:2]
                server.sendto(number + answer, client)

            thread = threading.Thread(target=respond)
            thread.start()
            assert seen_by(DnsProbe("127.0.0.1", server.getsockname()[1]), case)[0] is seen
            thread.join()


@pytest.mark.parametrize(
    ("probe", "answer"),
    [
        ("http", b"HTTP/1.1 200 OK\r\n\r\n[]"),
        ("http", b'HTTP/1.1 200 OK\r\n\r\n{"verdict": []}'),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000),
        ("http", b"zorblat\r\n\r\n"),
        ("hma", b"HTTP/1.1 200 OK\r\n\r\nzorblat"),
        ("icap", b"ICAP/1.0 200 OK\r\n\r\nHTTP/1.1\r\n\r\n"),
        ("icap", b"ICAP/1.0\r\n\r\n\r\n\r\n"),
        ("spoe", b"\xff\xff\xff\xff" + b"zorblat"),
        ("spoe", b"\0\0\0\1z"),
    ],
)
def test_a_door_that_answers_nonsense_has_failed_and_the_test_goes_on(probe: str, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        port = server.getsockname()[1]

        def respond() -> None:
            with server.accept()[0] as client:
                client.recv(65536)
                client.sendall(answer)

        thread = threading.Thread(target=respond)
        thread.start()
        probes = {
            "http": ApiProbe(Http("127.0.0.1", port)), "icap": IcapProbe("127.0.0.1", port), "spoe": SpoeProbe("127.0.0.1", port),
            "hma": HmaProbe(Http("127.0.0.1", port), asks=True),
        }  # fmt: skip
        assert seen_by(probes[probe], selftest.CASES[0])[0] is Seen.FAILED
        thread.join()


def test_the_pictures_are_the_same_everywhere() -> None:
    listed, other = selftest.picture(), selftest.picture(listed=False)
    assert selftest.hash_entries()[0].value.hex() == "e5f0d1b1acac21c78a7e0ada823adfac1277db7a873c4def0be2e25e65da234b"
    assert listed != other
    for data in (listed, other):
        assert isinstance(hash_image(data), ImageHashes)


def test_a_key_signs_for_one_purpose_only(tmp_path: Path) -> None:
    from vigil.editions.node_signatures import CERTIFICATE, COUNTS, is_signed

    key = NodeKey.of(tmp_path)
    assert NodeKey.of(tmp_path).public == key.public
    assert (tmp_path / "node.key").stat().st_mode & 0o777 == 0o600
    signature = key.sign(COUNTS, b"x")
    assert is_signed(key.public, COUNTS, b"x", signature)
    assert not is_signed(key.public, CERTIFICATE, b"x", signature)
    assert not is_signed(key.public, COUNTS, b"y", signature)
    assert not is_signed("zz", COUNTS, b"x", signature)
    (tmp_path / "node.key").write_bytes(b"short")
    with pytest.raises(InputError):
        NodeKey.of(tmp_path)
    assert read(sign(Report(1, "n", "2026-11-22T10:00:00Z", None, "", ()), key)).report.good is False

"""Records of captures in the vault, as others read them; and pages over TLS, whose certificate is recorded."""

from __future__ import annotations

import hashlib
import http.server
import io
import ipaddress
import shlex
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from tests.hotline.reports.test_captures import reported
from tests.support.certificates import Authority, authority
from warcio.archiveiterator import ArchiveIterator

from vigil.base.errors import RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC, WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.reports.captures import claim_next, do_allow_captures, do_request_capture, run
from vigil.hotline.reports.fetch_process import ProcessFetcher, setup_of
from vigil.hotline.reports.fetcher import RouteFetcher
from vigil.hotline.reports.fetching import Address, Failure, Fetched, FetchError, fetchable
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Capture
from vigil.hotline.reports.routes import DirectRoute
from vigil.hotline.reports.warc import record_of
from vigil.hotline.settings.config import Capture as CaptureTable
from vigil.hotline.settings.config import Vault
from vigil.hotline.vault.actions import do_open
from vigil.hotline.vault.models import EvidenceObject, Purpose
from vigil.media import hash_image

PAGE = b"<p>zorblat, a benign page</p>"
HEADERS = (("Content-Type", "text/html"), ("Transfer-Encoding", "chunked"), ("X-Quimber", "two\r\nlines"))


class Memory:
    """A fetcher that brings one page."""

    def fetch(self, url: Address, limit: Limit, referrer: str = "") -> Fetched:
        return Fetched(200, "text/html", PAGE, url, HEADERS, ip="192.0.2.7")


@pytest.fixture
def analyst(make_user: Callable[..., User], settings: Any) -> User:
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, capture=CaptureTable(direct=True))
    do_allow_captures(OPERATOR, "Permit 7 of the authority of Quimber")
    return make_user(Role.ANALYST, username="anna")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "vault.key"
    path.parent.mkdir()
    path.write_text(f"k1 {'22' * 32}\n")
    path.chmod(0o600)
    return path


def switch_on(settings: Any, folder: Path, keys: Path) -> None:
    table = Vault(str(folder / "sealed"), str(keys), "Permit 7", 30)
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, vault=table)


def captured(analyst: User, fetcher: Any = None) -> Capture:
    """A capture that the worker has run."""
    requested = do_request_capture(analyst, *reported())
    claimed = claim_next()
    assert claimed is not None
    run(claimed, fetcher or Memory(), hash_image)
    return Capture.objects.get(pk=requested.pk)


def read(data: bytes) -> list[tuple[str, Any, bytes]]:
    """What an independent reader makes of a WARC file: kind, headers of the record, payload."""
    records = ArchiveIterator(io.BytesIO(data), check_digests="raise")
    return [(one.rec_type, one.rec_headers, one.content_stream().read()) for one in records]


class TestVault:
    def test_with_a_vault_the_worker_keeps_the_record_and_nobody_needs_to_look(
        self, analyst: User, settings: Any, keys: Path, tmp_path: Path
    ) -> None:
        switch_on(settings, tmp_path, keys)
        capture = captured(analyst)
        kept = EvidenceObject.objects.get()
        assert capture.status == "done" and UUID(capture.warc_ref) == kept.pk
        assert (kept.kind, kept.case, kept.mime, kept.created_by) == ("warc", capture.report_id, "application/warc", WORKER.label)
        assert [step.kind for step in kept.custody.all()] == ["acquired"]
        sealed = b"".join(path.read_bytes() for path in (tmp_path / "sealed").rglob("*.sealed"))
        assert b"zorblat" not in sealed
        (_, about, _), (kind, head, payload) = read(do_open(analyst, kept, Purpose.VERIFICATION))
        assert kind == "response" and payload == PAGE and head.get_header("WARC-IP-Address") == "192.0.2.7"
        assert head.get_header("WARC-Target-URI") == "http://gallery.example/room/7"
        assert about.get_header("WARC-Type") == "warcinfo"

    def test_the_worker_adds_and_never_looks(self, analyst: User, settings: Any, keys: Path, tmp_path: Path) -> None:
        switch_on(settings, tmp_path, keys)
        captured(analyst)
        with pytest.raises(RefusedError):
            do_open(WORKER, EvidenceObject.objects.get(), Purpose.VERIFICATION)

    def test_without_a_vault_nothing_of_the_page_is_kept(self, analyst: User) -> None:
        assert captured(analyst).warc_ref == "" and not EvidenceObject.objects.exists()

    def test_a_vault_that_cannot_take_it_costs_no_capture(self, analyst: User, settings: Any, tmp_path: Path) -> None:
        switch_on(settings, tmp_path, tmp_path / "no.key")
        capture = captured(analyst)
        assert capture.status == "done" and capture.warc_ref == "" and not EvidenceObject.objects.exists()


def test_headers_of_a_hostile_server_stay_headers() -> None:
    """A line end inside a header does not begin another one; the coding that was taken off is said under another name."""
    page = Memory().fetch(fetchable("http://gallery.example/"), Limit(1, "byte", ""))
    for record in ArchiveIterator(io.BytesIO(record_of(page, now(), UUID(int=7 << 64), "vigil test"))):
        if record.rec_type == "response":
            names = [name.lower() for name, _ in record.http_headers.headers]
            assert names == ["content-type", "x-crawler-transfer-encoding", "x-quimber"]


@contextmanager
def secure_server(lab: Authority) -> Iterator[int]:
    """A server on loopback with the laboratory's certificate."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *what: Any) -> None:
            """Nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.certificate, lab.key)
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class TestTls:
    ROUTE = DirectRoute((ipaddress.ip_network("127.0.0.0/8"),), lambda host, port: ["127.0.0.1"])

    def over_tls(self, port: int, host: str = "secure.example") -> Fetched:
        return RouteFetcher(self.ROUTE, seconds=10).fetch(fetchable(f"https://{host}:{port}/"), Limit(10_000, "bytes", "a test"))

    def test_the_certificate_is_recorded(self, analyst: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        lab = authority(tmp_path, "secure.example")
        monkeypatch.setenv("SSL_CERT_FILE", str(lab.authority))
        fingerprint = x509.load_pem_x509_certificate(lab.certificate.read_bytes()).fingerprint(hashes.SHA256()).hex()
        with secure_server(lab) as port:
            got = self.over_tls(port)
        assert got.body == PAGE and got.certificate == fingerprint and got.ip == "127.0.0.1"

        class Brought:
            def fetch(self, url: Address, limit: Limit, referrer: str = "") -> Fetched:
                return got

        capture = captured(analyst, Brought())
        assert capture.tls_fingerprint == fingerprint and capture.resolved_ip == "127.0.0.1"
        assert capture.page_sha256 == hashlib.sha256(PAGE).hexdigest()

    @pytest.mark.parametrize("trusted", [True, False])
    def test_the_fetching_process_records_the_certificate_of_a_real_server(
        self, analyst: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
    ) -> None:
        """The worker, its fetching process with an empty environment, and a server on loopback. The process trusts the
        laboratory because the program that starts it says so, as a machine's own store of authorities would."""
        lab = authority(tmp_path, "secure.example")
        program = tmp_path / "python"
        trust = f"SSL_CERT_FILE={shlex.quote(str(lab.authority))} " if trusted else ""
        program.write_text(f'#!/bin/sh\n{trust}exec {shlex.quote(sys.executable)} "$@"\n')
        program.chmod(0o700)
        monkeypatch.setattr("vigil.hotline.reports.fetch_process.sys.executable", str(program))
        fingerprint = x509.load_pem_x509_certificate(lab.certificate.read_bytes()).fingerprint(hashes.SHA256()).hex()
        with secure_server(lab) as port, closing(ProcessFetcher(setup_of("direct", allowed=("127.0.0.0/8",)))) as fetcher:
            report = do_submit_report(PUBLIC, Arrival(f"https://127.0.0.1:{port}/room/7"))
            url = report.submissions.get().url
            assert url is not None
            do_request_capture(analyst, report, url)
            claimed = claim_next()
            assert claimed is not None
            run(claimed, fetcher, hash_image)
        capture = Capture.objects.get(pk=claimed.pk)
        found = (capture.status, capture.tls_fingerprint, capture.resolved_ip, capture.page_sha256)
        if trusted:
            assert found == ("done", fingerprint, "127.0.0.1", hashlib.sha256(PAGE).hexdigest())
        else:
            assert (capture.status, capture.failure, capture.page_sha256) == ("failed", Failure.TLS_FAILED.value, "")

    @pytest.mark.parametrize("host", ["secure.example", "other.example"])
    def test_one_that_nobody_trusts_or_of_another_name_is_refused(
        self, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lab = authority(tmp_path, "secure.example")
        if host == "other.example":
            monkeypatch.setenv("SSL_CERT_FILE", str(lab.authority))
        with secure_server(lab) as port, pytest.raises(FetchError) as caught:
            self.over_tls(port, host)
        assert caught.value.failure is Failure.TLS_FAILED

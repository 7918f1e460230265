"""The upload gate against a real S3 server (moto's), a real node, and a hotline that takes reports: from event to release

or hold.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from tests.edge.world import Hotline, config_text, drawn_picture, hash_entry, running, served, sha256, until

from vigil.base.clock import FixedClock, SystemClock, text_of
from vigil.base.errors import InputError, RefusedError, UnavailableError
from vigil.client.uploads.config import Built, build, load
from vigil.client.uploads.events import uploads_of
from vigil.client.uploads.s3 import Credentials, S3Store, authorization
from vigil.client.uploads.server import GateServer
from vigil.client.uploads.webhooks import HEADER, ID, Notices, is_genuine, signature
from vigil.client.webhooks import Receiver

BUCKETS = ("incoming", "published", "quarantine", "held")
SECRET = "webhook-secret-zorblat-01"
LISTED, CLEAN = drawn_picture(1), drawn_picture(2)


def event(key: str, bucket: str = "incoming", name: str = "ObjectCreated:Put") -> bytes:
    record = {"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": urllib.parse.quote_plus(key), "size": 1}}}
    return json.dumps({"Records": [record]}).encode()


class Taker(BaseHTTPRequestHandler):
    """The partner door's report route and the platform's application, as far as the gate sees them."""

    status = 201
    reports: list[tuple[str, dict[str, Any]]]
    notices: list[tuple[str, str, bytes]]
    told: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/reports":
            assert self.headers["authorization"] == "Bearer sender-token"
            if type(self).status == 201:
                self.reports.append((self.headers["idempotency-key"], json.loads(body)))
            self._answer(type(self).status, b'{"ref": "7K2M-9QXD-41TZ", "duplicate": false, "state": "received"}')
        else:
            self.notices.append((self.headers[HEADER], self.headers[ID], body))
            self.told.append((dict(self.headers), body))
            self._answer(200, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


@pytest.fixture
def taker() -> Iterator[tuple[type[Taker], str]]:
    kind = type("OneTaker", (Taker,), {"reports": [], "notices": [], "told": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield kind, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """moto's S3 server as a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def s3(store: str) -> Any:
    return boto3.client("s3", endpoint_url=store, aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1")


def keys(client: Any, bucket: str) -> set[str]:
    return {row["Key"] for row in client.list_objects_v2(Bucket=bucket).get("Contents", [])}


@contextmanager
def gate(folder: Path, store: str, taker: str, node_port: int) -> Iterator[Built]:
    secrets = {"events": "event-token", "store-keys": "k\nsecret-zorblat", "hotline": "sender-token", "hook": SECRET}
    for name, text in secrets.items():
        (folder / name).write_text(text)
    (folder / "gate.toml").write_text(
        f"""state = "gate-state"
again_seconds = 0.2
[listen]
token_file = "events"
port = 0
[node]
address = "http://127.0.0.1:{node_port}"
[store]
endpoint = "{store}"
keys_file = "store-keys"
incoming = "incoming"
published = "published"
quarantine = "quarantine"
held = "held"
[hotline]
address = "{taker}"
token_file = "hotline"
service = "Quimber pictures"
[webhook]
address = "{taker}/hook"
secret_file = "hook"
"""
    )
    yield build(*load(folder / "gate.toml"), SystemClock())


def test_uploads_are_released_held_or_quarantined(store: str, taker: tuple[type[Taker], str], tmp_path: Path) -> None:
    kind, address = taker
    client = s3(store)
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)
    hotline = Hotline(tmp_path, SystemClock().now())
    with served(hotline):
        hotline.publish(hash_entry(4, "sha256", sha256(LISTED)))
        with running(config_text(hotline, tmp_path / "state")) as node, gate(tmp_path, store, address, node.port) as built:
            until(lambda: node.ask("GET", "/readyz").status == 200)
            server = GateServer(built)
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                for key, data in {"a b/ü.png": LISTED, "clean.png": CLEAN, "film.bin": b"zorblat" * 999}.items():
                    client.put_object(Bucket="incoming", Key=key, Body=data)
                    for _ in range(2):  # events come twice
                        assert post(server.port, event(key)) == 200
                until(lambda: not keys(client, "incoming"))
                assert keys(client, "published") == {"clean.png"}
                assert keys(client, "quarantine") == {"a b/ü.png"}
                assert keys(client, "held") == {"film.bin"}
                assert client.get_object(Bucket="published", Key="clean.png")["Body"].read() == CLEAN
                until(lambda: len(kind.notices) == 3)
                assert post(server.port, event("x"), token="wrong") == 401
                assert post(server.port, b"{zorblat") == 400
            finally:
                server.stop()
                thread.join()
            [(reference, report)] = kind.reports
            assert report["sha256"] == sha256(LISTED).hex() and len(report["pdq"]) == 64
            assert (report["service"], report["theme"], report["partner_ref"]) == ("Quimber pictures", "csam", reference)
            assert "ü" not in json.dumps(report) and "url" not in report
            for header, name, body in kind.notices:
                assert is_genuine(header, SECRET.encode(), body, int(name) // 1_000_000)
            outcomes = {json.loads(body)["key"]: json.loads(body)["outcome"] for _, _, body in kind.notices}
            assert outcomes == {"a b/ü.png": "quarantined", "clean.png": "released", "film.bin": "held"}
            # What no list knows goes to the hotline when a person says so; what is fit is published.
            assert built.gate.refer("film.bin", "made up words").ref == "7K2M-9QXD-41TZ"
            assert kind.reports[-1][1]["words"] == "made up words"
            assert keys(client, "quarantine") == {"a b/ü.png", "film.bin"}
            client.put_object(Bucket="held", Key="fine.png", Body=CLEAN)
            built.gate.release("fine.png")
            assert keys(client, "published") == {"clean.png", "fine.png"}
            built.client.close()


def test_nothing_is_published_while_node_store_or_hotline_are_away(
    store: str, taker: tuple[type[Taker], str], tmp_path: Path
) -> None:
    kind, address = taker
    client = s3(store)
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)
        for key in keys(client, bucket):
            client.delete_object(Bucket=bucket, Key=key)
    client.put_object(Bucket="incoming", Key="later.png", Body=LISTED)
    [upload] = uploads_of(event("later.png"))
    with gate(tmp_path, store, address, 1) as built:
        assert built.gate.handle(upload) == "later"
        built.client.close()
    hotline = Hotline(tmp_path, SystemClock().now())
    with served(hotline):
        hotline.publish(hash_entry(4, "sha256", sha256(LISTED)))
        with running(config_text(hotline, tmp_path / "state")) as node, gate(tmp_path, store, address, node.port) as built:
            until(lambda: node.ask("GET", "/readyz").status == 200)
            kind.status = 503
            with pytest.raises(UnavailableError):
                built.gate.handle(upload)
            assert keys(client, "incoming") == {"later.png"}
            assert keys(client, "published") == keys(client, "quarantine") == set()
            kind.status = 201
            assert built.gate.handle(upload) == "quarantined"
            assert built.gate.handle(upload) == "gone"
            built.client.close()
    unreachable = S3Store("http://127.0.0.1:1", Credentials("k", "s"), SystemClock().now)
    with pytest.raises(UnavailableError):
        unreachable.read("incoming", "x", 10)


def test_a_file_that_changed_after_it_was_read_is_not_published(store: str) -> None:
    client = s3(store)
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)
    client.put_object(Bucket="incoming", Key="changing", Body=b"first")
    ours = S3Store(store, Credentials("k", "s"), SystemClock().now)
    read = ours.read("incoming", "changing", 100)
    assert read is not None and read.data == b"first"
    client.put_object(Bucket="incoming", Key="changing", Body=b"second")
    with pytest.raises(UnavailableError) as refused:
        ours.copy("incoming", "published", "changing", read.etag)
    assert refused.value.code == "object_gone"
    assert "changing" not in keys(client, "published")
    assert ours.read("incoming", "changing", 3) is None
    ours.delete("incoming", "nothing")


def test_the_signature_is_the_one_that_the_store_s_own_client_makes() -> None:
    moment = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    store = S3Store("http://s3.example:9000", Credentials("key-zorblat", "secret-quimber", "eu-test-1"), lambda: moment)
    path = "/bucket/a%20b"
    headers = store._signed("GET", path, {})
    request = AWSRequest("GET", f"http://s3.example:9000{path}")
    request.headers["X-Amz-Content-SHA256"] = headers["x-amz-content-sha256"]
    request.context["timestamp"] = headers["x-amz-date"]
    request.headers["X-Amz-Date"] = headers["x-amz-date"]
    theirs = S3SigV4Auth(BotoCredentials("key-zorblat", "secret-quimber"), "s3", "eu-test-1")
    text = theirs.string_to_sign(request, theirs.canonical_request(request))
    assert headers["authorization"].endswith(f"Signature={theirs.signature(text, request)}")
    without = {name: value for name, value in headers.items() if name != "authorization"}
    assert authorization("PUT", path, without, Credentials("k", "s")) != headers["authorization"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"Records": 5}', b'{"Records": [{"eventName": "ObjectCreated:Put"}]}', b"\xff", b'{"Message": "x"}']
)
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(InputError):
        uploads_of(body)


def test_other_events_and_envelopes_are_understood() -> None:
    assert uploads_of(b'{"Service": "test", "Event": "s3:TestEvent"}') == []
    assert uploads_of(event("x", name="ObjectRemoved:Delete")) == []
    wrapped = json.dumps({"Type": "Notification", "Message": event("a b+c.png").decode()}).encode()
    assert [upload.key for upload in uploads_of(wrapped)] == ["a b+c.png"]
    assert "a b" not in repr(uploads_of(wrapped))


def test_notices_are_signed_retried_and_kept(taker: tuple[type[Taker], str], tmp_path: Path) -> None:
    clock = FixedClock(datetime(2026, 11, 22, tzinfo=UTC))
    away = Notices(tmp_path, "http://127.0.0.1:1/", SECRET.encode(), clock.now)
    away.post({"event": "upload", "n": 1})
    away.post({"event": "upload", "n": 2})
    assert [away.round() for _ in range(4)] == [1.0, 2.0, 4.0, 8.0]
    assert len(away.waiting()) == 2
    kind, address = taker
    Notices(tmp_path, f"{address}/hook", SECRET.encode(), clock.now).round()
    assert [json.loads(body)["n"] for _, _, body in kind.notices] == [1, 2]
    header, _, body = kind.notices[0]
    moment = int(clock.now().timestamp())
    assert is_genuine(header, SECRET.encode(), body, moment)
    assert not is_genuine(header, SECRET.encode(), body + b" ", moment)
    assert not is_genuine(header, b"another secret 01", body, moment)
    assert not is_genuine(header, SECRET.encode(), body, moment + 301)
    assert not is_genuine("t=x,v1=y", SECRET.encode(), body, moment)
    assert signature(b"k" * 16, 5, b"x") != signature(b"k" * 16, 6, b"x")
    with pytest.raises(InputError):
        Notices(tmp_path, address, b"short", clock.now)


def test_notices_under_a_secret_of_the_standard_are_read_by_its_receivers(taker: tuple[type[Taker], str], tmp_path: Path) -> None:
    clock, (kind, address) = FixedClock(datetime(2026, 11, 22, 8, tzinfo=UTC)), taker
    secret = "whsec_" + base64.b64encode(b"zorblat quimber webhook 01").decode()
    gate = Notices(tmp_path, f"{address}/hook", secret.encode(), clock.now)
    gate.post({"event": "upload", "key": "a.png", "outcome": "held"})
    told_at = clock.now()
    clock.advance(minutes=20)  # sent again later: signed anew, told of the same moment
    assert gate.round() == 1.0 and not gate.waiting()
    [(said, body)] = kind.told
    receiver = Receiver([secret])
    notice = receiver.read(said, body, clock.now())
    assert notice is not None and (notice.type, notice.data) == ("upload.decided", {"key": "a.png", "outcome": "held"})
    assert json.loads(body)["timestamp"] == text_of(told_at) and HEADER not in said
    assert receiver.read(said, body, clock.now()) is None, "one that comes twice is the same"
    with pytest.raises(RefusedError):
        Receiver(["whsec_" + base64.b64encode(b"z" * 24).decode()]).read(said, body, clock.now())
    for wrong in ("whsec_c2hvcnQ=", "whsec_zorblat quimber no base64"):
        with pytest.raises(InputError):
            Notices(tmp_path, address, wrong.encode(), clock.now)


def post(port: int, body: bytes, token: str = "event-token") -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/events", body, {"authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()

"""Notices to a platform's own application, taken by receivers of every kind: honest, deaf, broken, leading elsewhere, forged."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.edge.world import Hotline, config_text, drawn_picture, hash_entry, running, sha256, until, url_entry

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError, VigilError
from vigil.base.webhooks import headers, secret_of
from vigil.client.webhooks import REMEMBERED, Receiver
from vigil.edge.journal import journal
from vigil.edge.webhooks import notices, queue, sending
from vigil.edge.webhooks.queue import KEEP, Queue
from vigil.edge.webhooks.sending import Sender, may_reach
from vigil.edge.webhooks.settings import Endpoint, Event, Secret, webhook_rules

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"zorblat quimber webhook 01").decode()
OTHER = "whsec_" + base64.b64encode(b"zorblat quimber webhook 02").decode()
PAGE = "http://zorblat.example/quimber"


class Taker(BaseHTTPRequestHandler):
    """A platform's application, as good or bad as it is told to be."""

    status = 204
    told: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.told.append((dict(self.headers), body))
        self.send_response(type(self).status)
        if type(self).status == 302:
            self.send_header("location", self.path + "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


@contextmanager
def taker() -> Iterator[tuple[type[Taker], str]]:
    kind = type("OneTaker", (Taker,), {"told": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield kind, f"http://127.0.0.1:{server.server_address[1]}/hook"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def endpoint(url: str, *, private: bool = True, secrets: tuple[str, ...] = (SECRET,)) -> Endpoint:
    return Endpoint(url, frozenset(Event), private, tuple(Secret(secret_of(each) or b"") for each in secrets))


def table(state: Path, url: str, more: str = "") -> str:
    secret = state.parent / "webhook.secret"
    secret.write_text(SECRET + "\n")
    return f'[[webhooks]]\nurl = "{url}"\nsecret_file = "{secret}"\nprivate = true\n{more}'


def of(kind: type[Taker], event: Event) -> list[dict[str, Any]]:
    """What was told of one kind, each notice checked as a platform checks it, each once."""
    receiver = Receiver([SECRET])
    found = []
    for said, body in list(kind.told):
        notice = receiver.read(said, body, datetime.now(UTC))
        if notice is not None and notice.type == event:
            found.append(dict(notice.data))
    return found


def test_a_file_is_taken_now_and_its_verdict_told_later(hotline: Hotline, state: Path) -> None:
    listed, clean = drawn_picture(1), drawn_picture(2)
    hotline.publish(url_entry(1, PAGE), hash_entry(2, "sha256", sha256(listed)))
    with taker() as (kind, url), running(config_text(hotline, state, table(state, url))) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        names = {}
        for data, verdict in ((listed, "listed"), (clean, "not_listed"), (b"no picture", "unknown")):
            answer = node.ask("POST", "/v1/match", data, content_type="image/png", prefer="handling=strict, respond-async")
            assert (answer.status, answer.headers["preference-applied"], set(answer.json)) == (202, "respond-async", {"id"})
            names[answer.json["id"]] = verdict
        until(lambda: len(of(kind, Event.MEDIA_VERDICT)) == 3)
        told = {each["id"]: each for each in of(kind, Event.MEDIA_VERDICT)}
        assert {name: each["verdict"] for name, each in told.items()} == names
        found = next(each for each in told.values() if each["verdict"] == "listed")
        assert (found["entry"], found["list"], found["action"]) == (2, "pictures", "block")
        assert node.ask("POST", "/v1/match", b"", content_type="image/png", prefer="respond-async").status == 400
        until(lambda: not list((state / "webhooks" / "pending").iterdir()))  # the receiver has them before the node knows it
        until(lambda: b"vigil_edge_webhooks_waiting 0.0" in node.ask("GET", "/metrics").body)
        everything = b"".join(body for _, body in kind.told)
        assert sha256(listed).hex().encode() not in everything and b"zorblat" not in everything
    assert "127.0.0.1" not in "".join(json.dumps(event) for event in node.events() if event["event"].startswith("webhook"))


def test_without_a_receiver_the_wish_is_passed_over(hotline: Hotline, state: Path) -> None:
    hotline.publish()
    with (
        taker() as (kind, url),
        running(config_text(hotline, state, table(state, url, 'events = ["edition.in_force"]\n'))) as node,
    ):
        until(lambda: node.ask("GET", "/readyz").status == 200)
        answer = node.ask("POST", "/v1/match", drawn_picture(1), content_type="image/png", prefer="respond-async")
        assert (answer.status, answer.json["verdict"]) == (200, "not_listed")
        until(lambda: of(kind, Event.EDITION_IN_FORCE) == [{"edition": 1, "previous": None}])


def test_editions_and_withdrawals_are_told_once(hotline: Hotline, state: Path) -> None:
    gone = hash_entry(7, "pdq", bytes(range(32)))
    hotline.publish(url_entry(1, PAGE), url_entry(2, "http://quimber.example/"), gone)
    with taker() as (kind, url):
        text = config_text(hotline, state, table(state, url))
        with running(text) as node:
            until(lambda: of(kind, Event.EDITION_IN_FORCE))
            hotline.publish(url_entry(2, "http://quimber.example/"), url_entry(3, "http://other.example/"))
            until(lambda: of(kind, Event.ENTRIES_WITHDRAWN))
            assert of(kind, Event.ENTRIES_WITHDRAWN) == [{"edition": 2, "entries": [1, 7], "total": 2}]
            until(lambda: node.node.webhooks.waiting == 0)
        with running(text) as node:
            until(lambda: node.node.state.enforced is not None)
            hotline.publish(url_entry(3, "http://other.example/"))
            until(lambda: len(of(kind, Event.ENTRIES_WITHDRAWN)) == 2 and len(of(kind, Event.EDITION_IN_FORCE)) == 3)
        assert of(kind, Event.EDITION_IN_FORCE) == [
            {"edition": 1, "previous": None}, {"edition": 2, "previous": 1}, {"edition": 3, "previous": 2},
        ]  # fmt: skip
        assert of(kind, Event.ENTRIES_WITHDRAWN)[1]["entries"] == [2]


def test_an_upload_whose_process_ended_is_told_as_unknown(tmp_path: Path) -> None:
    clock = FixedClock(NOW)
    told = notices.Webhooks(tmp_path, (endpoint("http://127.0.0.1:9/"),), 20.0, clock, journal("n-1", io.StringIO()))
    name = told.take()
    told.sweep()
    assert told.waiting == 0
    clock.advance(seconds=81)
    told.sweep()
    told.sweep()
    (path,) = next(folder for folder in (tmp_path / "webhooks").iterdir() if (folder / "refused").exists()).glob("*.json")
    data = json.loads(path.read_bytes())["data"]
    assert (data["id"], data["verdict"], data["reason"]) == (name, "unknown", "interrupted")


def test_more_than_fits_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (notices, queue):
        monkeypatch.setattr(module, "MOST", 2)
    told = notices.Webhooks(tmp_path, (endpoint("http://127.0.0.1:9/"),), 20.0, FixedClock(NOW), journal("n-1", io.StringIO()))
    for _ in range(3):
        told.tell(Event.EDITION_IN_FORCE, {"edition": 1})
    assert (told.waiting, told.lost, told.take()) == (2, 1, None)


class Line:
    """A sender, its queue and its clock."""

    def __init__(self, folder: Path, url: str, **more: Any) -> None:
        self.clock = FixedClock(NOW)
        self.queue = Queue(folder, url)
        self.log = io.StringIO()
        resolve = more.pop("resolve", sending.addresses_of)
        self.sender = Sender(endpoint(url, **more), self.queue, self.clock, journal("n-1", self.log), resolve)

    def codes(self) -> list[str]:
        return [json.loads(line)["code"] for line in self.log.getvalue().splitlines()]


def test_errors_and_redirects_are_tried_again_ever_more_rarely(tmp_path: Path) -> None:
    with taker() as (kind, url):
        line = Line(tmp_path, url)
        line.queue.post(b"{}", NOW)
        pauses = []
        for kind.status in (500, 503, 302, 404, 429):
            pauses.append(line.sender.round())
        assert all(0.5 * 2**step <= pause <= 2**step for step, pause in enumerate(pauses))
        assert len(kind.told) == 5 and len(line.queue) == 1, "a redirect is not followed"
        assert len({said["webhook-id"] for said, _ in kind.told}) == 1, "the same notice has the same name"
        kind.status = 200
        assert line.sender.round() < 1
        assert len(line.queue) == 0
        assert line.codes() == ["webhook_unwanted", "webhook_redirects", "webhook_unwanted", "done"]


def test_what_is_never_taken_is_put_aside_and_the_next_one_goes_on(tmp_path: Path) -> None:
    with taker() as (kind, url):
        line = Line(tmp_path, url)
        line.queue.post(b'{"a":1}', NOW - KEEP - timedelta(minutes=1))
        line.queue.post(b'{"b":1}', NOW)
        kind.status = 410
        line.sender.round()
        assert [body for _, body in kind.told] == [b'{"b":1}'], "the other one was too old to be sent"
        assert (len(line.queue), len(list(line.queue.refused.iterdir())), line.sender.given_up) == (0, 2, 2)


@pytest.mark.parametrize("manner", ["hangs", "drips", "closes", "babbles"])
def test_a_receiver_that_hangs_costs_its_own_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manner: str) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.4)
    over = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            if manner == "drips":
                while not over.wait(0.05):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return
            elif manner == "babbles":
                connection.sendall(b"zorblat\r\n" * 100)
            elif manner == "hangs":
                over.wait(20)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        line = Line(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        line.queue.post(b"{}", NOW)
        assert line.sender.round() >= 0.5
        over.set()
        thread.join(20)
    assert len(line.queue) == 1 and line.codes() == ["webhook_unreachable"]


def test_a_handshake_that_drips_is_cut_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in good time; a limit for each read alone would wait for all of them."""
    monkeypatch.setattr(sending, "SECONDS", 0.4)
    cut = threading.Event()
    record = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(100)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            for byte in record:
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    cut.set()
                    return
                cut.wait(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        line = Line(tmp_path, f"https://127.0.0.1:{listener.getsockname()[1]}/")
        line.queue.post(b"{}", NOW)
        assert line.sender.round() >= 0.5
        thread.join(20)
    assert cut.is_set() and len(line.queue) == 1 and line.codes() == ["webhook_unreachable"]


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("127.0.0.1", False, True),
        ("10.1.2.3", False, True),
        ("::1", False, True),
        ("fd00::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("fe80::1%lo", False, False),
        ("0.0.0.0", False, False),
        ("224.0.0.1", False, False),
        ("1.1.1.1", True, True),
    ],
)
def test_where_notices_may_go(address: str, public: bool, private: bool) -> None:
    assert (may_reach(address, private=False), may_reach(address, private=True)) == (public, private)


def test_a_name_that_leads_into_the_house_is_not_asked(tmp_path: Path) -> None:
    with taker() as (kind, url):
        for resolve in (lambda host, port: ["1.1.1.1", "127.0.0.1"], lambda host, port: []):
            line = Line(tmp_path, url, private=False, resolve=resolve)
            line.queue.post(b"{}", NOW)
            line.sender.round()
            assert line.codes() == ["webhook_address"]
        assert kind.told == []


def test_the_vector_of_the_standard() -> None:
    """The example in the documentation of Standard Webhooks."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


BODY = b'{"type":"edition.in_force","timestamp":"2026-11-22T10:00:00Z","data":{"edition":7}}'


def signed(moment: datetime = NOW, body: bytes = BODY, *secrets: str) -> dict[str, str]:
    keys = [secret_of(each) or b"" for each in secrets or (SECRET,)]
    return headers("msg_1", int(moment.timestamp()), body, keys)


def test_a_receiver_takes_what_is_genuine_once() -> None:
    receiver = Receiver([OTHER, SECRET])
    notice = receiver.read({name.title(): value for name, value in signed().items()}, BODY, NOW + timedelta(minutes=4))
    assert notice is not None
    assert (notice.id, notice.type, dict(notice.data)) == ("msg_1", "edition.in_force", {"edition": 7})
    assert receiver.read(signed(NOW + timedelta(minutes=2)), BODY, NOW + timedelta(minutes=2)) is None, "sent again"
    assert Receiver([SECRET]).read(signed(NOW, BODY, OTHER, SECRET), BODY, NOW) is not None, "while the secret is changed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"webhook-signature": "v1,AAAA"}, "webhook_forged"),
        ({"webhook-signature": ""}, "webhook_forged"),
        ({"webhook-signature": "v1,\udcff\u00fc"}, "webhook_forged"),
        ({"webhook-signature": signed(NOW, BODY, OTHER)["webhook-signature"]}, "webhook_forged"),
        ({"webhook-id": "msg_2"}, "webhook_forged"),
        ({"webhook-id": ""}, "webhook_malformed"),
        ({"webhook-id": "\u00fc"}, "webhook_malformed"),
        ({"webhook-timestamp": "x"}, "webhook_malformed"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, "webhook_forged"),
        ({"webhook-timestamp": "0"}, "webhook_old"),
    ],
)
def test_a_receiver_refuses_what_is_not(change: dict[str, str], code: str) -> None:
    with pytest.raises(VigilError) as refused:
        Receiver([SECRET]).read(signed() | change, BODY, NOW)
    assert refused.value.code == code


def test_a_receiver_refuses_a_body_that_was_changed_or_is_none() -> None:
    receiver = Receiver([SECRET])
    with pytest.raises(RefusedError):
        receiver.read(signed(), BODY.replace(b"7", b"8"), NOW)
    for body in (b"no json", b"[]", b"x" * 70_000):
        with pytest.raises(InputError):
            receiver.read(signed(NOW, body), body, NOW)
    for secret in ("", "whsec_AAAA", "zorblat", "whsec_\u00fc"):
        with pytest.raises(InputError):
            Receiver([secret] if secret else [])


def test_a_receiver_forgets_what_cannot_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigil.client.webhooks.REMEMBERED", 2)
    receiver = Receiver([SECRET])
    for number in range(4):
        body = BODY.replace(b"7", b"%d" % number)
        moment = int(NOW.timestamp())
        assert receiver.read(headers(f"msg_{number}", moment, body, [secret_of(SECRET) or b""]), body, NOW) is not None
    assert len(receiver._seen) == 2 < REMEMBERED


def test_a_notice_that_many_threads_get_at_once_is_new_to_one_of_them() -> None:
    receiver, begin = Receiver([SECRET]), threading.Barrier(8)

    def take(_: int) -> bool:
        begin.wait()
        return receiver.read(signed(), BODY, NOW) is not None

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, range(8))) == 1


@pytest.mark.parametrize(
    "url",
    ["http://app.example/", "ftp://127.0.0.1/", "https://u@app.example/", "https://", "https://a b/", "http://127.0.0.1:0/"],
)
def test_addresses_that_cannot_be_receivers(url: str) -> None:
    from vigil.edge.webhooks.settings import Webhook

    assert not all(holds for _, holds, _ in webhook_rules((Webhook(url=url, secret_file="s"),)))


@pytest.mark.parametrize("secret", ["", "zorblat", "whsec_AAAA", SECRET + "\nzorblat"])
def test_a_file_without_a_secret_is_refused(hotline: Hotline, state: Path, secret: str) -> None:
    text = config_text(hotline, state, table(state, "https://app.example/"))
    (state.parent / "webhook.secret").write_text(secret)
    with pytest.raises(InputError) as refused, running(text):
        pass
    assert refused.value.code == "webhook_secret"

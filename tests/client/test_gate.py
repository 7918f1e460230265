"""The upload gate where its own disk, its visitors or a half-done step are odd: nothing is lost, nothing is told too early."""

from __future__ import annotations

import errno
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from vigil.base.clock import FixedClock
from vigil.base.errors import UnavailableError
from vigil.client import Client, FailClosed
from vigil.client.results import Listed, NotListed, Unknown, Verdict
from vigil.client.uploads import server as gate_server
from vigil.client.uploads import webhooks
from vigil.client.uploads.config import Built, GateFile, Listen, NodeAt, StoreAt
from vigil.client.uploads.events import EVENT_BYTES, Uploaded
from vigil.client.uploads.gate import Buckets, Outcome, UploadGate
from vigil.client.uploads.s3 import Read
from vigil.client.uploads.server import GateServer
from vigil.client.uploads.webhooks import Notices
from vigil.media import Unhashable

NOWHERE = "http://127.0.0.1:1"
CLOCK = FixedClock(datetime(2026, 11, 22, 9, tzinfo=UTC))
BUCKETS = Buckets("incoming", "published", "quarantine", "held")
CLEAN = NotListed(edition=3, signal="media")
LISTED = Listed(edition=3, signal="sha256", list="pictures", entry=4, distance=0, labels=())
EVENT = json.dumps(
    {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "incoming"}, "object": {"key": "a.png"}}}]}
).encode()


class Steps:
    """A store, an application and a hotline that write down in which order they are used; one step may fail."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.done: list[str] = []

    def _do(self, step: str) -> None:
        if step == self.failing:
            raise UnavailableError("away", "It does not answer.")
        self.done.append(step)

    def read(self, bucket: str, key: str, most: int) -> Read | None:
        return Read(b"zorblat", "etag")

    def copy(self, source: str, target: str, key: str, etag: str) -> None:
        self._do(f"copy {source} {target}")

    def delete(self, bucket: str, key: str) -> None:
        self._do(f"delete {bucket}")

    def tell(self, document: dict[str, Any]) -> None:
        self._do(f"tell {document['outcome']}")

    def report(self, found: Any, *, reference: str, observed_at: str, words: str = "") -> Any:
        self._do("report")
        return None


def gate(steps: Steps, verdict: Verdict = CLEAN) -> UploadGate:
    return UploadGate(
        store=steps, buckets=BUCKETS, ask=lambda data: verdict, hashes=lambda data: Unhashable("", "", "", "not_an_image"),
        clock=CLOCK, tell=steps.tell, reporter=steps,
    )  # fmt: skip


# ---- the order of steps

ORDERS = {
    "clean": (CLEAN, ["copy incoming published", "tell released", "delete incoming"]),
    "listed": (LISTED, ["report", "copy incoming quarantine", "tell quarantined", "delete incoming"]),
    "unknown": (Unknown(allowed=False, edition=3, signal="media", reason="not_an_image"),
                ["copy incoming held", "tell held", "delete incoming"]),
}  # fmt: skip


@pytest.mark.parametrize("which", ORDERS)
def test_the_original_goes_last_and_nothing_is_told_before_it_is_so(which: str) -> None:
    verdict, order = ORDERS[which]
    for stop, failing in enumerate(order):
        steps = Steps(failing)
        with pytest.raises(UnavailableError):
            gate(steps, verdict).handle(Uploaded("incoming", "a.png"))
        assert steps.done == order[:stop], "what comes after a step that failed is not done"
        steps.failing = ""
        gate(steps, verdict).handle(Uploaded("incoming", "a.png"))
        assert steps.done[stop:] == order, "and all of it is done the next time"


def test_a_person_s_release_is_published_then_told_then_no_longer_held() -> None:
    order = ["copy held published", "tell released", "delete held"]
    for stop, failing in enumerate(order):
        steps = Steps(failing)
        with pytest.raises(UnavailableError):
            gate(steps).release("a.png")
        assert steps.done == order[:stop]
        steps.failing = ""
        gate(steps).release("a.png")
        assert steps.done[stop:] == order


# ---- a gate that listens


@contextmanager
def listening(folder: Path, steps: Steps) -> Iterator[GateServer]:
    """A gate whose parts are ours, without a thread that works: a test calls the rounds itself."""
    store = StoreAt(endpoint=NOWHERE, keys_file="k", incoming="incoming", published="p", quarantine="q", held="h")
    file = GateFile(state="s", listen=Listen(token_file="t", port=0), node=NodeAt(address=NOWHERE), store=store)
    notices = Notices(folder / "notices", NOWHERE, b"zorblat" * 4, CLOCK.now)
    made = UploadGate(
        store=steps, buckets=BUCKETS, ask=lambda data: CLEAN, hashes=lambda data: Unhashable("", "", "", "not_an_image"),
        clock=CLOCK, tell=notices.post,
    )  # fmt: skip
    with Client(NOWHERE, policy=FailClosed()) as client:
        server = GateServer(Built(file, made, client, notices, "event-token", folder))
        taking = threading.Thread(target=server._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        taking.start()
        try:
            yield server
        finally:
            server._http.shutdown()
            server._http.server_close()
            taking.join()


def posted(port: int, body: bytes, *lengths: str) -> tuple[int, Any]:
    """Status and document of an answer to an event that says it is so long; without ``lengths`` it says the truth."""
    said = [f"Content-Length: {length}" for length in (lengths or (str(len(body)),))]
    head = "\r\n".join(["POST /events HTTP/1.1", "Host: x", "Authorization: Bearer event-token", *said])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(head.encode("latin-1") + b"\r\n\r\n" + body)
        data = b""
        while piece := line.recv(65536):
            data += piece
    top, _, rest = data.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(rest)


@pytest.mark.parametrize("length", ["", "zorblat", "-1", "+5", "1e3", "0x10", "\u00b2", "5 5", "9" * 10, str(EVENT_BYTES + 1)])
def test_a_length_that_is_none_is_refused_before_anything_is_read(tmp_path: Path, length: str) -> None:
    with listening(tmp_path, Steps()) as server:
        assert posted(server.port, EVENT, length) == (413, {"code": "event_too_large"})
        assert server.waiting.all() == []
        assert posted(server.port, EVENT) == (200, {"taken": 1}), "and the next event is taken"


def full(*arguments: Any, **named: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_event_that_the_full_disk_cannot_keep_is_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(tmp_path, Steps()) as server:
        with monkeypatch.context() as disk:
            disk.setattr(gate_server, "write_atomically", full)
            assert posted(server.port, EVENT) == (503, {"code": "event_not_kept"}), "the store must not take it for kept"
            assert server.waiting.all() == []
        assert posted(server.port, EVENT) == (200, {"taken": 1})
        assert [upload.key for _, upload in server.waiting.all()] == ["a.png"]


def test_an_upload_whose_notice_the_full_disk_cannot_keep_stays_and_is_decided_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    steps = Steps()
    with listening(tmp_path, steps) as server:
        assert server.take(EVENT) == 1
        with monkeypatch.context() as disk:
            disk.setattr(webhooks, "write_atomically", full)
            server._work()
        assert steps.done == ["copy incoming published"], "the original is not removed before the application can be told"
        assert len(server.waiting.all()) == 1 and server.built.notices is not None and not server.built.notices.waiting()
        assert "a.png" not in caplog.text and "No space left" in caplog.text
        server._work()
        assert steps.done[1:] == ["copy incoming published", "delete incoming"]
        assert server.waiting.all() == [] and len(server.built.notices.waiting()) == 1
        [kept] = server.built.notices.waiting()
        assert json.loads(kept.read_bytes())["outcome"] == Outcome.RELEASED

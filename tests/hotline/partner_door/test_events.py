"""The event stream: who may listen, what is told, and that nobody can make it costly. A real listener at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vigil.editions.listen import Listener
from vigil.editions.refusal import EditionUnreachable
from vigil.hotline.doors.partner import events
from vigil.hotline.doors.partner.events import EventStream

TOKEN = "Bearer zorblat-quimber-0001"


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.01)


@dataclass
class Stream:
    """A stream in a thread of its own."""

    folder: Path
    port: int = 0
    asked: list[str] = field(default_factory=list)
    stream: EventStream = field(init=False)

    def __post_init__(self) -> None:
        self.stream = EventStream(self.folder / "timestamp.json", self.admits)
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        until(lambda: self.port != 0)

    async def admits(self, header: str) -> bool:
        self.asked.append(header)
        return header == TOKEN

    def _run(self) -> None:
        self._task = self._loop.create_task(self.stream.serve("127.0.0.1", 0, lambda port: setattr(self, "port", port)))
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.close()

    def close(self) -> None:
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def sign(self, version: int) -> None:
        """Replace the file as a publication does."""
        part = self.folder / "part"
        part.write_text(json.dumps({"signed": {"version": version}, "signatures": []}))
        part.replace(self.folder / "timestamp.json")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def say(self, text: str) -> bytes:
        with self.connect() as peer:
            peer.sendall(text.encode())
            return peer.recv(65536)


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    found = Stream(tmp_path)
    try:
        yield found
    finally:
        found.close()


def listening(stream: Stream, heard: list[int], token: str = "zorblat-quimber-0001") -> tuple[Listener, threading.Thread]:
    opened = threading.Event()
    address = f"http://127.0.0.1:{stream.port}/v1/events"
    listener = Listener(address, token, lambda: heard.append(1), opened.set)
    ended = threading.Thread(target=_listen, args=(listener,))
    ended.start()
    assert opened.wait(10)
    return listener, ended


def _listen(listener: Listener) -> None:
    with contextlib.suppress(EditionUnreachable):
        listener.listen()


def test_each_new_signature_is_heard_by_everyone(stream: Stream) -> None:
    stream.sign(1)
    heard: list[list[int]] = [[], [], []]
    listeners = [listening(stream, each) for each in heard]
    until(lambda: all(heard))  # what stands already is told at once: something may have been missed
    before = [len(each) for each in heard]
    stream.sign(2)
    until(lambda: all(len(each) > count for each, count in zip(heard, before, strict=True)))
    for listener, thread in listeners:
        listener.close()
        thread.join(10)
        assert not thread.is_alive()
    until(lambda: len(stream.stream) == 0)


def test_a_number_is_all_that_is_told(stream: Stream) -> None:
    stream.sign(41)
    answer = b""
    with stream.connect() as peer:
        peer.sendall(f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\n\r\n".encode())
        while b"data" not in answer:
            answer += peer.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: text/event-stream" in head and b"Cache-Control: no-store" in head
    assert body == b"retry: 5000\n\nevent: edition\nid: 41\ndata: 41\n\n"


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /v1/events HTTP/1.1\r\n\r\n", b"401"),
        ("GET /v1/events HTTP/1.1\r\nAuthorization: Bearer other\r\n\r\n", b"401"),
        ("GET /v1/other HTTP/1.1\r\nAuthorization: x\r\n\r\n", b"404"),
        ("POST /v1/events HTTP/1.1\r\nAuthorization: x\r\n\r\n", b"400"),
        ("quimber\r\n\r\n", b"400"),
    ],
)
def test_nobody_else_listens(stream: Stream, request_text: str, status: bytes) -> None:
    assert stream.say(request_text).split(b" ")[1] == status
    assert len(stream.stream) == 0


def test_a_listener_learns_that_its_token_does_not_count(stream: Stream) -> None:
    listener = Listener(f"http://127.0.0.1:{stream.port}/v1/events", "another-token", lambda: None)
    with pytest.raises(EditionUnreachable) as found:
        listener.listen()
    assert found.value.code == "not_allowed"


def test_heads_that_drip_or_never_end_are_ended(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEAD_SECONDS", 0.2)
    with stream.connect() as slow:
        slow.sendall(b"GET /v1/events")
        assert slow.recv(100) == b""
    with stream.connect() as long:
        with contextlib.suppress(OSError):
            long.sendall(b"GET /v1/events HTTP/1.1\r\n" + b"x" * 100_000)
        with contextlib.suppress(ConnectionResetError):
            assert long.recv(100) == b""


def test_listeners_are_bounded_and_their_tokens_looked_at_again(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LISTENERS", type(events.LISTENERS)(1, "", ""))
    monkeypatch.setattr(events, "STREAM_SECONDS", 0.5)
    head = f"GET /v1/events HTTP/1.1\r\nAuthorization: {TOKEN}\r\n\r\n"
    with stream.connect() as first:
        first.sendall(head.encode())
        until(lambda: len(stream.stream) == 1)
        assert stream.say(head).split(b" ")[1] == b"503"
        while first.recv(65536):
            pass
    until(lambda: len(stream.stream) == 0)
    assert len(stream.asked) == 2


def test_who_does_not_read_is_dropped(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "UNREAD_BYTES", type(events.UNREAD_BYTES)(-1, "", ""))
    with stream.connect() as peer:
        peer.sendall(f"GET /v1/events HTTP/1.1\r\nAuthorization: {TOKEN}\r\n\r\n".encode())
        until(lambda: len(stream.stream) == 1)
        stream.sign(7)
        until(lambda: len(stream.stream) == 0)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nzorblat", b"HTTP/1.1 500 x\r\n\r\n", b""])
def test_what_is_no_stream_is_not_taken_for_one(answer: bytes) -> None:
    heard: list[int] = []
    with _answering(answer) as port, pytest.raises(EditionUnreachable):
        Listener(f"http://127.0.0.1:{port}/v1/events", None, lambda: heard.append(1)).listen()
    assert not heard


@pytest.mark.parametrize("body", [b"x" * 10_000, b"event: other\n\n" * 20, b"data: 1\n\n", b"\xff\xfe\n\n"])
def test_a_hostile_stream_makes_nobody_pull_and_ends(body: bytes) -> None:
    heard: list[int] = []
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    with _answering(head + body) as port, contextlib.suppress(EditionUnreachable):
        Listener(f"http://127.0.0.1:{port}/v1/events", None, lambda: heard.append(1)).listen()
    assert not heard


def test_a_stream_that_falls_silent_is_given_up() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    with _answering(head, hold=True) as port, pytest.raises(EditionUnreachable):
        Listener(f"http://127.0.0.1:{port}/v1/events", None, lambda: None, gap=0.2).listen()


@contextlib.contextmanager
def _answering(content: bytes, *, hold: bool = False) -> Iterator[int]:
    """A peer that answers one connection with these bytes."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(content)
                if hold:
                    done.wait(10)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        done.set()
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_the_door_asks_the_same_rows_as_for_every_request() -> None:
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.doors.partner.streaming import may_listen
    from vigil.hotline.partners import actions

    node, token = actions.do_enrol_node(OPERATOR, "edge-7")
    assert may_listen(f"Bearer {token}")
    assert not may_listen(f"Bearer {token}x")
    assert not may_listen("zorblat")
    actions.do_revoke_node(OPERATOR, node)
    assert not may_listen(f"Bearer {token}")

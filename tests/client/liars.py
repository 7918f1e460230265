"""A server on loopback that misbehaves on purpose: one behaviour for each request, the last one for all that follow."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Behaviour = Callable[[socket.socket, bytes, threading.Event], None]
NOT_LISTED = {"verdict": "not_listed", "list": None, "entry": None, "edition": 3, "signal": "url", "distance": None, "labels": []}


def answer(document: Any, status: int = 200, *headers: str, connection: str = "keep-alive") -> bytes:
    """A whole HTTP answer."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", f"Connection: {connection}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def signals_in(request: bytes) -> list[dict[str, str]]:
    body: list[dict[str, str]] = json.loads(request.partition(b"\r\n\r\n")[2])["signals"]
    return body


def honest(line: socket.socket, request: bytes, over: threading.Event) -> None:
    line.sendall(answer({"verdicts": [NOT_LISTED for _ in signals_in(request)]}))


def says(data: bytes, *, close: bool = False) -> Behaviour:
    """Send these bytes, whatever was asked."""

    def act(line: socket.socket, request: bytes, over: threading.Event) -> None:
        line.sendall(data)
        if close:
            raise ConnectionAbortedError

    return act


def hangs(line: socket.socket, request: bytes, over: threading.Event) -> None:
    over.wait()


def drips(line: socket.socket, request: bytes, over: threading.Event) -> None:
    """A header that never ends, a byte at a time: each read brings something, the answer never comes."""
    line.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not over.wait(0.02):
        line.sendall(b"a")


def closes(line: socket.socket, request: bytes, over: threading.Event) -> None:
    raise ConnectionAbortedError


@dataclass
class Liar:
    """The server; ``requests`` are what came, ``lines`` how many connections were made, ``ended`` how many of them are over."""

    behaviours: list[Behaviour]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    lines: int = 0
    ended: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, line: socket.socket) -> None:
        try:
            self._serve(line)
        finally:
            with self.lock:
                self.ended += 1

    def _serve(self, line: socket.socket) -> None:
        with line:
            try:
                while request := _request(line):
                    with self.lock:
                        self.requests.append(request)
                        act = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
                        self.at_once += 1
                        self.most_at_once = max(self.most_at_once, self.at_once)
                    try:
                        act(line, request, self.over)
                    finally:
                        with self.lock:
                            self.at_once -= 1
            except OSError:
                return


def _request(line: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = line.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(entry.lower().split(b": ", 1) for entry in head.split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        piece = line.recv(65536)
        if not piece:
            return b""
        body += piece
    return head + b"\r\n\r\n" + body


@contextmanager
def lying(*behaviours: Behaviour) -> Iterator[Liar]:
    liar = Liar(list(behaviours))
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    liar.port = listener.getsockname()[1]
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            line.settimeout(20)
            liar.lines += 1
            thread = threading.Thread(target=liar.serve, args=(line,), daemon=True)
            thread.start()
            threads.append(thread)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield liar
    finally:
        liar.over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(20)
        for thread in threads:
            thread.join(20)

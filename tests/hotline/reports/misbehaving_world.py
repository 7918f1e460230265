"""A loopback proxy with a world behind it that misbehaves in named ways. It resolves and fetches nothing.

Each page is a function of the connection: it writes whatever bytes it likes. The first line of every request is kept, so
that a test can say what was asked for, and of whom.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

Page = Callable[[socket.socket], None]

STOP: Final = 0.2
"""Seconds between looks at whether the world is over."""


def answer(body: bytes, kind: str = "text/html; charset=utf-8", status: str = "200 OK", **headers: str) -> Page:
    """A page that answers properly."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def raw(content: bytes) -> Page:
    """A page that sends exactly these bytes and closes."""
    return lambda connection: connection.sendall(content)


def redirect(to: str) -> Page:
    return answer(b"", status="302 Found", Location=to)


class World:
    """Pages by address (``http://host/path``); ``asked`` holds the request lines, ``heads`` whole request heads."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._serve(self._accept)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def proxy(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _serve(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        self._listener.settimeout(STOP)
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._serve(lambda connection=connection: self._answer(connection))

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                head = self._head(connection)
                page = self.pages.get(self._address(head), answer(b"none", status="404 Not Found"))
                page(connection)
            except OSError:
                return  # the other side hung up, as it should on some of these pages

    def _head(self, connection: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head and (part := connection.recv(65536)):
            head += part
        self.heads.append(head)
        self.asked.append(head.partition(b"\r\n")[0].decode("latin-1"))
        return head

    @staticmethod
    def _address(head: bytes) -> str:
        target = head.split(b" ")[1].decode("latin-1")
        parts = urlsplit(target)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def endless(self, first: bytes, more: bytes, pause: float = 0.0) -> Page:
        """A page that never ends, until the world is over."""

        def page(connection: socket.socket) -> None:
            connection.sendall(first)
            while not self.over.wait(pause):
                connection.sendall(more)

        return page

    def silent(self) -> Page:
        """A page that says nothing at all."""
        return lambda connection: self.over.wait() and None

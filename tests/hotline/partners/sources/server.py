"""A server of these tests on loopback, whose answers are written by a function: honest, or wrong on purpose."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from vigil.editions.fetch import Patience
from vigil.hotline.partners.sources.fetching import open_feed
from vigil.hotline.partners.sources.models import Source
from vigil.hotline.partners.sources.record import Feed
from vigil.hotline.partners.sources.transport import Line


@dataclass
class Asked:
    """One request, as the server saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """One answer. ``cut`` bytes are announced and not sent; ``hang`` seconds pass before anything is sent; ``endless``: in chunks
    without an end."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    hang: float = 0.0
    endless: bool = False


class World:
    """What a server says, and what it was asked."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.address = ""

    def paths(self) -> list[str]:
        return [each.path for each in self.asked]


@contextmanager
def serving(world: World) -> Iterator[str]:
    """The address of a server that gives the answers of ``world``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            shown = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, query, shown, self.rfile.read(length))
            world.asked.append(asked)
            reply = world.answer(asked)
            try:
                time.sleep(reply.hang)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.endless:
                    self.send_without_end(reply.body)
                self.send_header("Content-Length", str(len(reply.body) + reply.cut))
                self.end_headers()
                self.wfile.write(reply.body)
                if reply.cut:
                    self.close_connection = True
            except OSError:
                self.close_connection = True

        def send_without_end(self, body: bytes) -> None:
            """Chunk after chunk, until the other side has had enough; leaves by OSError."""
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while True:
                self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")

        do_POST = do_PUT = do_GET  # noqa: N815 - names of the standard library

        def log_message(self, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    world.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield world.address
    finally:
        server.shutdown()
        server.server_close()


HASTE = Patience(connect=2, gap=0.1, grace=2)


def hasty(address: str, headers: dict[str, str] | None = None, *, secret_in_query: bool = False) -> Line:
    """A line without the waits of real life."""
    return Line(address, headers, patience=HASTE, sleep=lambda seconds: None, secret_in_query=secret_in_query)


def open_hasty(source: Source) -> AbstractContextManager[Feed]:
    return open_feed(source, hasty)

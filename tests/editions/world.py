"""A hotline that publishes, and a host between it and the node that can misbehave in every way a host can."""

from __future__ import annotations

import hashlib
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from vigil.base.clock import FixedClock
from vigil.editions.build import BuiltEdition, build_edition
from vigil.editions.client import EditionClient
from vigil.editions.keys import KeyRing, create_keys
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.editions.publish import current_number, publish, refresh
from vigil.match.urls import Scope, canonical

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
URL_LIST = ListInfo("pages", "url", ("NL", "US-CA"))
HASH_LIST = ListInfo("pictures", "hash_csam", ("NL",), 24)
LISTS = (URL_LIST, HASH_LIST)


def page(number: int, address: str = "", scope: Scope = Scope.PAGE, **options: object) -> UrlEntry:
    """An entry for a made-up address."""
    url = canonical(address or f"http://zorblat-{number}.example/quimber/{number}/")
    return UrlEntry(number, URL_LIST.name, url, scope, **options)  # type: ignore[arg-type]


def picture(number: int, algorithm: str = "pdq", **options: object) -> HashEntry:
    """An entry for a made-up hash value."""
    size = {"md5": 16, "sha1": 20}.get(algorithm, 32)
    value = hashlib.sha512(b"quimber %d" % number).digest()[:size]
    return HashEntry(number, HASH_LIST.name, algorithm, value, **options)  # type: ignore[arg-type]


def some_contents(count: int = 6, first: int = 1) -> EditionContents:
    """A few entries of each kind."""
    numbers = range(first, first + count)
    urls = tuple(page(n, scope=Scope.PREFIX if n % 2 else Scope.PAGE, labels=("ai",) * (n % 2)) for n in numbers)
    hashes = tuple(picture(n, ("pdq", "md5", "sha256")[n % 3]) for n in numbers)
    return EditionContents(LISTS, urls, hashes)


class Hotline:
    """Keys, a clock and an edition folder."""

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock(START)
        self.keys_folder = folder / "keys"
        self.keys: KeyRing = create_keys(self.keys_folder, START)
        self.repository = folder / "published"

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def build(self, contents: EditionContents | None = None) -> BuiltEdition:
        previous = current_number(self.repository)
        number = (previous or 0) + 1
        return build_edition(
            contents or some_contents(first=number), number=number, previous=previous, issued_at=self.now
        )

    def publish(self, contents: EditionContents | None = None, **options: Any) -> int:
        """Build and publish; gives the number."""
        built = self.build(contents)
        publish(self.repository, built, self.keys, self.now, **options)
        return built.number

    def refresh(self) -> bool:
        return refresh(self.repository, self.keys, self.now)

    def copy(self, folder: Path) -> Path:
        """The edition folder as it is now, kept for later: what a dishonest host does."""
        shutil.copytree(self.repository, folder)
        return folder


Answer = Callable[[BaseHTTPRequestHandler, bytes | None], None]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up in the middle are part of the stories."""


class Host:
    """A loopback web server for an edition folder. ``rules``: end of a path -> what to do instead of answering."""

    def __init__(self, folder: Path, clock: FixedClock) -> None:
        self.folder = folder
        self.clock = clock
        self.clock_error = timedelta(0)
        self.rules: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.tokens: list[str | None] = []
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/editions"

    def fetched(self, ending: str) -> int:
        return sum(request.endswith(ending) for request in self.requests)

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def content(self, path: str) -> bytes | None:
        file = self.folder / path.removeprefix("/editions/")
        return file.read_bytes() if file.is_file() else None

    def _handler(host: Host) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def date_time_string(self, timestamp: float | None = None) -> str:
                return format_datetime(host.clock.now() + host.clock_error, usegmt=True)

            def do_GET(self) -> None:
                host.requests.append(self.path)
                host.tokens.append(self.headers.get("Authorization"))
                content = host.content(self.path)
                rule = next((rule for ending, rule in host.rules.items() if self.path.endswith(ending)), None)
                if rule is not None:
                    rule(self, content)
                elif content is None:
                    send(self, b"", 404)
                else:
                    send(self, content)

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler


@contextmanager
def hosted(hotline: Hotline) -> Iterator[Host]:
    host = Host(hotline.repository, hotline.clock)
    try:
        yield host
    finally:
        host.close()


def send(handler: BaseHTTPRequestHandler, content: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def altered(change: Callable[[bytes], bytes]) -> Answer:
    """Answer with changed bytes."""
    return lambda handler, content: send(handler, change(content or b""))


def status(code: int, **headers: str) -> Answer:
    return lambda handler, content: send(handler, b"", code, **headers)


def cut_after(count: int) -> Answer:
    """Promise the whole file, send so many bytes of it, then break the connection."""

    def answer(handler: BaseHTTPRequestHandler, content: bytes | None) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content or b"")))
        handler.end_headers()
        handler.wfile.write((content or b"")[:count])
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    return answer


def endless(limit: int) -> Answer:
    """Send zeros for as long as the other side takes them, at most ``limit`` bytes."""

    def answer(handler: BaseHTTPRequestHandler, content: bytes | None) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        try:
            for _ in range(limit // 65536):
                handler.wfile.write(bytes(65536))
        except OSError:
            return

    return answer


def client(source: Host | Path, hotline: Hotline, state: Path, token: str | None = None, **options: Any) -> EditionClient:
    """A node's client that trusts the hotline's root."""
    address = source.address if isinstance(source, Host) else str(source)
    return EditionClient(address, state, hotline.keys.root, token, **options)


def many(count: int, first: int = 1) -> EditionContents:
    """Enough hashes that a delta is worth while, and a few addresses."""
    numbers = range(first, first + count)
    return EditionContents(LISTS, tuple(page(n) for n in range(first, first + 6)), tuple(picture(n, "md5") for n in numbers))



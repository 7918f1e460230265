"""A tiny outside world for the demo: a few sites under ``.example`` names, with drawn pictures.

It speaks HTTP as a forward proxy: whoever is told to use it asks for ``http://gallery.example/…`` and gets the page,
without any name being resolved. It also answers ``/sites/<host>/<path>`` for a browser that uses no proxy. It serves
nothing else and connects to nothing.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import quote, unquote, urlsplit

from vigil.installation.demo import pictures
from vigil.installation.demo.sites import PAGES, Page


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    kind: str
    body: bytes


def fetch(host: str, path: str) -> Answer:
    """What the world answers for ``http://host/path``."""
    host = host.lower().rstrip(".")
    page = PAGES.get((host, path))
    if page is not None:
        return Answer(200, "text/html; charset=utf-8", _render(page))
    name = path.rsplit("/", 1)[-1]
    if any(site == host and name in known.pictures for (site, _), known in PAGES.items()):
        return Answer(200, "image/jpeg", _picture(name))
    return Answer(404, "text/plain; charset=utf-8", b"There is no such page in the small world of the demo.\n")


def _picture(name: str) -> bytes:
    stem = name.removesuffix(".jpg")
    return pictures.near_copy(stem.removeprefix("copy-of-")) if stem.startswith("copy-of-") else pictures.original(stem)


def _render(page: Page) -> bytes:
    images = "".join(f'<p><img src="pictures/{quote(name)}" alt="drawn shapes" width="320"></p>' for name in page.pictures)
    links = "".join(f'<li><a href="{quote(link)}">{html.escape(link)}</a></li>' for link in page.links)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(page.title)}</title>'
        f"<h1>{html.escape(page.title)}</h1><p>{html.escape(page.words)}</p>{images}<ul>{links}</ul></html>"
    ).encode()


def asked_site(target: str) -> tuple[str, str] | None:
    """Host and path that a request target names: in absolute form, or below ``/sites/``."""
    if target.startswith("/sites/"):
        host, _, rest = target.removeprefix("/sites/").partition("/")
        return unquote(host), "/" + rest.partition("?")[0]
    parts = urlsplit(target)
    if parts.scheme == "http" and parts.hostname:
        return parts.hostname, parts.path or "/"
    return None


@dataclass(frozen=True, slots=True)
class Front:
    """Renders the world's own page."""

    page: Callable[[], bytes]


class WorldHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the sites above."""

    protocol_version = "HTTP/1.1"
    server_version = "demo-world"
    timeout: ClassVar[float] = 20.0
    front: ClassVar[Front]

    def do_GET(self) -> None:
        site = asked_site(self.path)
        if site is None:
            self.answer(Answer(200, "text/html; charset=utf-8", self.front.page()))
        else:
            self.answer(fetch(*site))

    do_HEAD = do_GET  # noqa: N815 - likewise

    def answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Nothing is logged: what people look at is nobody's business, not even here."""


def serve(host: str, port: int, front: Callable[[], bytes]) -> ThreadingHTTPServer:
    """A server on ``host:port``, not yet running; ``front`` renders its own page."""
    handler = type("BoundWorldHandler", (WorldHandler,), {"front": Front(front)})
    ThreadingHTTPServer.daemon_threads = True
    return ThreadingHTTPServer((host, port), handler)

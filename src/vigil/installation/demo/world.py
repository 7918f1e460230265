"""A tiny outside world for the demo: a few sites under ``.example`` names, with drawn pictures.

It speaks HTTP as a forward proxy: whoever is told to use it asks for ``http://gallery.example/…`` and gets the page,
without any name being resolved. It also answers ``/sites/<host>/<path>`` for a browser that uses no proxy. It serves
nothing else and connects to nothing.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Final
from urllib.parse import quote, unquote, urlsplit

from vigil.installation.demo import pictures


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the outside world: its words, its pictures (by name, in whatever folder), its links (relative)."""

    title: str
    words: str
    pictures: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


PAGES: Final[dict[tuple[str, str], Page]] = {
    ("gallery.example", "/"): Page("Gallery", "An ordinary gallery of drawn shapes.", ("calm.jpg",), ("room/7", "room/8")),
    ("gallery.example", "/room/7"): Page(
        "Room 7", "Plays the page that gets reported. It holds drawn shapes only.", ("zorblat.jpg", "quimber.jpg")
    ),
    ("gallery.example", "/room/8"): Page("Room 8", "A harmless neighbour of room 7: it must stay reachable.", ("harbour.jpg",)),
    ("copies.example", "/album"): Page(
        "Album", "Holds a smaller, re-encoded copy of a picture of room 7, and a picture of its own.", ("copy-of-zorblat.jpg", "meadow.jpg")
    ),
    ("news.example", "/"): Page("News", "A harmless site that nobody reports.", ("lantern.jpg",)),
    ("forum.example", "/thread/12"): Page("Thread 12", "A talk about drawn shapes.", ("ripple.jpg",), ("13",)),
    ("forum.example", "/thread/13"): Page("Thread 13", "Another talk.", ("pebble.jpg",)),
}


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


class WorldHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the sites above."""

    protocol_version = "HTTP/1.1"
    server_version = "demo-world"
    timeout: ClassVar[float] = 20.0

    def do_GET(self) -> None:
        site = asked_site(self.path)
        if site is None:
            self.answer(Answer(200, "text/html; charset=utf-8", index()))
        else:
            self.answer(fetch(*site))

    do_HEAD = do_GET

    def answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Nothing is logged: what people look at is nobody's business, not even here."""


def index() -> bytes:
    """The list of sites, for a browser that opens the world directly."""
    rows = "".join(
        f'<li><a href="/sites/{host}{path}">{html.escape(host + path)}</a> — {html.escape(page.words)}</li>'
        for (host, path), page in PAGES.items()
    )
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Demo world</title><h1>Demo world</h1><ul>{rows}</ul></html>'.encode()


def serve(host: str, port: int) -> ThreadingHTTPServer:
    """A server on ``host:port``, not yet running."""
    ThreadingHTTPServer.daemon_threads = True
    return ThreadingHTTPServer((host, port), WorldHandler)

"""A small world for the stories of this room: a hotline that publishes and takes counts, and a node that asks it.

Everything is real and on loopback: editions are built, signed and served over HTTP; the node runs behind uvicorn.
All addresses are under reserved names, all hashes are of drawn pictures or of nonsense words.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vigil.base.clock import SystemClock
from vigil.edge import config as edge_config
from vigil.edge.http.server import Service
from vigil.edge.journal import journal
from vigil.edge.node import Node
from vigil.editions.build import build_edition
from vigil.editions.keys import KeyRing, create_keys
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.editions.publish import publish
from vigil.editions.shares import Share
from vigil.match.urls import Scope, canonical

LISTS = (ListInfo("urls", "url"), ListInfo("pictures", "hash_csam", max_distance=31))
TOKEN = "node-token-zorblat-0001"


def drawn_picture(seed: int = 1, side: int = 256) -> bytes:
    """A benign picture drawn by code: soft blobs, enough structure for a good PDQ."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side] / side
    canvas = np.zeros((side, side, 3))
    for _ in range(24):
        y, x, width = generator.random(), generator.random(), 0.03 + 0.12 * generator.random()
        blob = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / width**2)
        canvas += blob[..., None] * generator.random(3)
    stream = io.BytesIO()
    Image.fromarray((255 * canvas / canvas.max()).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def flat_picture() -> bytes:
    """One colour: no perceptual hash of any worth."""
    stream = io.BytesIO()
    Image.new("RGB", (128, 128), (120, 120, 120)).save(stream, "PNG")
    return stream.getvalue()


def as_jpeg(data: bytes, quality: int = 60) -> bytes:
    """A near-copy: the same picture, packed again with loss."""
    stream = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def url_entry(entry: int, address: str, scope: Scope = Scope.URL, **more: Any) -> UrlEntry:
    """An entry for an address on the list ``urls``."""
    return UrlEntry(entry, more.pop("list", "urls"), canonical(address), scope, **more)


def hash_entry(entry: int, algorithm: str, value: bytes, **more: Any) -> HashEntry:
    """An entry for a hash on the list ``pictures``."""
    return HashEntry(entry, more.pop("list", "pictures"), algorithm, value, **more)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@dataclass
class Hotline:
    """Publishes editions into a folder, serves them, takes counts; each can be broken on purpose."""

    folder: Path
    now: datetime
    keys: KeyRing = field(init=False)
    number: int = 0
    vectors: dict[tuple[object, ...], bytes] = field(default_factory=dict)
    posts: list[bytes] = field(default_factory=list)
    conflicts: int = 0
    partners: dict[str, str] = field(default_factory=dict)
    words: dict[str, bytes] = field(default_factory=dict)
    counts_status: int | None = None
    url: str = ""
    root: Path = field(init=False)
    repository: Path = field(init=False)

    def __post_init__(self) -> None:
        self.keys = create_keys(self.folder / "keys", self.now)
        self.repository = self.folder / "published"
        self.root = self.folder / "root.json"
        self.root.write_bytes(self.keys.roots[0])

    def publish(self, *entries: UrlEntry | HashEntry, lists: tuple[ListInfo, ...] = LISTS, **more: Any) -> int:
        """The next edition, with exactly these entries, also for each of ``self.partners`` as its own copy with
        the files ``self.words``; ``issued_at`` and hours as in ``build_edition``."""
        contents = EditionContents(
            lists,
            tuple(entry for entry in entries if isinstance(entry, UrlEntry)),
            tuple(entry for entry in entries if isinstance(entry, HashEntry)),
        )
        issued = more.pop("issued_at", self.now)
        previous, self.number = self.number or None, self.number + 1
        publish(
            self.repository,
            build_edition(contents, number=self.number, previous=previous, issued_at=issued, **more),
            self.keys,
            self.now,
            shares=[Share(name, contents, recipient, self.words) for name, recipient in self.partners.items()],
        )
        return self.number

    def save(self, name: str) -> None:
        """Keep a copy of the published folder."""
        shutil.copytree(self.repository, self.folder / name)

    def put_back(self, name: str) -> None:
        """Publish an earlier copy again: what an attacker who holds old files can do."""
        shutil.rmtree(self.repository)
        shutil.copytree(self.folder / name, self.repository)

    def take_counts(self, body: bytes) -> int:
        """As the partner door does: the same bytes again change nothing, other bytes under the same key are refused."""
        self.posts.append(body)
        if self.counts_status is not None:
            return self.counts_status
        vector = json.loads(body)
        key = tuple(vector[name] for name in ("node", "list", "edition", "hour", "revision"))
        if self.vectors.setdefault(key, body) != body:
            self.conflicts += 1
            return 409
        return 200

    def total(self, kind: str) -> int:
        """Events of one class over all vectors, the highest revision of each counting."""
        newest: dict[tuple[object, ...], dict[str, Any]] = {}
        for body in list(self.vectors.values()):
            vector = json.loads(body)
            key = tuple(vector[name] for name in ("node", "list", "edition", "hour"))
            if key not in newest or newest[key]["revision"] < vector["revision"]:
                newest[key] = vector
        return sum(vector["counts"][kind] or 0 for vector in newest.values())


class _Handler(SimpleHTTPRequestHandler):
    hotline: Hotline

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        allowed = self.headers.get("authorization") == f"Bearer {TOKEN}"
        self.send_response(self.hotline.take_counts(body) if allowed else 401)
        self.send_header("content-length", "0")
        self.end_headers()


@contextmanager
def served(hotline: Hotline, port: int = 0) -> Iterator[str]:
    """The hotline's partner door: editions out, counts in."""
    hotline.repository.mkdir(exist_ok=True)
    handler = partial(type("Handler", (_Handler,), {"hotline": hotline}), directory=str(hotline.repository))
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hotline.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hotline.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def config_text(hotline: Hotline, state: Path, more: str = "") -> str:
    """The configuration of a node of this hotline; ``more`` replaces whole tables."""
    tables = {
        "editions": f'source = "{hotline.url}/"\nroot = "{hotline.root}"\npoll_seconds = 0.2',
        "listen": "port = 0",
        "counts": f'url = "{hotline.url}/v1/counts"\ntoken = "{TOKEN}"\nk = 0\nrepeat_seconds = 0\ninterval_seconds = 0.2\n'
        "flush_seconds = 0.1\nsend_open_hour = true",
    }
    own = {line.strip()[1:-1] for line in more.splitlines() if line.startswith("[") and not line.startswith("[[")}
    body = "".join(f"\n[{name}]\n{text}\n" for name, text in tables.items() if name not in own)
    return f'node = "n-1"\nstate = "{state}"\n{body}\n{more}'


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningNode:
    """A node that serves."""

    service: Service
    log: io.StringIO

    @property
    def node(self) -> Node:
        return self.service.node

    @property
    def port(self) -> int:
        return self.service.port

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request; header names with ``_`` for ``-``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def post(self, path: str, document: Any, **headers: str) -> Answer:
        """JSON in, JSON out."""
        return self.ask("POST", path, json.dumps(document).encode(), content_type="application/json", **headers)

    def verdict_on(self, address: str, **headers: str) -> dict[str, Any]:
        answer = self.post("/v1/url", {"url": address}, **headers)
        assert answer.status == 200, answer.body
        verdict: dict[str, Any] = answer.json
        return verdict

    def events(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@contextmanager
def running(text: str, clock: Any = None) -> Iterator[RunningNode]:
    """A node with this configuration, running until the end of the block."""
    config = edge_config.resolve(edge_config.parse(text.encode()), text.encode(), Path("/"))
    log = io.StringIO()
    service = Service(Node(config, clock or SystemClock(), journal(config.file.node, log)))
    up = threading.Event()
    thread = threading.Thread(target=service.run, args=(lambda port: up.set(),), daemon=True)
    thread.start()
    try:
        assert up.wait(20)
        yield RunningNode(service, log)
    finally:
        service.stop()
        thread.join(20)
        assert not thread.is_alive(), "the node did not stop"


def until(condition: Any, seconds: float = 60.0) -> None:
    """Wait for something that happens by itself; the bound is there only so that a broken test ends."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it did not happen")


def later(now: datetime, **duration: float) -> datetime:
    return now + timedelta(**duration)

"""The demo's small world, its provider, its people: benign, repeatable, and closed."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vigil.installation.demo import people, pictures, provider, world
from vigil.installation.demo.sites import PAGES

BLOCKED = "http://gallery.example/room/7"


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class EdgeTwin(BaseHTTPRequestHandler):
    """Answers as an edge node would that lists room 7 and any file that contains the word zorblat's digest."""

    listed = hashlib.sha256(pictures.near_copy("zorblat")).digest()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        hit = json.loads(body) == {"url": BLOCKED} if self.path == "/v1/url" else hashlib.sha256(body).digest() == self.listed
        self._answer(200, json.dumps({"verdict": "listed" if hit else "not_listed"}).encode())

    def do_GET(self) -> None:
        self._answer(451, b"<h1>block page</h1>")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def filtered() -> Iterator[str]:
    with (
        running(ThreadingHTTPServer(("127.0.0.1", 0), EdgeTwin)) as edge,
        running(world.serve("127.0.0.1", 0, lambda: b"front")) as origin,
        running(provider.serve("127.0.0.1", 0, provider.Peer("127.0.0.1", edge), provider.Peer("127.0.0.1", origin))) as port,
    ):
        yield f"http://127.0.0.1:{port}"


def fetch(url: str, proxy: str | None = None) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy} if proxy else {}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_every_site_uses_a_reserved_name() -> None:
    assert all(host.endswith(".example") for host, _ in PAGES)


@pytest.mark.parametrize(("host", "path"), list(PAGES))
def test_every_page_and_each_of_its_pictures_is_served(host: str, path: str) -> None:
    assert world.fetch(host, path).status == 200
    for name in PAGES[host, path].pictures:
        answer = world.fetch(host, f"/anywhere/{name}")
        assert Image.open(io.BytesIO(answer.body)).format == "JPEG"


def test_the_world_knows_nothing_else() -> None:
    assert world.fetch("elsewhere.example", "/").status == 404
    assert world.fetch("news.example", "/zorblat.jpg").status == 404


def test_a_picture_is_the_same_each_time_and_its_near_copy_is_not() -> None:
    assert pictures.original("zorblat") == pictures.original.__wrapped__("zorblat")
    assert pictures.near_copy("zorblat") != pictures.original("zorblat")


def test_the_provider_blocks_the_page_and_the_near_copy_and_nothing_else(filtered: str) -> None:
    assert fetch(BLOCKED, filtered) == (451, b"<h1>block page</h1>")
    assert fetch("http://gallery.example/room/8", filtered)[0] == 200
    assert fetch(f"{filtered}/sites/copies.example/album")[0] == 200
    assert fetch(f"{filtered}/sites/copies.example/pictures/copy-of-zorblat.jpg")[0] == 451
    assert fetch(f"{filtered}/sites/copies.example/pictures/meadow.jpg")[0] == 200


def test_each_data_folder_has_logins_of_its_own(tmp_path: Path) -> None:
    first, second = people.draw(), people.draw()
    assert {login.username for login in first} == set(people.ROLES) == set(people.DOES)
    assert not {login.password for login in first} & {login.password for login in second}
    people.save(tmp_path / "demo.json", first)
    assert people.load(tmp_path / "demo.json") == first
    assert (tmp_path / "demo.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("instant", "expected"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_follow_the_vectors_of_rfc_6238(instant: int, expected: str) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890", appendix B; last six of eight digits
    assert people.code(secret, instant) == expected

"""The HTTP door of an edge node beside a bare ASGI application under the same server, in the same run.

Both answer pipelined requests over kept connections, so that the client is not what is measured.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks.harness import Measurement, bench, compare
from vigil.base.clock import SystemClock
from vigil.editions.build import build_edition
from vigil.editions.keys import create_keys
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.editions.publish import publish
from vigil.match.urls import Scope, canonical

CODES = 1_000_000
URLS = 50_000
REQUESTS = 4000
DEPTH = 40

BARE = """
import asyncio, sys, uvicorn
BODY = b'{"verdict":"not_listed","list":null,"entry":null,"edition":1,"signal":"pdq","distance":null,"labels":[]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off", ws="none",
            access_log=False, log_level="error", server_header=False, proxy_headers=False)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], port: int, path: str) -> Iterator[int]:
    """A server, until it is stopped, and its number; ready when ``path`` answers 200."""
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        pause = threading.Event()
        while not answered(port, path):
            if server.poll() is not None:
                raise AssertionError("the server did not start")
            pause.wait(0.05)
        yield server.pid
    finally:
        server.terminate()
        server.wait()


def answered(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(65536).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def load(port: int, requests: list[bytes]) -> Callable[[], None]:
    """Sends all requests on one kept connection, ``DEPTH`` at a time, and reads every answer."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    batches = [requests[start : start + DEPTH] for start in range(0, len(requests), DEPTH)]

    def work() -> None:
        for batch in batches:
            connection.sendall(b"".join(batch))
            seen = b""
            while seen.count(b'"labels":[') < len(batch):
                part = connection.recv(262144)
                if not part:
                    raise AssertionError("the server ended the connection")
                seen += part

    return work


def published(folder: Path, seed: int) -> tuple[np.ndarray, str]:
    """An edition of a million random codes and 50,000 addresses, and the configuration of a node that reads it."""
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 256, (CODES, 32), dtype=np.uint8)
    now = SystemClock().now()
    contents = EditionContents(
        (ListInfo("urls", "url"), ListInfo("pictures", "hash_csam")),
        tuple(UrlEntry(number, "urls", canonical(f"http://site{number}.example/page"), Scope.URL) for number in range(URLS)),
        tuple(HashEntry(number, "pictures", "pdq", row.tobytes()) for number, row in enumerate(codes)),
    )
    keys = create_keys(folder / "keys", now)
    built = build_edition(contents, number=1, previous=None, issued_at=now - timedelta(seconds=1))
    publish(folder / "published", built, keys, now)
    (folder / "root.json").write_bytes(keys.root)
    text = 'node = "n-1"\nstate = "state"\n[editions]\nsource = "published"\nroot = "root.json"\n[listen]\nport = {port}\n'
    return codes, text


@contextmanager
def both(seed: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """A node with the edition in force, and the bare application: their ports, and the codes."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        codes, text = published(folder, seed)
        node_port, bare_port = free_port(), free_port()
        (folder / "edge.toml").write_text(text.format(port=node_port))
        (folder / "bare.py").write_text(BARE)
        node = [sys.executable, "-m", "vigil.cli", "edge", "serve", "--config", str(folder / "edge.toml")]
        bare = [sys.executable, str(folder / "bare.py"), str(bare_port)]
        with process(node, node_port, "/readyz"), process(bare, bare_port, "/"):
            yield node_port, bare_port, codes


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@bench(name="edge_match_pdq_1m", against="bare ASGI application, same server", at_least=0.4)
def edge_match_pdq_1m(seed: int) -> Measurement:
    """``GET /v1/match`` by PDQ at a million codes, one in a hundred listed."""
    with both(seed) as (node_port, bare_port, codes):
        generator = np.random.default_rng(seed + 1)
        asked = generator.integers(0, 256, (REQUESTS, 32), dtype=np.uint8)
        asked[::100] = codes[: len(asked[::100])]
        requests = [get(f"/v1/match?type=pdq&value={row.tobytes().hex()}") for row in asked]
        conditions = {"codes": CODES, "hits": 0.01, "requests": REQUESTS, "pipelined": DEPTH, "processes": 1}
        return compare(
            ours=load(node_port, requests),
            theirs=load(bare_port, requests),
            ours_units=REQUESTS,
            theirs_units=REQUESTS,
            conditions=conditions,
        )


@bench(name="edge_url", against="bare ASGI application, same server")
def edge_url(seed: int) -> Measurement:
    """``POST /v1/url`` with one address of a host that is not listed, as almost all traffic is; one in a hundred listed."""
    with both(seed) as (node_port, bare_port, _):
        hosts = [f"site{n}.example/page" if n % 100 == 0 else f"other{n}.example/page" for n in range(REQUESTS)]
        requests = [post("/v1/url", f'{{"url":"http://{host}"}}'.encode()) for host in hosts]
        return compare(
            ours=load(node_port, requests),
            theirs=load(bare_port, requests),
            ours_units=REQUESTS,
            theirs_units=REQUESTS,
            conditions={"urls": URLS, "hits": 0.01, "requests": REQUESTS, "pipelined": DEPTH, "processes": 1},
        )

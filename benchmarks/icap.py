"""The ICAP door of an edge node beside a bare asyncio responder that always says 204, in the same run.

Both get the same pipelined requests over one kept connection, so that the client is not what is measured.
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

from benchmarks.harness import Measurement, bench, compare
from vigil.base.clock import SystemClock
from vigil.editions.build import build_edition
from vigil.editions.keys import create_keys
from vigil.editions.model import EditionContents, ListInfo, UrlEntry
from vigil.editions.publish import publish
from vigil.match.urls import Scope, canonical

URLS = 50_000
REQUESTS = 4000
DEPTH = 40
LINES = "User-Agent: Zorblat/1.0\r\nAccept: text/html,*/*;q=0.8\r\nAccept-Language: en\r\nSec-Fetch-Dest: document\r\n"

BARE = """
import asyncio, sys, uvloop
ANSWER = b'ICAP/1.0 204 No Content\\r\\nISTag: "bare"\\r\\n\\r\\n'
class Bare(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.seen = transport, 0
    def data_received(self, data):
        self.seen += data.count(b"\\r\\n\\r\\n")
        whole, self.seen = divmod(self.seen, 2)
        self.transport.write(ANSWER * whole)
async def main():
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
uvloop.run(main())
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def published(folder: Path, port: int) -> Path:
    """An edition of 50,000 addresses, and the configuration of a node that reads it."""
    now = SystemClock().now()
    entries = tuple(UrlEntry(n, "urls", canonical(f"http://site{n}.example/page"), Scope.URL) for n in range(URLS))
    keys = create_keys(folder / "keys", now)
    contents = EditionContents((ListInfo("urls", "url"),), entries, ())
    publish(
        folder / "published", build_edition(contents, number=1, previous=None, issued_at=now - timedelta(seconds=1)), keys, now
    )
    (folder / "root.json").write_bytes(keys.root)
    config = folder / "edge.toml"
    config.write_text(
        'node = "n-1"\nstate = "state"\n[editions]\nsource = "published"\nroot = "root.json"\n[listen]\nport = 0\n'
        f"[icap]\nenabled = true\nport = {port}\n"
    )
    return config


@contextmanager
def process(command: list[str], port: int) -> Iterator[None]:
    """A server, until it is stopped; ready when it lets an address pass."""
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        pause = threading.Event()
        while answer(port, reqmod("other.example")) != b"204":
            if server.poll() is not None:
                raise AssertionError("the server did not start")
            pause.wait(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


def answer(port: int, request: bytes) -> bytes:
    """The status of the answer to one request; empty for none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(request)
            return connection.recv(65536)[9:12]
    except OSError:
        return b""


def reqmod(host: str) -> bytes:
    """As Squid asks."""
    http = f"GET http://{host}/page HTTP/1.1\r\n{LINES}Host: {host}\r\n\r\n".encode()
    icap = (
        "REQMOD icap://127.0.0.1:1344/reqmod ICAP/1.0\r\nHost: 127.0.0.1:1344\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\n"
        f"Encapsulated: req-hdr=0, null-body={len(http)}\r\nPreview: 0\r\nAllow: 204, trailers\r\n\r\n"
    )
    return icap.encode() + http


def load(port: int, requests: list[bytes]) -> Callable[[], None]:
    """Sends all requests on one kept connection, ``DEPTH`` at a time, and reads every answer."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    batches = [requests[start : start + DEPTH] for start in range(0, len(requests), DEPTH)]

    def work() -> None:
        for batch in batches:
            connection.sendall(b"".join(batch))
            seen = b""
            while seen.count(b"ICAP/1.0 204") < len(batch):
                part = connection.recv(262144)
                if not part:
                    raise AssertionError("the server ended the connection")
                seen += part

    return work


@bench(name="icap_reqmod_allow", against="bare asyncio responder that always says 204, uvloop")
def icap_reqmod_allow(seed: int) -> Measurement:
    """REQMOD for addresses of hosts that are not listed, as almost all traffic is."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        ours, theirs = free_port(), free_port()
        config = published(folder, ours)
        (folder / "bare.py").write_text(BARE)
        node = [sys.executable, "-m", "vigil.cli", "edge", "serve", "--config", str(config)]
        bare = [sys.executable, str(folder / "bare.py"), str(theirs)]
        requests = [reqmod(f"other{n}.example") for n in range(REQUESTS)]
        with process(node, ours), process(bare, theirs):
            if answer(ours, reqmod(f"site{seed % URLS}.example")) != b"200":
                raise AssertionError("a listed address passed")
            return compare(
                ours=load(ours, requests),
                theirs=load(theirs, requests),
                ours_units=REQUESTS,
                theirs_units=REQUESTS,
                conditions={"urls": URLS, "hits": 0, "requests": REQUESTS, "pipelined": DEPTH, "processes": 1},
            )

"""The HMA-compatible door at a million banked hashes: beside a bare ASGI application under the same server, in the same run.

The state folder is filled by the store itself, as a follower would; no hotline runs. Two workers on both sides.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.edge import answered, free_port, get
from benchmarks.harness import ROUNDS, Measurement, bench, compare
from vigil.edge.hma.store import BankRow, Page, Row, Writer

HASHES = 1_000_000
REQUESTS = 4000
DEPTH = 25
CONNECTIONS = 8
WORKERS = 2
BATCH = 1000

BARE = """
import sys
BODY = b'{}\\n'
HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"),
           (b"content-length", b"3")]
async def app(scope, receive, send):
    dict(pair.split("=") for pair in scope["query_string"].decode().split("&") if "=" in pair)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
if __name__ == "__main__":
    import uvicorn
    uvicorn.run("bare:app", host="127.0.0.1", port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off", ws="none",
                access_log=False, log_level="critical", server_header=False, proxy_headers=False, timeout_keep_alive=600,
                workers=2)
"""
NODE = """
node = "n-1"
state = "state"
[editions]
source = "published"
[listen]
port = {main}
[hma]
enabled = true
port = {port}
workers = {workers}
open_on_loopback = true
banks = "http://127.0.0.1:1/v1/banks"
max_stale_seconds = 0
"""


def fill(folder: Path, seed: int, hashes: int = HASHES) -> np.ndarray:
    """A bank of random hashes in the state of a node; gives them."""
    codes = np.random.default_rng(seed).integers(0, 256, (hashes, 32), dtype=np.uint8)
    rows = tuple(Row(n + 1, 1, 1, 31, 1_790_000_000, (("pdq", code.tobytes().hex()),)) for n, code in enumerate(codes))
    page = Page("0.0", "1.1", False, hashes, (BankRow(1, "ZORBLAT", 1.0),), {}, rows, ())
    if not Writer(folder / "hma").apply(page):
        raise AssertionError("the store holds another number than it was given")
    return codes


@dataclass
class Running:
    """A node's door, and the numbers of its worker processes."""

    port: int
    workers: list[int]


@contextmanager
def node(folder: Path, workers: int) -> Iterator[Running]:
    """A node over the state in ``folder``."""
    port, main = free_port(), free_port()
    (folder / "published").mkdir(exist_ok=True)  # a node names a source of editions, if only an empty one
    (folder / "edge.toml").write_text(NODE.format(port=port, main=main, workers=workers))
    command = [sys.executable, "-m", "vigil.cli", "edge", "serve", "--config", str(folder / "edge.toml")]
    with running(command, port, "/status", folder) as process:
        yield Running(port, children(process.pid))


@contextmanager
def bare(folder: Path) -> Iterator[int]:
    """The bare application with as many workers."""
    port = free_port()
    (folder / "bare.py").write_text(BARE)
    with running([sys.executable, "bare.py", str(port)], port, "/", folder):
        yield port


@contextmanager
def running(command: list[str], port: int, path: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server until it is stopped; ready when ``path`` answers 200."""
    server = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    try:
        pause = threading.Event()
        while not answered(port, path):
            if server.poll() is not None:
                raise AssertionError("the server did not start")
            pause.wait(0.1)
        yield server
    finally:
        server.terminate()
        server.wait()


def children(parent: int) -> list[int]:
    """The worker processes of a node."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                above = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if above == parent and b"vigil.edge.hma.worker" in line:
                found.append(int(folder.name))
    return found


def load(port: int, requests: list[bytes]) -> Callable[[], None]:
    """All requests over several kept connections, so that every worker has some; ``DEPTH`` at a time on each."""
    lines = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(CONNECTIONS)]
    batches = [requests[start : start + DEPTH] for start in range(0, len(requests), DEPTH)]

    def work() -> None:
        for start in range(0, len(batches), CONNECTIONS):
            used = list(zip(lines, batches[start : start + CONNECTIONS], strict=False))
            for line, batch in used:
                line.sendall(b"".join(batch))
            for line, batch in used:
                read(line, len(batch))

    return work


def read(line: socket.socket, answers: int) -> bytes:
    """So many answers; each ends with the newline of its JSON."""
    seen = b""
    while seen.count(b"}\n") < answers:
        part = line.recv(262144)
        if not part:
            raise AssertionError("the server ended the connection")
        seen += part
    return seen


@bench(name="hma_lookup_1m", against="bare ASGI application, same server, two workers each", at_least=0.40)
def hma_lookup_1m(seed: int) -> Measurement:
    """``GET /m/lookup`` by PDQ, one in a hundred banked, two workers sharing one index."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        codes = fill(folder / "state", seed)
        asked = np.random.default_rng(seed + 1).integers(0, 256, (REQUESTS, 32), dtype=np.uint8)
        asked[::100] = codes[: len(asked[::100])]
        requests = [get(f"/m/lookup?signal_type=pdq&signal={row.tobytes().hex()}") for row in asked]
        with node(folder, WORKERS) as ours, bare(folder) as theirs:
            one = socket.create_connection(("127.0.0.1", ours.port))
            one.sendall(requests[0] + requests[1])
            if read(one, 2).count(b"bank_content_id") != 1:
                raise AssertionError("a banked hash was not found, or another was")
            return compare(
                ours=load(ours.port, requests),
                theirs=load(theirs, requests),
                ours_units=REQUESTS,
                theirs_units=REQUESTS,
                conditions={"hashes": HASHES, "hits": 0.01, "workers": WORKERS, "connections": CONNECTIONS, "pipelined": DEPTH},
            )


@bench(name="hma_batch_1m", at_least=12_000, unit="hashes/s a core")
def hma_batch_1m(seed: int) -> Measurement:
    """``POST /m/lookup/batch``: hashes a second of processor time of the worker, so that neighbours do not count."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        codes = fill(folder / "state", seed)
        asked = np.random.default_rng(seed + 1).integers(0, 256, (BATCH, 32), dtype=np.uint8)
        asked[::100] = codes[: len(asked[::100])]
        body = json.dumps({"pdq": [row.tobytes().hex() for row in asked]}).encode()
        head = (
            f"POST /m/lookup/batch HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with node(folder, 1) as ours:
            line = socket.create_connection(("127.0.0.1", ours.port), timeout=60)
            spent = []
            for _ in range(ROUNDS + 1):
                before = processor_seconds(ours.workers[0])
                for _ in range(10):
                    line.sendall(head.encode() + body)
                    if read(line, 1).count(b"bank_content_id") != BATCH // 100:
                        raise AssertionError("the batch found another number of hashes")
                spent.append((processor_seconds(ours.workers[0]) - before) / (10 * BATCH))
        middle = sorted(spent[1:])[ROUNDS // 2]
        return Measurement(1 / middle, {"hashes": HASHES, "batch": BATCH, "hits": 0.01, "clock": "processor time"}, spent[1:])


def processor_seconds(pid: int) -> float:
    """What a process has used of processors."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@bench(name="hma_worker_memory_1m", at_most=150.0, unit="MB a worker")
def hma_worker_memory_1m(seed: int) -> Measurement:
    """What a worker has for itself at a million hashes; the index is mapped and shared. The peer has 800 MB a worker."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        codes = fill(folder / "state", seed)
        with node(folder, WORKERS) as ours:
            requests = [get(f"/m/lookup?signal_type=pdq&signal={row.tobytes().hex()}") for row in codes[:1000]]
            before = [processor_seconds(pid) for pid in ours.workers]
            # A page of the index that one worker alone has looked at so far counts as its own: each has to have worked.
            for _ in range(60):
                load(ours.port, requests)()
                if min(processor_seconds(pid) - seen for pid, seen in zip(ours.workers, before, strict=True)) > 0.3:
                    break
            own = [private_megabytes(pid) for pid in ours.workers]
        return Measurement(max(own), {"hashes": HASHES, "workers": WORKERS, "each": own})


def private_megabytes(pid: int) -> float:
    """Pages of a process that it shares with nobody."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024

"""Several workers and uploads: the memory of one worker more; a picture from upload to verdict beside decoding and hashing."""

from __future__ import annotations

import http.client
import io
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.edge import free_port, process
from benchmarks.harness import Measurement, bench, compare
from vigil.base.clock import SystemClock
from vigil.editions.build import build_edition
from vigil.editions.keys import create_keys
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.editions.publish import publish
from vigil.match.urls import Scope, canonical
from vigil.media import Decoder

CODES = 1_000_000
URLS = 1_000_000
UPLOADS = 1000  # both children are replaced once in each round, on either side; beginning and end of a round weigh nothing
PICTURES = 8
CLIENTS = 4  # so that no decoder waits for the next file
HEAD = b"POST /v1/match HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
SIDE = 1000
MEGABYTE = 1024 * 1024


def published(folder: Path, seed: int, urls: int, codes: int) -> None:
    """An edition of so many addresses and random codes."""
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, 256, (codes, 32), dtype=np.uint8)
    now = SystemClock().now()
    contents = EditionContents(
        (ListInfo("urls", "url"), ListInfo("pictures", "hash_csam")),
        tuple(UrlEntry(n, "urls", canonical(f"http://site{n // 10}.example/page{n}"), Scope.URL) for n in range(urls)),
        tuple(HashEntry(n, "pictures", "pdq", row.tobytes()) for n, row in enumerate(rows)),
    )
    keys = create_keys(folder / "keys", now)
    built = build_edition(contents, number=1, previous=None, issued_at=now - timedelta(seconds=1))
    publish(folder / "published", built, keys, now)
    (folder / "root.json").write_bytes(keys.root)


@contextmanager
def serving(folder: Path, workers: int) -> Iterator[int]:
    """A node over the edition in ``folder``: its port."""
    port = free_port()
    text = 'node = "n-1"\nstate = "state"\n[editions]\nsource = "published"\nroot = "root.json"\n'
    (folder / "edge.toml").write_text(f"{text}[listen]\nport = {port}\nworkers = {workers}\n")
    command = ["vigil", "edge", "serve", "--config", str(folder / "edge.toml")]
    with process(command, port, "/readyz"):
        yield port


def workers_of(folder: Path) -> list[int]:
    """The worker processes of the node that runs over ``folder``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"worker" in words and any(str(folder).encode() in word for word in words):
            found.append(int(path.parent.name))
    return found


def own_bytes(pid: int) -> int:
    """Memory that would come back if the process ended: pages that nobody shares with it."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))


def ask(port: int, count: int) -> None:
    """So many questions on new connections, so that every worker has opened every index."""
    for number in range(count):
        for asked in (f"pdq&value={number:064x}", f"url&value=http%3A%2F%2Fsite{number}.example%2Fx"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", f"/v1/match?type={asked}")
            connection.getresponse().read()
            connection.close()


@bench(name="edge_worker_memory", at_most=60.0, unit="MB a worker more")
def edge_worker_memory(seed: int) -> Measurement:
    """What the third worker costs at a million addresses and a million codes, after each worker has answered."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        published(folder, seed, URLS, CODES)
        with serving(folder, 3) as port:
            pause = threading.Event()
            pause.wait(3)
            ask(port, 100)
            own = sorted(own_bytes(pid) for pid in workers_of(folder))
    if len(own) != 3:
        raise AssertionError(f"{len(own)} workers were found")
    return Measurement(own[1] / MEGABYTE, {"urls": URLS, "codes": CODES, "workers": 3, "own": own})


def photograph(seed: int) -> bytes:
    """A picture of one megapixel, drawn by code, as JPEG."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    canvas = np.zeros((SIDE, SIDE, 3))
    for _ in range(40):
        y, x, width = generator.random(), generator.random(), 0.02 + 0.1 * generator.random()
        canvas += np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / width**2)[..., None] * generator.random(3)
    noise = generator.normal(0, 4, canvas.shape)
    stream = io.BytesIO()
    pixels = np.clip(255 * canvas / canvas.max() + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(stream, "JPEG", quality=88)
    return stream.getvalue()


def at_once(work: Callable[[bytes], None], files: list[bytes], threads: int) -> None:
    """Every file once, by so many threads."""
    parts = [files[start::threads] for start in range(threads)]
    running = [threading.Thread(target=lambda part=part: [work(data) for data in part]) for part in parts]  # type: ignore[misc]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


@bench(name="edge_upload", against="decoding and hashing alone, same cores", at_least=0.8)
def edge_upload(seed: int) -> Measurement:
    """A JPEG of one megapixel from upload to verdict; the peer decodes and hashes the same files in confined children."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        published(folder, seed, 1000, 100_000)
        drawn = [photograph(seed + number) for number in range(PICTURES)]
        files = [drawn[number % PICTURES] for number in range(UPLOADS)]
        with serving(folder, 1) as port, Decoder(workers=2) as decoder:
            requests = {data: HEAD % len(data) + data for data in files}
            local = threading.local()

            def upload(data: bytes) -> None:
                if not hasattr(local, "connection"):
                    local.connection = socket.create_connection(("127.0.0.1", port), timeout=60)
                local.connection.sendall(requests[data])
                answer = b""
                while not answer.endswith(b"}"):
                    answer += local.connection.recv(65536) or b"the node is gone}"
                if b'"not_listed"' not in answer:
                    raise AssertionError("a picture of nobody's list was not answered as such")

            def alone(data: bytes) -> None:
                decoder.hash_image(data)

            return compare(
                ours=lambda: at_once(upload, files, CLIENTS),
                theirs=lambda: at_once(alone, files, CLIENTS),
                ours_units=UPLOADS,
                theirs_units=UPLOADS,
                conditions={"pixels": SIDE * SIDE, "bytes": len(files[0]), "uploads": UPLOADS, "clients": CLIENTS, "decoders": 2},
            )

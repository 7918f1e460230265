"""A hundred thousand requests with planted addresses and clients: none is found in memory, logs, files or exports."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from tests.edge.test_workers import children, serving
from tests.edge.world import Hotline, until, url_entry

from vigil.edge.wiping import RINSE_SECONDS

REQUESTS = 100_000
LISTED_EACH = 50
DEPTH = 100
PLANTED = b"zorblatplanted"
MARK = re.compile(rb"zorblatplanted\d{4}|203\.0\.113\.\d{1,3}")
CHUNK = 4 * 1024 * 1024


def request(number: int) -> bytes:
    """One in fifty asks for the listed page; all name a made-up visitor, in every header that could; four in five by a proxy.

    Half of the batches are of one kind, so that whole plain requests are told by one look; the others are mixed, and parsed.
    """
    mark = f"zorblatplanted{number % 997:04d}"
    address = "http://quimber.example/zorblatlisted" if number % LISTED_EACH == 0 else f"http://{mark}.example/{mark}?{mark}"
    visitor = (
        f"User-Agent: {mark}\r\nX-Forwarded-For: 203.0.113.{number % 250}\r\nCookie: {mark}\r\nSec-Fetch-Dest: document\r\n"
    )
    batch = number // DEPTH
    if number % 5 if batch % 2 else batch % 5:
        return f"GET /auth/nginx HTTP/1.1\r\nHost: a\r\nX-Original-URI: {address}\r\n{visitor}\r\n".encode()
    body = json.dumps({"url": address})
    head = f"POST /v1/url HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{visitor}\r\n{body}".encode()


def drive(port: int) -> None:
    """All requests over kept connections, a hundred at a time on the way."""
    requests = [request(number) for number in range(LISTED_EACH * 100)]
    batches = [b"".join(requests[start : start + DEPTH]) for start in range(0, len(requests), DEPTH)]
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            for batch in batches * (REQUESTS // len(requests) // 4):
                connection.sendall(batch)
                await_answers(connection, b"HTTP/1.1 ", DEPTH)


def await_answers(connection: socket.socket, mark: bytes, number: int) -> None:
    """Read until ``mark`` came so often; it may lie across two parts."""
    rest, seen = b"", 0
    while seen < number:
        part = connection.recv(262144)
        assert part, "the node ended the connection"
        rest += part
        seen += rest.count(mark)
        rest = rest[-(len(mark) - 1) :]


def marks_in(pid: int) -> set[bytes]:
    """Every planted mark in what the process can write to and has written to, as a memory dump would show it."""
    found: set[bytes] = set()
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for start, end in written_spans(pid):
            for place in range(start, end, CHUNK):
                memory.seek(place)
                try:
                    found.update(MARK.findall(memory.read(min(CHUNK + 64, end - place))))
                except OSError:
                    break
    return found


def written_spans(pid: int) -> Iterator[tuple[int, int]]:
    """Writable parts of the address space that hold pages at all."""
    span, rights = "", ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = line.split()
        if "-" in head[0] and len(head) > 4:
            span, rights = head[0], head[1]
        elif head[0] == "Rss:" and int(head[1]) and rights.startswith("rw"):
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)


def test_nothing_that_was_planted_stays(hotline: Hotline, tmp_path: Path) -> None:
    hotline.publish(url_entry(1, "http://quimber.example/zorblatlisted"))
    with serving(hotline, tmp_path, more='[forward_auth]\nproxies = ["nginx"]\n') as process:
        until(lambda: all(process.ask("GET", "/readyz")[0] == 200 for _ in range(8)))
        drive(process.port)
        until(lambda: hotline.total("navigation") == REQUESTS // LISTED_EACH)
        time.sleep(3 * RINSE_SECONDS)  # a node under load may come late to it
        pids = {process.process.pid, *children(process)}
        assert len(pids) == 3
        begun = [Path(f"/proc/{pid}/environ").read_bytes() for pid in pids]
        assert all(b"tcache_count=0" in each and b"perturb=165" in each for each in begun)
        found = {pid: marks_in(pid) for pid in pids}
        outside = json.dumps(process.events).encode() + process.ask("GET", "/metrics")[1] + b"".join(hotline.posts)
    files = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    for text in (outside, files):
        assert PLANTED not in text
        assert b"203.0.113." not in text
        assert b"zorblatlisted" not in text
    assert found == {pid: set() for pid in pids}

"""Thousands of idle connections at each door, and files made to burst: bounded, counted, and the node stays up."""

from __future__ import annotations

import resource
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.edge.icap.messages import chunked, respmod
from tests.edge.rpz.field import KEY, NAMES
from tests.edge.world import Hotline, RunningNode, config_text, drawn_picture, hash_entry, running, sha256, until, url_entry
from tests.support.certificates import authority

from vigil.edge.http.server import Service
from vigil.media import Reason

PAGE = "http://quimber.example/zorblat"
CROWD = 2000
ROOM = 200
DOORS = f"""
[limits]
connections = {ROOM}
idle_seconds = 3
[icap]
enabled = true
port = 0
connections = {ROOM}
idle_seconds = 3
[dns]
enabled = true
port = 0
tls_port = 0
https_port = 0
certificate = "{{certificate}}"
key = "{{key}}"
connections = {ROOM}
idle_seconds = 3
[spoe]
enabled = true
port = 0
connections = {ROOM}
hello_seconds = 3
[rpz]
enabled = true
port = 0
connections = {ROOM}
idle_seconds = 3
names = ["{{names}}"]
keys_file = "{{keys}}"
tls_port = 0
tls_certificate = "{{certificate}}"
tls_key = "{{key}}"
"""


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CROWD + 1000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.fail(f"this test needs {wanted} open files; the system allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    names, keys = state.parent / "names.txt", state.parent / "keys.conf"
    made = authority(state.parent, "resolver.example")
    names.write_text(NAMES)
    keys.write_text(KEY)
    hotline.publish(url_entry(1, PAGE), hash_entry(2, "sha256", sha256(drawn_picture())))
    doors = DOORS.format(names=names, keys=keys, certificate=made.certificate, key=made.key)
    with running(config_text(hotline, state, doors)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        yield node
        assert node.node.traffic.faults == 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def port_of(service: Service, door: str) -> int:
    name, _, way = door.partition(" ")
    found = service.port if door == "http" else getattr(getattr(service, name), f"{way}_port" if way else "port")
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("door", ["http", "icap", "dns", "dns tls", "dns https", "spoe", "rpz", "rpz tls"])
def test_thousands_of_idle_connections_are_bounded_counted_and_let_go(node: RunningNode, door: str) -> None:
    port, before = port_of(node.service, door), node.node.traffic.problems
    crowd = []
    try:
        for _ in range(CROWD):
            crowd.append(socket.create_connection(("127.0.0.1", port), timeout=20))
        if door.startswith("rpz"):
            until(lambda: node.service.rpz is not None and node.service.rpz.desk.problems >= CROWD - ROOM)
        else:
            until(lambda: node.node.traffic.problems - before >= CROWD - ROOM)
        if door != "http":
            assert node.verdict_on(PAGE)["verdict"] == "listed", "the other doors are not held up"
        # Silence is bounded in time too: all are let go, the first and the last.
        assert crowd[0].recv(200) == b"" or door == "spoe"
        until(lambda: answers(node, PAGE))
    finally:
        for connection in crowd:
            connection.close()


def answers(node: RunningNode, address: str) -> bool:
    try:
        return bool(node.verdict_on(address)["verdict"] == "listed")
    except (OSError, AssertionError):
        return False


def png(width: int, height: int, packed: bytes) -> bytes:
    """A grey PNG that claims its size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def deflated(zeros: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(zeros >> 20)) + packer.flush()


BOMBS: dict[str, Callable[[], bytes]] = {
    "a claim of billions": lambda: png(2**31 - 1, 2**31 - 1, zlib.compress(b"\0")),
    "a gigabyte in a megabyte": lambda: png(32768, 32768, deflated(1 << 30)),
    "text that unpacks for ever": lambda: png(64, 64, zlib.compress(bytes(65 * 64)))[:-12]
    + struct.pack(">I", 1 << 30) + b"zTXt" + b"a\0\0" + deflated(1 << 26),
    "a gzip of nothing": lambda: b"\x1f\x8b\x08" + bytes(7) + deflated(1 << 26),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_files_made_to_burst_are_unknown_with_a_reason(node: RunningNode, name: str) -> None:
    bomb = BOMBS[name]()
    before = own_memory()
    answer = node.ask("POST", "/v1/match", bomb, content_type="image/png").json
    assert answer["verdict"] in ("unknown", "not_listed")
    assert answer.get("reason") in {*Reason, None}
    if answer["verdict"] == "not_listed":
        assert name == "text that unpacks for ever", "its pixels are a plain small picture"
    assert own_memory() - before < 128 << 20
    assert node.service.icap is not None
    with socket.create_connection(("127.0.0.1", node.service.icap.port), timeout=60) as connection:
        connection.sendall(respmod(chunked(bomb, 1 << 20)))
        assert connection.recv(4096).split(b" ")[1] in (b"200", b"204")
    assert node.ask("POST", "/v1/match", drawn_picture(), content_type="image/png").json["verdict"] == "listed"


def own_memory() -> int:
    """Resident bytes of this process, in which the node runs; its decoders are children."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

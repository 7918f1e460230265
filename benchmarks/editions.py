"""Editions of a million entries: build and sign, verify, load, and a node from a folder to its first answer.

There is no peer that signs lists end to end; the times are promises of ours.
"""

from __future__ import annotations

import functools
import hashlib
import os
import socket
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.edge import free_port, get, process
from benchmarks.harness import PROCESSOR, WALL, Measurement, bench, seconds
from vigil.base.clock import SystemClock
from vigil.editions.build import BuiltEdition, build_edition
from vigil.editions.keys import KeyRing, create_keys
from vigil.editions.load import load_edition
from vigil.editions.manifest import MANIFEST_NAME, encode_manifest
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.editions.publish import publish
from vigil.editions.verify import verify
from vigil.match.urls import CanonicalUrl, Scope

NOW: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)
ENTRIES: Final = 1_000_000
ROUNDS: Final = 5
NODE: Final = """
node = "n-{place}"
state = "state-{place}"
[editions]
source = "published"
root = "root.json"
[listen]
port = {port}
"""


@dataclass(frozen=True)
class World:
    """An edition of half a million addresses on 50,000 hosts and half a million hashes."""

    built: BuiltEdition


def entries_of(seed: int) -> EditionContents:
    half = ENTRIES // 2
    urls = tuple(
        UrlEntry(n, "pages", CanonicalUrl("http", f"zorblat-{n % 50_000}.example", None, f"/{seed}/{n}", None), Scope.PAGE)
        for n in range(half)
    )
    hashes = tuple(
        HashEntry(n, "pictures", "pdq" if n % 2 else "md5", hashlib.sha256(b"%d %d" % (seed, n)).digest()[: 32 if n % 2 else 16])
        for n in range(half)
    )
    lists = (ListInfo("pages", "url"), ListInfo("pictures", "hash_csam"))
    return EditionContents(lists, urls, hashes)


@functools.cache
def world(seed: int) -> World:
    return World(build_edition(entries_of(seed), number=1, previous=None, issued_at=NOW))


@contextmanager
def published(seed: int) -> Iterator[tuple[Path, KeyRing]]:
    with tempfile.TemporaryDirectory() as folder:
        keys = create_keys(Path(folder) / "keys", NOW)
        publish(Path(folder) / "editions", world(seed).built, keys, NOW)
        yield Path(folder) / "editions", keys


def measured(work: Callable[[], object]) -> Measurement:
    work()
    times = [seconds(work) for _ in range(ROUNDS)]
    return Measurement(statistics.median(times), {"entries": ENTRIES}, times)


@bench(name="edition_build_1m", at_most=20.0, unit="seconds")
def edition_build(seed: int) -> Measurement:
    """Entries to a published folder, by the clock: files, both signatures of targets, snapshot and timestamp, all on the disk.

    One run, which is long enough. The processor's time stands in the conditions: the work is done in one thread.
    """
    contents = entries_of(seed)
    with tempfile.TemporaryDirectory() as name:
        keys = create_keys(Path(name) / "keys", NOW)
        folder = Path(name) / "editions"
        started, processor = WALL(), PROCESSOR()
        built = build_edition(contents, number=1, previous=None, issued_at=NOW)
        steps = {"build_cpu_seconds": PROCESSOR() - processor, "build_seconds": WALL() - started}
        publish(folder, built, keys, NOW)
        took, steps["cpu_seconds"] = WALL() - started, PROCESSOR() - processor
        report = verify(folder, root=keys.root, now=NOW)
    if not report.ok or report.number != 1:
        raise AssertionError("the folder is not sound")
    size = sum(map(len, built.files.values()))
    rounded = {step: round(value, 2) for step, value in steps.items()}
    return Measurement(took, {"entries": ENTRIES, "bytes": size, "signers": 2, "load": os.getloadavg()[0], **rounded}, [took])


@bench(name="edition_verify_1m", at_most=5.0, unit="seconds")
def edition_verify(seed: int) -> Measurement:
    """The whole folder: signatures, digests, strict reading."""
    with published(seed) as (folder, keys):
        if not verify(folder, root=keys.root, now=NOW).ok:
            raise AssertionError("the folder is not sound")
        return measured(lambda: verify(folder, root=keys.root, now=NOW))


@bench(name="edition_load_1m", at_most=2.0, unit="seconds")
def edition_load(seed: int) -> Measurement:
    """Strict reading into columns."""
    with published(seed) as (folder, _):
        if len(load_edition(folder).urls.keys) != ENTRIES // 2:
            raise AssertionError("rows are missing")
        return measured(lambda: load_edition(folder))


def issued_now(built: BuiltEdition) -> BuiltEdition:
    """The same rows, issued a second ago: a node judges by the clock of its machine."""
    start = SystemClock().now().replace(microsecond=0) - timedelta(seconds=1)
    manifest = msgspec.structs.replace(
        built.manifest, issued_at=start, valid_until=start + timedelta(hours=24), hard_until=start + timedelta(hours=168)
    )
    return replace(built, files={**built.files, MANIFEST_NAME: encode_manifest(manifest)}, manifest=manifest)


def asked(port: int, path: str) -> bytes:
    """The whole answer, which may come in pieces."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(get(path))
        seen = b""
        while not seen.endswith(b"}"):
            if not (part := connection.recv(65536)):
                break
            seen += part
    return seen


def processor_seconds(pid: int) -> float:
    """Of a process, its own and that of those it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@bench(name="edge_node_ready_1m", at_most=5.0, unit="seconds")
def edge_node_ready(seed: int) -> Measurement:
    """A new node, from its start to its answer about the last of a million entries, by the clock.

    The real process with an empty state: the interpreter, signatures, copy from a folder on disk, strict checks, indexes, door.
    """
    last = hashlib.sha256(b"%d %d" % (seed, ENTRIES // 2 - 2)).digest()[:16].hex()
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        keys = create_keys(folder / "keys", SystemClock().now())
        publish(folder / "published", issued_now(world(seed).built), keys, SystemClock().now())
        (folder / "root.json").write_bytes(keys.root)
        times, used = [], []
        for place in range(ROUNDS):
            port, config = free_port(), folder / f"edge-{place}.toml"
            config.write_text(NODE.format(place=place, port=port))
            command = [sys.executable, "-m", "vigil.cli", "edge", "serve", "--config", str(config)]
            started = WALL()
            with process(command, port, "/readyz") as pid:
                answer = asked(port, f"/v1/match?type=md5&value={last}")
                times.append(WALL() - started)
                used.append(processor_seconds(pid))
            if b'"verdict":"listed"' not in answer:
                raise AssertionError("an entry is not found")
    conditions = {"entries": ENTRIES, "load": os.getloadavg()[0], "cpu_seconds": round(statistics.median(used), 2)}
    return Measurement(statistics.median(times), conditions, times)

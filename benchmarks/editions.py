"""Editions of a million entries: build, verify, load. There is no peer that signs lists end to end; times are recorded."""

from __future__ import annotations

import functools
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.harness import Measurement, bench, seconds
from vigil.editions.build import BuiltEdition, build_edition
from vigil.editions.keys import KeyRing, create_keys
from vigil.editions.load import load_edition
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.editions.publish import publish
from vigil.editions.verify import verify
from vigil.match.urls import CanonicalUrl, Scope

NOW: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)
ENTRIES: Final = 1_000_000
ROUNDS: Final = 5


@dataclass(frozen=True)
class World:
    """A published edition of half a million addresses on 50,000 hosts and half a million hashes."""

    built: BuiltEdition
    build_seconds: float


@functools.cache
def world(seed: int) -> World:
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
    contents = EditionContents(lists, urls, hashes)
    started = time.process_time()
    built = build_edition(contents, number=1, previous=None, issued_at=NOW)
    return World(built, time.process_time() - started)


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


@bench(name="edition_build_1m", at_most=20.0, unit="CPU seconds")
def edition_build(seed: int) -> Measurement:
    """Entries to files in one thread; one run, which is long enough. CPU time: others may share the processor."""
    once = world(seed)
    size = sum(map(len, once.built.files.values()))
    return Measurement(once.build_seconds, {"entries": ENTRIES, "bytes": size}, [once.build_seconds])


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

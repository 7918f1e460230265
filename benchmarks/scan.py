"""Bulk scans: beside hashing alone on the same cores; and what the leading process needs over a million files."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.harness import Measurement, bench, compare
from vigil.base.clock import SystemClock
from vigil.editions.build import build_edition
from vigil.editions.keys import create_keys
from vigil.editions.load import load_edition
from vigil.editions.model import EditionContents, HashEntry, ListInfo
from vigil.editions.publish import publish
from vigil.media import Decoder
from vigil.scan.journal import Head, Journal
from vigil.scan.listed import write_listed
from vigil.scan.model import Done, Result, Task
from vigil.scan.output import finish
from vigil.scan.pool import Pool
from vigil.scan.sources import tasks_of
from vigil.scan.worker import Setup

PICTURES = 512
SIDE = 1024
LISTED = 100_000
FILES = 1_000_000
IN_A_FOLDER = 1000
WRITER = 64  # MB of a Parquet writer with its buffers


def pictures(folder: Path, seed: int) -> list[bytes]:
    """JPEGs of one megapixel, smooth with some grain, as photographs are."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    made = []
    for _ in range(16):
        waves = [np.sin(rows * generator.uniform(5, 40) + columns * generator.uniform(5, 40)) for _ in range(3)]
        pixels = np.stack(waves, axis=-1) * 90 + 128 + generator.normal(0, 6, (SIDE, SIDE, 3))
        stream = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=85)
        made.append(stream.getvalue())
    data = [made[number % 16] for number in range(PICTURES)]
    for number, each in enumerate(data):
        (folder / f"{number:04}.jpg").write_bytes(each)
    return data


def listed(folder: Path, seed: int) -> None:
    """The hashes of an edition as workers map them."""
    codes = np.random.default_rng(seed).integers(0, 256, (LISTED, 32), dtype=np.uint8)
    entries = tuple(HashEntry(number, "pictures", "pdq", row.tobytes()) for number, row in enumerate(codes))
    contents = EditionContents((ListInfo("pictures", "hash_csam"),), (), entries)
    now = SystemClock().now()
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        keys = create_keys(Path(name) / "keys", now)
        publish(Path(name) / "published", build_edition(contents, number=1, previous=None, issued_at=now), keys, now)
        write_listed(load_edition(Path(name) / "published"), folder)


@bench(name="scan_1mp_jpeg", against="hashing alone, same cores", at_least=0.90)
def scan_1mp_jpeg(seed: int) -> Measurement:
    """A folder of pictures scanned with journal and verdicts, and the same bytes hashed by as many confined children."""
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder, hashes = Path(name) / "in", Path(name) / "listed"
        folder.mkdir()
        hashes.mkdir()
        data = pictures(folder, seed)
        listed(hashes, seed)
        pool, decoder = Pool(Setup(str(hashes)), cores, 1), Decoder(workers=cores)
        rounds = iter(range(100))

        def ours() -> None:
            journal = Journal(Path(name) / f"out-{next(rounds)}.jsonl", Head("in", "", 1, ""), fresh=True)
            items = sum(journal.add(done).items for done in pool.run(journal.left(tasks_of(str(folder)))))
            journal.close()
            if items != PICTURES:
                raise AssertionError("the scan lost an item")

        def theirs() -> None:
            with ThreadPoolExecutor(cores) as threads:
                list(threads.map(decoder.hash_image, data))

        try:
            conditions = {"pictures": PICTURES, "megapixels": 1, "cores": cores, "listed": LISTED}
            return compare(ours=ours, theirs=theirs, ours_units=PICTURES, theirs_units=PICTURES, conditions=conditions)
        finally:
            pool.close()
            decoder.close()


def tree(folder: Path) -> None:
    """A million files: a thousand in a folder, names for one empty file there (a file system has room for so many of one)."""
    for number in range(FILES // IN_A_FOLDER):
        below = folder / f"{number:04}"
        below.mkdir()
        first = below / "0000.jpg"
        first.touch()
        for place in range(1, IN_A_FOLDER):
            os.link(first, below / f"{place:04}.jpg")


def answers(tasks: Iterable[Task]) -> Iterator[Done]:
    """An engine that looks at nothing."""
    for task in tasks:
        yield Done(task.number, task.digest, tuple(Result(item=item.name, verdict="unknown") for item in task.items))


@bench(name="scan_memory_1m", at_most=8.0, unit="MB more")
def scan_memory_1m(seed: int) -> Measurement:
    """The most the leading process ever has beyond what it had at the hundred thousandth file.

    Looked at after every tenth of the files: a process that needed but nine bytes a file would have 8 MB more at the end. Writing
    the result as Parquet takes a writer besides, whose needs do not depend on the number of rows either.
    """
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder, out = Path(name) / "in", Path(name) / "out.parquet"
        folder.mkdir()
        tree(folder)
        journal = Journal(out, Head("in", "", 1, ""), fresh=True)
        items, seen = 0, list[float]()
        for done in answers(journal.left(tasks_of(str(folder)))):
            items += journal.add(done).items
            if items >= FILES * (len(seen) + 1) // 10:
                seen.append(resident())
        finish(journal, out)
        after = resident()
        if items != FILES or pq.read_metadata(out).num_rows != FILES:
            raise AssertionError("the scan lost a file")
        if after - seen[-1] > WRITER:
            raise AssertionError("writing the result is not flat")
        return Measurement(max(seen) - seen[0], {"files": items, "after_each_tenth": seen, "with_the_result": after})


def resident() -> float:
    """Megabytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

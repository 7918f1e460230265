"""Exact look-up of digests: 10M SHA-256 in a mapped table beside a Python dictionary of the first million."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.harness import Measurement, bench, compare
from vigil.match.index import DigestTable

ROWS = 10_000_000
IN_DICTIONARY = 1_000_000
BATCH = 20_000


@bench(name="digests_10m", against="dict of 1M (a tenth of the rows)")
def digests_10m(seed: int) -> Measurement:
    """A batch of look-ups, half of them hits; ten million keys in a dictionary would take over 1 GB."""
    generator = np.random.default_rng(seed)
    digests = generator.integers(0, 256, (ROWS, 32), dtype=np.uint8)
    ids = np.arange(ROWS, dtype=np.uint64)
    known = {digest.tobytes(): k for k, digest in enumerate(digests[:IN_DICTIONARY])}
    asked = np.concatenate([digests[generator.integers(0, IN_DICTIONARY, BATCH // 2)],
                            generator.integers(0, 256, (BATCH // 2, 32), dtype=np.uint8)])  # fmt: skip
    asked = asked[generator.permutation(BATCH)]
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        table = DigestTable.build(digests, ids, Path(folder) / "sha256.idx")
        if [known.get(digest.tobytes()) for digest in asked] != answers(table, asked):
            raise AssertionError("the table answers otherwise than the dictionary")
        return compare(
            ours=lambda: table.search(asked),
            theirs=lambda: [known.get(digest.tobytes()) for digest in asked],
            ours_units=BATCH,
            theirs_units=BATCH,
            conditions={"rows": ROWS, "batch": BATCH, "hits": 0.5, "threads": 1},
        )


def answers(table: DigestTable, asked: np.ndarray) -> list[int | None]:
    offsets, ids = table.search(asked)
    return [int(ids[start]) if end > start else None for start, end in itertools.pairwise(offsets)]

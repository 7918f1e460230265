"""Hamming search at distance 31 beside FAISS and the default index of threatexchange; memory, opening, building."""

from __future__ import annotations

import functools
import gc
import os
import pickle
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import codes as made_up
from benchmarks.harness import PROCESSOR, Measurement, bench, compare
from vigil.match.index import HammingIndex

DISTANCE = 31
MILLION = 1_000_000
KINDS = {"uniform": made_up.uniform, "clustered": made_up.clustered, "pictures": made_up.of_pictures}


@functools.cache
def folder() -> Path:
    """Where the index files of this run lie; removed by the system's cleaning of temporary files or at exit."""
    kept = tempfile.TemporaryDirectory(prefix="vigil-bench-")
    _kept.append(kept)
    return Path(kept.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


@functools.lru_cache(maxsize=1)
def data(kind: str, count: int, seed: int) -> tuple[made_up.Codes, made_up.Codes]:
    """Stored codes and 2,000 queries; the last set asked for is kept."""
    generator = np.random.default_rng(seed)
    stored = KINDS[kind](count, generator)
    return stored, made_up.queries(stored, 2000, generator)


@functools.lru_cache(maxsize=1)
def index(kind: str, count: int, seed: int) -> HammingIndex:
    stored, _ = data(kind, count, seed)
    return HammingIndex.build(stored, np.arange(count, dtype=np.uint64), folder() / f"{kind}-{count}.idx")


def flat(stored: made_up.Codes) -> Any:
    """FAISS, every code compared, one thread."""
    import faiss

    faiss.omp_set_num_threads(1)
    peer = faiss.IndexBinaryFlat(256)
    peer.add(stored)
    return peer


def same_hits(ours: tuple[Any, ...], peer: Any, asked: made_up.Codes) -> int:
    """Check every hit and distance against the peer (its radius is exclusive); the number of hits."""
    limits, distances, labels = peer.range_search(asked, DISTANCE + 1)
    offsets, ids, apart = ours
    for k in range(len(asked)):
        there, here = slice(limits[k], limits[k + 1]), slice(offsets[k], offsets[k + 1])
        theirs = sorted(zip(distances[there].tolist(), labels[there].tolist(), strict=True))
        mine = list(zip(apart[here].tolist(), ids[here].tolist(), strict=True))
        if theirs != mine:
            raise AssertionError(f"query {k}: {len(mine)} hits here, {len(theirs)} there")
    return len(ids)


def against_flat(kind: str, count: int, seed: int, peer_queries: int, rounds: int = 5) -> Measurement:
    """Single queries, one thread, against FAISS comparing with every code."""
    stored, asked = data(kind, count, seed)
    ours, peer = index(kind, count, seed), flat(stored)
    hits = same_hits(ours.search(asked[:peer_queries], threads=1), peer, asked[:peer_queries])
    widths = list(ours.segments()[0].widths)
    return compare(
        ours=lambda: [ours.search(asked[k : k + 1], threads=1) for k in range(len(asked))],
        theirs=lambda: [peer.range_search(asked[k : k + 1], DISTANCE + 1) for k in range(peer_queries)],
        ours_units=len(asked),
        theirs_units=peer_queries,
        rounds=rounds,
        clock=PROCESSOR,
        conditions={"codes": count, "data": kind, "distance": DISTANCE, "batch": 1, "threads": 1, "bands": widths,
                    "queries": len(asked), "peer_queries": peer_queries, "hits_checked": hits},
    )  # fmt: skip


@bench(name="hamming_1m", against="faiss.IndexBinaryFlat", at_least=40.0)
def hamming_1m(seed: int) -> Measurement:
    return against_flat("uniform", MILLION, seed, peer_queries=100)


@bench(name="hamming_1m_clustered", against="faiss.IndexBinaryFlat", at_least=15.0)
def hamming_1m_clustered(seed: int) -> Measurement:
    return against_flat("clustered", MILLION, seed, peer_queries=100)


@bench(name="hamming_1m_pictures", against="faiss.IndexBinaryFlat", at_least=15.0)
def hamming_1m_pictures(seed: int) -> Measurement:
    """PDQ codes of pictures; the statistics of their bits, from which the bands are chosen, stand with the figure."""
    measured = against_flat("pictures", MILLION, seed, peer_queries=100)
    stored, _ = data("pictures", MILLION, seed)
    return replace(measured, conditions=measured.conditions | statistics(stored[:50_000]))


def statistics(codes: made_up.Codes) -> dict[str, float]:
    """How lopsided and how related the 256 bits are: the extremes of the share of ones, and the largest correlation."""
    bits = np.unpackbits(codes, axis=1).astype(np.float32)
    related = np.abs(np.corrcoef(bits.T))
    np.fill_diagonal(related, 0.0)
    shares = bits.mean(axis=0)
    return {
        "least_share_of_ones": round(float(shares.min()), 4),
        "largest_share_of_ones": round(float(shares.max()), 4),
        "largest_correlation_of_two_bits": round(float(related.max()), 4),
    }


@bench(name="hamming_10m", against="faiss.IndexBinaryFlat", at_least=100.0)
def hamming_10m(seed: int) -> Measurement:
    return against_flat("uniform", 10 * MILLION, seed, peer_queries=10)


@bench(name="hamming_10m_clustered", against="faiss.IndexBinaryFlat", at_least=15.0)
def hamming_10m_clustered(seed: int) -> Measurement:
    return against_flat("clustered", 10 * MILLION, seed, peer_queries=10)


@functools.lru_cache(maxsize=1)
def peer_index(kind: str, count: int, seed: int) -> Any:
    """The default PDQ index of threatexchange (FAISS multi-hash); building it takes half a minute a million."""
    import faiss
    from threatexchange.signal_type.pdq.signal import PdqSignal

    faiss.omp_set_num_threads(1)
    stored, _ = data(kind, count, seed)
    return PdqSignal.get_index_cls()((code.tobytes().hex(), k) for k, code in enumerate(stored))


def against_library(kind: str, count: int, seed: int) -> Measurement:
    """Single queries, one thread, against the default index of threatexchange."""
    _, asked = data(kind, count, seed)
    ours, peer = index(kind, count, seed), peer_index(kind, count, seed)
    texts = [query.tobytes().hex() for query in asked[:50]]
    offsets, ids, _ = ours.search(asked[:50])
    lost = sum(
        {int(k) for k in ids[offsets[q] : offsets[q + 1]]} != {match.metadata for match in peer.query(text)}
        for q, text in enumerate(texts)
    )
    return compare(
        ours=lambda: [ours.search(asked[k : k + 1], threads=1) for k in range(len(asked))],
        theirs=lambda: [peer.query(text) for text in texts],
        ours_units=len(asked),
        theirs_units=len(texts),
        clock=PROCESSOR,
        conditions={"codes": count, "data": kind, "distance": DISTANCE, "batch": 1, "threads": 1,
                    "queries_where_the_peer_finds_other_hits": lost},
    )  # fmt: skip


@bench(name="hamming_1m_threatexchange", against="threatexchange PDQIndex", at_least=40.0)
def hamming_1m_threatexchange(seed: int) -> Measurement:
    return against_library("uniform", MILLION, seed)


@bench(name="hamming_1m_clustered_threatexchange", against="threatexchange PDQIndex", at_least=15.0)
def hamming_1m_clustered_threatexchange(seed: int) -> Measurement:
    return against_library("clustered", MILLION, seed)


@bench(name="hamming_batch_threads", against="own single thread", at_least=None)
def hamming_batch_threads(seed: int) -> Measurement:
    """A batch of 4,000 over all cores, against the same on one."""
    _, asked = data("uniform", MILLION, seed)
    ours, batch = index("uniform", MILLION, seed), np.tile(asked, (2, 1))
    return compare(
        ours=lambda: ours.search(batch),
        theirs=lambda: ours.search(batch, threads=1),
        ours_units=len(batch),
        theirs_units=len(batch),
        conditions={"codes": MILLION, "batch": len(batch), "cores": os.cpu_count()},
    )


@bench(name="hamming_memory_10m", against="950 to 1,490 bytes (peer, published)", at_most=130.0, unit="bytes a code")
def hamming_memory_10m(seed: int) -> Measurement:
    """The index file wholly resident: every page of it counted."""
    ours = index("uniform", 10 * MILLION, seed)
    return Measurement(ours.file_bytes / len(ours), {"codes": len(ours), "file_bytes": ours.file_bytes})


@bench(name="hamming_open_10m", at_most=0.5, unit="seconds")
def hamming_open_10m(seed: int) -> Measurement:
    """Open a 10M index in the page cache and answer the first query."""
    _, asked = data("uniform", 10 * MILLION, seed)
    path = index("uniform", 10 * MILLION, seed)._path
    times = []
    for _ in range(5):
        gc.collect()
        started = time.perf_counter()
        HammingIndex.open(path).search(asked[:1])
        times.append(time.perf_counter() - started)
    return Measurement(sorted(times)[2], {"codes": 10 * MILLION, "page_cache": "warm"}, ours=times)


@bench(name="hamming_open_1m", against="unpickling threatexchange PDQIndex", at_least=None)
def hamming_open_1m(seed: int) -> Measurement:
    """Open and answer one query, against unpickling the peer's index of the same codes."""
    _, asked = data("uniform", MILLION, seed)
    path = index("uniform", MILLION, seed)._path
    stored = pickle.dumps(peer_index("uniform", MILLION, seed))
    text = asked[0].tobytes().hex()
    return compare(
        ours=lambda: HammingIndex.open(path).search(asked[:1]),
        theirs=lambda: pickle.loads(stored).query(text),
        conditions={"codes": MILLION, "peer_pickle_bytes_a_code": len(stored) / MILLION},
    )


@bench(name="hamming_build_10m", at_most=15.0, unit="seconds")
def hamming_build_10m(seed: int) -> Measurement:
    """Build, check that each code is reachable, write and make durable, on all cores."""
    stored, _ = data("uniform", 10 * MILLION, seed)
    ids = np.arange(len(stored), dtype=np.uint64)
    started = time.perf_counter()
    HammingIndex.build(stored, ids, folder() / "build.idx")
    taken = time.perf_counter() - started
    return Measurement(taken, {"codes": len(stored), "cores": os.cpu_count()}, ours=[taken])


@bench(name="hamming_append_10m", unit="seconds")
def hamming_append_10m(seed: int) -> Measurement:
    """Append one code to a 10M index, make it durable, and find it."""
    path = index("uniform", 10 * MILLION, seed)._path
    generator = np.random.default_rng(seed + 1)
    times = []
    for k in range(5):
        code = made_up.uniform(1, generator)
        started = time.perf_counter()
        writer = HammingIndex.open(path)
        writer.append(code, np.array([20 * MILLION + k], np.uint64))
        if int(writer.search(code)[1][0]) != 20 * MILLION + k:
            raise AssertionError("the appended code is not found")
        times.append(time.perf_counter() - started)
    return Measurement(sorted(times)[2], {"codes": 10 * MILLION}, ours=times)

"""URL lookups in an index of a million entries, in batches of 1,000 through Python on one core."""

from __future__ import annotations

import random
import statistics
import time

import numpy as np

from benchmarks.harness import ROUNDS, Measurement, bench, seconds
from vigil.match.index.url import EntryTable, HostTable, UrlHit, UrlIndex
from vigil.match.urls import Scope, canonical, entry_key, host_key
from vigil.match.urls.canonical import slow

ENTRIES = 1_000_000
LOOKUPS = 100_000
BATCH = 1000


def address(number: int) -> str:
    return f"https://www.site{number}.example/some/path/page{number}.html?id={number}&q=abc"


def tables(seed: int, listed: list[str]) -> tuple[EntryTable, HostTable]:
    """A million random digests, the first of which are those of ``listed``."""
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, 256, (ENTRIES, 16), dtype=np.uint8)
    hosts = rng.integers(0, 256, (ENTRIES, 8), dtype=np.uint8)
    scopes = rng.integers(0, 3, ENTRIES).astype(np.uint8)
    for row, text in enumerate(listed):
        url = canonical(text)
        keys[row] = np.frombuffer(entry_key(Scope.URL, url), np.uint8)
        hosts[row] = np.frombuffer(host_key(url.host), np.uint8)
        scopes[row] = 0
    none16, none8 = np.zeros(ENTRIES, np.uint16), np.zeros(ENTRIES, np.uint8)
    numbers = np.arange(ENTRIES, dtype=np.uint64)
    entries = EntryTable(keys, scopes, none16, none16, none8, numbers, none16, np.zeros(ENTRIES, np.int64))
    return entries, HostTable(hosts, np.full(ENTRIES, 2, np.uint8))


def rate(index: UrlIndex, addresses: list[str], hits: int, conditions: dict[str, object]) -> Measurement:
    """Lookups a second of one core's time; what the index remembers of hosts is dropped before each round."""
    batches = [addresses[start : start + BATCH] for start in range(0, len(addresses), BATCH)]
    found = sum(isinstance(answer, UrlHit) for batch in batches for answer in index.check_many(batch))
    if found != hits:
        raise AssertionError("the index does not find what is listed, or finds more")
    rounds, wall = [], []
    for _ in range(ROUNDS):
        index._cache.clear()
        started = time.process_time()
        wall.append(seconds(lambda: [index.check_many(batch) for batch in batches]) / len(addresses))
        rounds.append((time.process_time() - started) / len(addresses))
    size = {"entries": ENTRIES, "lookups": len(addresses), "batch": BATCH, "bytes_an_entry": index.nbytes() / ENTRIES}
    clock = {"clock": "seconds of one core", "by_wall_clock": 1 / statistics.median(wall)}
    return Measurement(1 / statistics.median(rounds), size | clock | conditions, rounds)


@bench(name="url_lookup", at_least=300_000, unit="lookups a second")
def url_lookup(seed: int) -> Measurement:
    """Traffic as a filter sees it: hosts come again and again (Pareto), 1 % of the addresses are listed."""
    rng = random.Random(seed)
    numbers = rng.sample(range(10**9), 50_000)
    listed = [address(number) for number in numbers[:500]]
    draw = [numbers[500 + int(rng.paretovariate(0.5)) % 49_000] for _ in range(LOOKUPS)]
    addresses = [rng.choice(listed) if place % 100 == 0 else address(number) for place, number in enumerate(draw)]
    index = UrlIndex.from_columns(*tables(seed, listed))
    distinct = len(set(addresses))
    return rate(index, addresses, LOOKUPS // 100, {"listed": "1 %", "distinct_addresses": distinct})


@bench(name="url_lookup_all_hosts_new", unit="lookups a second")
def url_lookup_all_hosts_new(seed: int) -> Measurement:
    """The worst traffic: no host comes twice, so that nothing can be remembered. Nothing is listed."""
    numbers = random.Random(seed).sample(range(10**9), LOOKUPS)
    index = UrlIndex.from_columns(*tables(seed, []))
    return rate(index, [address(number) for number in numbers], 0, {"listed": "none"})


@bench(name="url_lookup_all_listed", unit="lookups a second")
def url_lookup_all_listed(seed: int) -> Measurement:
    """Every address is listed."""
    listed = [address(number) for number in random.Random(seed).sample(range(10**9), 2000)]
    index = UrlIndex.from_columns(*tables(seed, listed))
    return rate(index, listed * 10, 20_000, {"listed": "all"})


@bench(name="url_index_build", unit="seconds")
def url_index_build(seed: int) -> Measurement:
    """An index of a million entries from the columns of an edition."""
    columns = tables(seed, [])
    rounds = [seconds(lambda: UrlIndex.from_columns(*columns)) for _ in range(ROUNDS)]
    return Measurement(statistics.median(rounds), {"entries": ENTRIES}, rounds)


@bench(name="url_canonical", unit="microseconds")
def url_canonical(seed: int) -> Measurement:
    """The canonical form of a plain address; conditions hold the slow path's figure for the same address."""
    text = address(seed)
    by_slow_path = statistics.median(seconds(lambda: slow(text), 5000) for _ in range(ROUNDS)) * 1e6
    rounds = [seconds(lambda: canonical(text), 20_000) for _ in range(ROUNDS)]
    return Measurement(statistics.median(rounds) * 1e6, {"slow_path_microseconds": by_slow_path}, rounds)

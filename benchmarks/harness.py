"""How Vigil is measured beside its peers: one process, alternating rounds, medians of five.

A benchmark is a function in a module of this folder::

    from benchmarks.harness import Measurement, bench, compare

    @bench(name="zorblat", against="peer", at_least=10.0)          # ratio: time of the peer / our time
    def zorblat(seed: int) -> Measurement:
        return compare(ours=lambda: …, theirs=lambda: …, conditions={"items": 1000})

    @bench(name="zorblat_memory", at_most=130.0, unit="bytes a code")
    def zorblat_memory(seed: int) -> Measurement:
        return Measurement(value=…, conditions={…})

It must check that both sides give the same answers before it measures them: a fast wrong index is the worst outcome.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import statistics
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "artifacts" / "bench"
ROUNDS: Final = 5
SEED: Final = 20261123
PEERS: Final = ("pdqhash", "faiss-cpu", "threatexchange", "pillow", "simplejpeg", "numpy", "ahocorasick-rs", "vigil")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a benchmark found. ``value`` is in the unit that its registration names."""

    value: float
    conditions: dict[str, Any] = field(default_factory=dict)
    ours: list[float] = field(default_factory=list)  # seconds a unit of work, one a round
    theirs: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A registered benchmark and what it promises; ``None`` where it only records."""

    name: str
    run: Callable[[int], Measurement]
    against: str | None
    at_least: float | None
    at_most: float | None
    unit: str

    def kept(self, value: float) -> bool:
        """Whether the promise holds."""
        low = self.at_least is None or value >= self.at_least
        return low and (self.at_most is None or value <= self.at_most)

    @property
    def promise(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "recorded" if self.at_most is None else f"<= {self.at_most:g}"


BENCHMARKS: Final[dict[str, Benchmark]] = {}
Runner = Callable[[int], Measurement]


def bench(
    *,
    name: str,
    against: str | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    unit: str = "ratio",
) -> Callable[[Runner], Runner]:
    """Register a benchmark under ``name``; the function is handed the seed of its data."""

    def register(run: Runner) -> Runner:
        if name in BENCHMARKS:
            raise ValueError(f"two benchmarks are named {name}")
        BENCHMARKS[name] = Benchmark(name, run, against, at_least, at_most, unit)
        return run

    return register


WALL: Final = time.perf_counter
# For work on one thread that waits for nothing: neighbours on a shared machine cannot take from one side only.
PROCESSOR: Final = time.process_time


def seconds(work: Callable[[], object], times: int = 1, clock: Callable[[], float] = WALL) -> float:
    """Seconds of one call by ``clock``, averaged over ``times`` calls."""
    started = clock()
    for _ in range(times):
        work()
    return (clock() - started) / times


def compare(
    *,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    conditions: dict[str, Any],
    ours_times: int = 1,
    theirs_times: int = 1,
    ours_units: int = 1,
    theirs_units: int = 1,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = WALL,
) -> Measurement:
    """Ratio of the medians (theirs / ours) over alternating rounds, after one round to warm up.

    ``*_times``  calls a round; ``*_units``  units of work (pictures, queries) that one call does, where the two
    sides cannot do the same number in sensible time; ``clock``  WALL, or PROCESSOR for work on one thread.
    """
    ours()
    theirs()
    mine: list[float] = []
    other: list[float] = []
    for _ in range(rounds):
        mine.append(seconds(ours, ours_times, clock) / ours_units)
        other.append(seconds(theirs, theirs_times, clock) / theirs_units)
    ratio = statistics.median(other) / statistics.median(mine)
    named = "processor time" if clock is PROCESSOR else "wall clock"
    return Measurement(ratio, conditions | {"clock": named}, mine, other)


def machine() -> dict[str, Any]:
    """Where and with what it was measured."""
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of Vigil and of the peers that are installed."""
    found = {}
    for name in PEERS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load_all() -> None:
    """Import every module of this folder, so that its benchmarks register themselves."""
    for module in sorted(Path(__file__).parent.glob("*.py")):
        if module.stem not in {"__init__", "harness"}:
            importlib.import_module(f"benchmarks.{module.stem}")


def record(benchmark: Benchmark, measured: Measurement, where: dict[str, Any], seed: int) -> dict[str, Any]:
    """Write the raw figures to ``artifacts/bench/<name>.json``."""
    document = {
        "name": benchmark.name,
        "against": benchmark.against,
        "unit": benchmark.unit,
        "promise": benchmark.promise,
        "value": measured.value,
        "kept": benchmark.kept(measured.value),
        "seed": seed,
        "conditions": measured.conditions,
        "ours_seconds": measured.ours,
        "theirs_seconds": measured.theirs,
        "machine": where,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{benchmark.name}.json").write_text(json.dumps(document, indent=2) + "\n")
    return document


def run(names: list[str], seed: int = SEED) -> bool:
    """Run the named benchmarks (all, if none is named), print a table, and say whether every promise held."""
    load_all()
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise SystemExit(f"No benchmark is named {', '.join(unknown)}. There are: {', '.join(sorted(BENCHMARKS))}.")
    where = machine()
    print(json.dumps(where))
    print(f"seed {seed}, medians of {ROUNDS} alternating rounds")
    documents = []
    broken: list[tuple[str, str]] = []
    for name in names or sorted(BENCHMARKS):
        benchmark = BENCHMARKS[name]
        print(f"… {name}", flush=True)
        try:
            documents.append(record(benchmark, benchmark.run(seed), where, seed))
        except Exception as error:  # noqa: BLE001 - one benchmark that cannot run must not cost the figures of the others
            (RESULTS / f"{name}.json").unlink(missing_ok=True)
            broken.append((name, f"{type(error).__name__}: {error}"))
            traceback.print_exc()
    print_table(documents)
    for name, why in broken:
        print(f"{name:34} could not be measured: {why[:200]}")
    return not broken and all(document["kept"] for document in documents)


def print_table(documents: list[dict[str, Any]]) -> None:
    """One line a benchmark."""
    print(f"\n{'benchmark':34} {'measured':>12} {'unit':14} {'promise':>12}  kept  ours / peer")
    for document in documents:
        print(
            f"{document['name']:34} {document['value']:12.4g} {document['unit']:14} {document['promise']:>12}  "
            f"{'yes ' if document['kept'] else 'NO  '}  {spread(document['ours_seconds'])} / "
            f"{spread(document['theirs_seconds'])} {document['against'] or ''}"
        )


def spread(values: list[float]) -> str:
    """Median with lowest and highest."""
    if not values:
        return "–"
    middle = statistics.median(values)
    return f"{middle * 1e6:,.1f} us ({min(values) * 1e6:,.1f}–{max(values) * 1e6:,.1f})"

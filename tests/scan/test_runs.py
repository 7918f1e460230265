"""Whole scans: on processes and on Ray, killed, resumed, with a worker that dies; no item lost, none twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.scan.conftest import Samples

from vigil.base.errors import RefusedError, VigilError
from vigil.scan.model import Done
from vigil.scan.pool import Pool
from vigil.scan.run import Wish, scan
from vigil.scan.sources import tasks_of
from vigil.scan.worker import Setup


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def verdicts(rows: list[dict[str, Any]]) -> dict[str, str]:
    found = {row["item"]: row["verdict"] for row in rows}
    assert len(found) == len(rows), "an item has two results"
    return found


def test_a_scan_on_processes_by_the_command(samples: Samples, tmp_path: Path) -> None:
    wanted = samples.spread(tmp_path / "in", more=10)
    done = vigil_scan(samples, tmp_path, "out.parquet", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"items": 17, "listed": 3, "unknown": 3, "resumed": 0}
    assert verdicts(pq.read_table(tmp_path / "out.parquet").to_pylist()) == wanted
    assert "items/s" in done.stderr and "MB/s" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def vigil_scan(samples: Samples, folder: Path, out: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(samples, folder, out, *more), capture_output=True, text=True, check=False, timeout=300)


def command(samples: Samples, folder: Path, out: str, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "vigil.cli", "scan", str(folder / "in"), "--edition", str(samples.edition),
        "--out", str(folder / out), *more,
    ]  # fmt: skip


def test_a_killed_scan_goes_on_where_it_was(samples: Samples, tmp_path: Path) -> None:
    wanted = samples.spread(tmp_path / "in", more=500)
    process = subprocess.Popen(command(samples, tmp_path, "out.jsonl", "--workers", "1"), stderr=subprocess.DEVNULL)
    journal = tmp_path / "out.jsonl.partial.journal"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 3)
    below = descendants(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not [pid for pid in below if Path(f"/proc/{pid}/exe").exists()])
    with journal.open("ab") as stream:
        stream.write(b"[99,")  # a note that was being written
    with (tmp_path / "out.jsonl.partial.jsonl").open("ab") as stream:
        stream.write(b'{"item":"half')  # and results nobody noted
    summary = scan(Wish(str(tmp_path / "in"), samples.edition, tmp_path / "out.jsonl", workers=1), lambda line: None)
    assert 0 < summary.resumed < summary.items == len(wanted)
    assert verdicts(rows_of(tmp_path / "out.jsonl")) == wanted


def wait_until(good: Any) -> None:
    deadline = time.monotonic() + 120
    while not good():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def descendants(parent: int) -> dict[int, str]:
    """Process numbers and command lines of everything below a process."""
    parents, lines = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
                lines[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {parent}
    while more := {pid for pid, above in parents.items() if above in found} - found:
        found |= more
    return {pid: lines[pid] for pid in found - {parent}}


def test_another_scan_in_the_way_is_refused(samples: Samples, tmp_path: Path) -> None:
    samples.spread(tmp_path / "in")
    wish = Wish(str(tmp_path / "in"), samples.edition, tmp_path / "out.jsonl", workers=1)
    (tmp_path / "out.jsonl.partial.journal").write_text('{"source":"elsewhere","column":"","edition":1,"issued":""}\n')
    with pytest.raises(RefusedError, match="something else"):
        scan(wish, lambda line: None)


def test_a_source_that_changed_is_refused(samples: Samples, tmp_path: Path) -> None:
    from vigil.scan.journal import Head, Journal

    samples.spread(tmp_path / "in")
    journal = Journal(tmp_path / "out.jsonl", Head("in", "", 1, ""), fresh=False)
    (task,) = tasks_of(str(tmp_path / "in"))
    journal.add(Done(task.number, task.digest, ()))
    assert list(journal.left(iter([task]))) == []
    (tmp_path / "in" / "added").write_bytes(b"x")
    with pytest.raises(RefusedError, match="changed"):
        list(journal.left(tasks_of(str(tmp_path / "in"))))
    journal.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"out": "in/out.jsonl"}, "out_inside"), ({"out": "out.txt"}, "out_format"), ({"out": "no/out.jsonl"}, "out_folder"),
     ({"on": "zorblat"}, "scan_on")],
)  # fmt: skip
def test_wishes_that_cannot_be_met(samples: Samples, tmp_path: Path, changes: dict[str, str], code: str) -> None:
    samples.spread(tmp_path / "in")
    out, on = tmp_path / changes.get("out", "out.jsonl"), changes.get("on", "processes")
    with pytest.raises(VigilError) as caught:
        scan(Wish(str(tmp_path / "in"), samples.edition, out, on=on, workers=1), lambda line: None)
    assert caught.value.code == code


def test_a_process_that_dies_costs_nothing(samples: Samples, listed_folder: Path, tmp_path: Path) -> None:
    wanted = samples.spread(tmp_path / "in", more=300)
    pool = Pool(Setup(str(listed_folder)), 2, 1)
    killed: list[int] = []
    found: dict[str, str] = {}
    try:
        for done in pool.run(tasks_of(str(tmp_path / "in"))):
            found |= {result.item: result.verdict for result in done.results}
            if not killed and pool._pool._processes:
                killed.append(next(iter(pool._pool._processes)))
                os.kill(killed[0], signal.SIGKILL)
    finally:
        pool.close()
    assert killed and found == wanted


def test_on_ray_with_a_worker_killed_on_the_way(samples: Samples, tmp_path: Path) -> None:
    """A local cluster of three workers, on loopback; one process that works is killed mid-run."""
    wanted = samples.spread(tmp_path / "in", more=400)
    on_ray = command(samples, tmp_path, "out.jsonl", "--on", "ray", "--workers", "3")
    process = subprocess.Popen(on_ray, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = tmp_path / "out.jsonl.partial.journal"
    wait_until(lambda: process.poll() is not None or (journal.exists() and journal.read_bytes().count(b"\n") >= 2))
    at_work = [pid for pid, line in descendants(process.pid).items() if line.startswith("ray::work")]
    assert len(at_work) >= 2, "several processes work"
    os.kill(at_work[0], signal.SIGKILL)
    assert process.wait(240) == 0
    assert verdicts(rows_of(tmp_path / "out.jsonl")) == wanted
    assert not usage_was_reported()


def usage_was_reported() -> bool:
    """Ray keeps a note where it reports its use; there is none."""
    return any(Path("/tmp/ray/session_latest").glob("usage_stats.json"))


def test_memory_of_the_leader_does_not_grow_with_the_number_of_items(tmp_path: Path) -> None:
    """A hundred thousand addresses through source, journal and output, with an engine that answers at once."""
    import tracemalloc

    from vigil.scan.journal import Head, Journal
    from vigil.scan.model import Result
    from vigil.scan.output import finish

    lines = tmp_path / "list"
    with lines.open("w") as stream:
        for number in range(100_000):
            stream.write(f"http://quimber.example/{number}\n")
    journal = Journal(tmp_path / "out.parquet", Head("x", "", 1, ""), fresh=False)
    tracemalloc.start()
    peaks = []
    for task in journal.left(tasks_of(f"urls:{lines}")):
        results = tuple(Result(item=item.name, verdict="unknown") for item in task.items)
        journal.add(Done(task.number, task.digest, results))
        if task.number % 390 == 389:
            peaks.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    finish(journal, tmp_path / "out.parquet")
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == 100_000
    assert peaks[-1] - peaks[0] < 100_000 * 8  # the digests of tasks, less than eight bytes an item



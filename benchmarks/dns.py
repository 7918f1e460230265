"""The DNS door of an edge node under dnsperf, beside a bare UDP responder on the same event loop, in the same run.

Needs dnsperf (Debian). Its CPU time is the steadier figure; the rate on the wall clock is among the conditions.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import million
from benchmarks.edge import answered, free_port
from benchmarks.harness import Measurement, bench
from vigil.match.urls import Scope

NAMES = million.URLS
SECONDS = 3
ROUNDS = 3
LOAD = ("-c", "4", "-q", "100", "-l", str(SECONDS), "-e")
SERVER_CORE, LOAD_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
TICKS = os.sysconf("SC_CLK_TCK")

# Says "no such name" to everything, with no look at the question: what socket and event loop cost by themselves.
BARE = """
import asyncio, sys, uvloop
class Bare(asyncio.DatagramProtocol):
    def connection_made(self, transport): self.transport = transport
    def datagram_received(self, data, addr): self.transport.sendto(data[:2] + b"\\x81\\x83" + data[4:], addr)
async def main():
    await asyncio.get_running_loop().create_datagram_endpoint(Bare, local_addr=("127.0.0.1", int(sys.argv[1])))
    await asyncio.Event().wait()
uvloop.run(main())
"""
NODE = """node = "n-1"
state = "state"
[editions]
source = "published"
root = "root.json"
poll_seconds = 3600
[listen]
port = {http}
[dns]
enabled = true
port = {dns}
explanation_text = "Ask the operator of this network."
"""


@contextmanager
def door(folder: Path) -> Iterator[tuple[int, int]]:
    """A node that has a million names in force: its process and the port of its DNS door."""
    million.put(folder, Scope.DOMAIN)
    http, dns = free_port(), free_port()
    (folder / "edge.toml").write_text(NODE.format(http=http, dns=dns))
    command = [sys.executable, "-m", "vigil.cli", "edge", "serve", "--config", str(folder / "edge.toml")]
    with server(command, lambda: answered(http, "/readyz")) as number:
        yield number, dns


@contextmanager
def bare(folder: Path) -> Iterator[tuple[int, int]]:
    """The bare responder."""
    port = free_port()
    (folder / "bare.py").write_text(BARE)
    command = [sys.executable, str(folder / "bare.py"), str(port)]
    with server(command, lambda: f":{port:04X} " in Path("/proc/net/udp").read_text()) as number:
        yield number, port


@contextmanager
def server(command: list[str], is_up: Callable[[], bool]) -> Iterator[int]:
    """The number of a process that runs until the end of the block."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    os.sched_setaffinity(process.pid, {SERVER_CORE})
    try:
        while not is_up():
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError("the server did not start")
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def questions(folder: Path, seed: int, share: float, count: int) -> Path:
    """``count`` questions, ``share`` of them for listed names."""
    rng = random.Random(seed)
    sites = ("site" if rng.random() < share else "other" for _ in range(count))
    names = (f"w{number if count > 20_000 else 'w'}.{site}{rng.randrange(NAMES)}.example" for number, site in enumerate(sites))
    path = folder / f"questions-{share}"
    path.write_text("".join(f"{name} {rng.choice(('A', 'AAAA', 'HTTPS'))}\n" for name in names))
    return path


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def perform(process: int, port: int, data: Path) -> tuple[float, float]:
    """One run of dnsperf: answers a second, and seconds of the server's CPU for each."""
    before = cpu_seconds(process)
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(data), *LOAD]
    said = subprocess.run(["taskset", "-c", str(LOAD_CORE), *command], capture_output=True, text=True, check=True).stdout
    completed = int(re.findall(r"Queries completed:\s+(\d+)", said)[0])
    lost = int(re.findall(r"Queries lost:\s+(\d+)", said)[0])
    if lost > completed // 1000:
        raise AssertionError("more than one answer in a thousand was lost")
    rate = float(re.findall(r"Queries per second:\s+([\d.]+)", said)[0])
    return rate, (cpu_seconds(process) - before) / completed


def measured(seed: int, share: float, count: int = 20_000) -> Measurement:
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        data = questions(folder, seed, share, count)
        with door(folder) as ours, bare(folder) as theirs:
            perform(*ours, data)
            mine = [perform(*ours, data) for _ in range(ROUNDS)]
            other = [perform(*theirs, data) for _ in range(ROUNDS)]
    costs = sorted(cost for _, cost in mine)
    conditions = {
        "names": NAMES,
        "questions": count,
        "listed": share,
        "processes": 1,
        "load": "dnsperf on another core, " + " ".join(LOAD),
        "answers_a_second": [round(rate) for rate, _ in mine],
        "answers_a_second_bare": [round(rate) for rate, _ in other],
    }
    return Measurement(1 / costs[len(costs) // 2], conditions, [cost for _, cost in mine], [cost for _, cost in other])


@bench(name="dns_listed", against="bare UDP responder, same loop", at_least=25_000, unit="answers a second of CPU")
def dns_listed(seed: int) -> Measurement:
    """Every name is listed: NXDOMAIN with SOA and Extended DNS Error, 20,000 names again and again, as a resolver is asked."""
    return measured(seed, 1.0)


@bench(name="dns_first", against="bare UDP responder, same loop", at_least=25_000, unit="answers a second of CPU")
def dns_first(seed: int) -> Measurement:
    """Every name is listed and comes for the first time, so that nothing is remembered of it: a million names, one round."""
    return measured(seed, 1.0, 1_000_000)


@bench(name="dns_mixed", against="bare UDP responder, same loop", unit="answers a second of CPU")
def dns_mixed(seed: int) -> Measurement:
    """One name in ten is listed; the others get REFUSED here, as no upstream is set."""
    return measured(seed, 0.1)

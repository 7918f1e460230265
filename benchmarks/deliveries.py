"""Editions on their way: deltas, ten million hashes, a thousand partners that poll, memory while a node swaps.

There is no peer that signs lists end to end; figures are promises of ours.
"""

from __future__ import annotations

import functools
import hashlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from benchmarks.editions import ENTRIES, NOW, processor_seconds, world
from benchmarks.harness import PROCESSOR, Measurement, bench, seconds
from vigil.editions.build import BuiltEdition, build_edition
from vigil.editions.client import EditionClient
from vigil.editions.delta import apply_delta, make_delta
from vigil.editions.folder import plain_files
from vigil.editions.keys import create_keys
from vigil.editions.load import load_edition, read_tables
from vigil.editions.manifest import MANIFEST_NAME, AlgorithmCount, Counts, FileMember, encode_manifest
from vigil.editions.model import EditionContents, ListInfo
from vigil.editions.publish import publish
from vigil.editions.state import state_digest
from vigil.editions.wire import COLUMNS, HASHES, HOSTS, URLS, arrow_schema, encode_table

ADDED: Final = 1000
REMOVED: Final = 900
PARTNERS: Final = 1000
POLL_SECONDS: Final = 60
REQUESTS: Final = 2000
ROUNDS: Final = 5


def with_tables(built: BuiltEdition, number: int, tables: dict[str, pa.Table]) -> BuiltEdition:
    """An edition of these rows, which are in order already: a million entries one by one would take minutes."""
    encoded = {name: encode_table(name, tables[name]) for name in COLUMNS}
    algorithms = {
        name: AlgorithmCount(int(count), 32 if name == "pdq" else 16)
        for name, count in zip(*np.unique(tables[HASHES].column("algorithm").to_numpy(), return_counts=True), strict=True)
    }
    scopes = dict(zip(*np.unique(tables[URLS].column("scope").to_numpy(), return_counts=True), strict=True))
    manifest = msgspec.structs.replace(
        built.manifest,
        number=number,
        previous=number - 1 or None,
        counts=Counts({str(name): int(count) for name, count in scopes.items()}, algorithms),
        files={
            name: FileMember(tables[name].num_rows, len(data), hashlib.sha256(data).hexdigest(), COLUMNS[name])
            for name, data in encoded.items()
        },
        state=state_digest(tables),
    )
    return replace(built, number=number, files={MANIFEST_NAME: encode_manifest(manifest), **encoded}, manifest=manifest)


def tables_of(built: BuiltEdition) -> dict[str, pa.Table]:
    return read_tables(lambda name, limit: built.files[name])[1]


def plain(table: pa.Table, name: str) -> pa.Table:
    return table.cast(arrow_schema(name))


@functools.cache
def both(seed: int) -> tuple[BuiltEdition, BuiltEdition]:
    """A million entries, and the edition after it: 900 hashes fewer, 1,000 others more."""
    built = world(seed).built
    tables = {name: plain(table, name) for name, table in tables_of(built).items()}
    rows, chance = tables[HASHES], np.random.default_rng(seed)
    stay = np.sort(chance.choice(len(rows), len(rows) - REMOVED, replace=False))
    new = pa.table(
        [
            pa.array(["pdq"] * ADDED),
            pa.array([chance.bytes(32) for _ in range(ADDED)], pa.binary()),
            pa.array(np.arange(ENTRIES, ENTRIES + ADDED, dtype=np.uint64)),
            pa.array(np.ones(ADDED, np.uint16)),
            pa.array(np.zeros(ADDED, np.int64)),
            pa.array([""] * ADDED),
        ],
        schema=arrow_schema(HASHES),
    )
    merged = pa.concat_tables([rows.take(stay), new]).sort_by([(x, "ascending") for x in ("algorithm", "value", "list", "entry")])
    return built, with_tables(built, 2, {**tables, HASHES: merged.combine_chunks()})


@bench(name="edition_delta_bytes", at_most=250_000.0, unit="bytes")
def delta_bytes(seed: int) -> Measurement:
    """A delta of 1,000 additions and 900 removals in a million entries."""
    old, new = both(seed)
    data = make_delta(tables_of(old), tables_of(new))
    if state_digest(apply_delta(tables_of(old), data)) != new.manifest.state:
        raise AssertionError("the delta leads elsewhere")
    return Measurement(float(len(data)), {"entries": ENTRIES, "added": ADDED, "removed": REMOVED})


@bench(name="edition_delta_apply_1m", at_most=1.0, unit="seconds")
def delta_apply(seed: int) -> Measurement:
    """From the files on disk and a delta to the next edition's files, the digest of the whole state compared."""
    old, new = both(seed)
    data = make_delta(tables_of(old), tables_of(new))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in old.files.items():
            (folder / file).write_bytes(content)

        def work() -> None:
            _, tables = read_tables(plain_files(folder))
            done = apply_delta(tables, data)
            if state_digest(done) != new.manifest.state:
                raise AssertionError("another state")
            with ThreadPoolExecutor(2) as pool:
                encoded = dict(zip(COLUMNS, pool.map(lambda file: encode_table(file, done[file]), COLUMNS), strict=True))
            if encoded[HASHES] != new.files[HASHES]:
                raise AssertionError("other bytes")

        work()
        times = [seconds(work) for _ in range(ROUNDS)]
        processor = seconds(work, clock=PROCESSOR)
    return Measurement(statistics.median(times), {"entries": ENTRIES, "delta": len(data), "cpu_seconds": processor}, times)


@bench(name="edition_delta_pull_1m", unit="seconds")
def delta_pull(seed: int) -> Measurement:
    """The same by the client: signatures, download, strict checks of every row and the swap included; recorded."""
    old, new = both(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = create_keys(folder / "keys", NOW)
        client = EditionClient(str(folder / "editions"), folder / "state", keys.root)
        publish(folder / "editions", old, keys, NOW)
        client.pull(NOW)
        publish(folder / "editions", new, keys, NOW)
        started = time.perf_counter()
        pulled = client.pull(NOW)
        took = time.perf_counter() - started
    if pulled.deltas != 1:
        raise AssertionError(f"no delta was used: {pulled.delta_refused}")
    return Measurement(took, {"entries": ENTRIES}, [took])


def of_hashes(count: int, seed: int, number: int = 1) -> BuiltEdition:
    """An edition of ``count`` PDQ values."""
    empty = build_edition(EditionContents((ListInfo("pictures", "hash_csam"),)), number=1, previous=None, issued_at=NOW)
    values = np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)
    order = np.lexsort([values.view(">u8")[:, column] for column in (3, 2, 1, 0)])
    offsets = pa.py_buffer(np.arange(0, 32 * (count + 1), 32, dtype=np.int32))
    table = pa.Table.from_arrays(
        [
            pa.repeat(pa.scalar("pdq"), count),
            pa.Array.from_buffers(pa.binary(), count, [None, offsets, pa.py_buffer(np.ascontiguousarray(values[order]))]),
            pa.array(np.arange(count, dtype=np.uint64)),
            pa.array(np.zeros(count, np.uint16)),
            pa.array(np.zeros(count, np.int64)),
            pa.repeat(pa.scalar(""), count),
        ],
        schema=arrow_schema(HASHES),
    )
    empties = {name: arrow_schema(name).empty_table() for name in (URLS, HOSTS)}
    return with_tables(empty, number, {**empties, HASHES: table})


@bench(name="edition_hashes_10m", at_most=60.0, unit="seconds")
def hashes_10m(seed: int, count: int = 10_000_000) -> Measurement:
    """Ten million hashes: pulled from disk, signatures and rows verified, indexed, and one of them found."""
    from vigil.edge.enforced import enforce
    from vigil.edge.questions import HashQuestion

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = create_keys(folder / "keys", NOW)
        publish(folder / "editions", of_hashes(count, seed), keys, NOW)
        started, processor = time.perf_counter(), time.process_time()
        pulled = EditionClient(str(folder / "editions"), folder / "state", keys.root).pull(NOW)
        steps = {"pulled": time.process_time() - processor}
        edition = load_edition(pulled.folder)
        steps["loaded"] = time.process_time() - processor
        enforced = enforce(edition, folder / "indexes", (), "keep_urls")
        steps["indexed"] = time.process_time() - processor
        wanted = bytes(edition.hashes["pdq"].values[count // 2])
        hit = enforced.hash_hit(HashQuestion("pdq", wanted), NOW)
        took = time.perf_counter() - started
    if hit is None:
        raise AssertionError("a hash is not found")
    cpu = {f"cpu_seconds_until_{step}": round(value, 1) for step, value in steps.items()}
    return Measurement(took, {"hashes": count, "cores": os.cpu_count(), **cpu}, [took])


SWAP = """
import json, re, sys
from datetime import datetime, UTC
from pathlib import Path
from vigil.base.clock import FixedClock
from vigil.edge.enforced import enforce
from vigil.editions.client import EditionClient
from vigil.editions.load import load_edition

def memory(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

folder, now = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
client = EditionClient(str(folder / "editions"), folder / "state", (folder / "1.root.json").read_bytes())

def renew(number):
    pulled = client.pull(now)
    assert pulled.number == number
    return enforce(load_edition(pulled.folder), folder / "indexes" / str(number), (), "keep_urls")

def touch(number):
    for path in (folder / "indexes" / str(number)).iterdir():
        path.read_bytes()

enforced = renew(1)
print("ready", flush=True)
sys.stdin.readline()
resident = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
enforced = renew(2)
print(json.dumps({"resident": resident, "peak": memory("VmHWM"), "after": memory("VmRSS")}), flush=True)
"""


@bench(name="edition_swap_memory", at_most=1.3, unit="ratio")
def swap_memory(seed: int) -> Measurement:
    """Peak memory of a process that pulls, verifies and swaps a million entries, over what it holds resident before."""
    old, new = both(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = create_keys(folder / "keys", NOW)
        (folder / "1.root.json").write_bytes(keys.roots[0])
        publish(folder / "editions", old, keys, NOW)
        command = [sys.executable, "-c", SWAP, str(folder), NOW.isoformat()]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            if process.stdout is None or process.stdin is None or process.stdout.readline() != "ready\n":
                raise AssertionError("the process did not start")
            publish(folder / "editions", new, keys, NOW)
            process.stdin.write("\n")
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
    return Measurement(found["peak"] / found["resident"], {"entries": ENTRIES, **{f"{k}_kb": v for k, v in found.items()}})


AGREE = """
from datetime import timedelta
from vigil.hotline.management import boot
boot.start("worker")
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.people import do_add_user, new_password
from vigil.hotline.partners.actions import do_enrol_node
from vigil.hotline.partners.agreements import Terms, do_approve_agreement, do_propose_agreement, do_propose_partner
from vigil.hotline.partners.enumerations import PartnerKind

def person(name, role):
    return do_add_user(OPERATOR, name, display_name=name, password=new_password(), roles=[role])

paula, sam = person("paula", Role.LIST_PUBLISHER), person("sam", Role.SUPERVISOR)
for place in range(20):
    partner = do_propose_partner(paula, f"Quimber Net {place}", PartnerKind.ISP)
    terms = Terms(f"contract {place}", ("pictures",), now(), now() + timedelta(days=300), "Somebody")
    do_approve_agreement(sam, do_propose_agreement(paula, partner, terms))
print(do_enrol_node(OPERATOR, "q-1", 30, partner.code)[1])
"""


@contextmanager
def partner_door() -> Iterator[tuple[int, str, int]]:
    """The real door in a process of its own: port, token of a partner's node, process number. Twenty partners have agreements."""
    from tests.support.running import free_ports

    from vigil.installation.folder import DataFolder
    from vigil.installation.prepare import LOOPBACK, Ports, write_configuration

    with tempfile.TemporaryDirectory() as name:
        folder, ports = DataFolder(Path(name)), Ports(free_ports())
        folder.create()
        write_configuration(folder, demo=True, host=LOOPBACK, ports=ports, today=datetime.now(UTC).date())
        environment = {**os.environ, "VIGIL_HOTLINE_CONFIG": str(folder.hotline_config)}

        def vigil(*words: str) -> str:
            command = [sys.executable, "-m", "vigil.cli", *words]
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

        vigil("hotline", "secrets")
        vigil("hotline", "migrate")
        agreed = subprocess.run([sys.executable, "-c", AGREE], env=environment, capture_output=True, text=True, check=True)
        token = agreed.stdout.split()[-1]
        keys = create_keys(Path(name) / "keys", datetime.now(UTC))
        publish(Path(name) / "editions", of_hashes(100, 1), keys, datetime.now(UTC))
        command = [sys.executable, "-m", "vigil.cli", "hotline", "serve", "partner"]
        door = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield ports.partner, token, door.pid
        finally:
            door.terminate()
            door.wait()


def poll(connection: http.client.HTTPConnection, token: str) -> None:
    connection.request("GET", "/editions/metadata/timestamp.json", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    if answer.status != 200 or not answer.read():
        raise AssertionError(f"status {answer.status}")


@bench(name="partner_polls", at_most=5.0, unit="% of one core")
def partner_polls(seed: int) -> Measurement:
    """What 1,000 partners cost that look for something new every 60 seconds, by the processor time of the real door.

    Each poll is that of a partner's node: its token and its partner's agreement are asked for anew each time.
    """
    with partner_door() as (port, token, pid):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(100):
            try:
                poll(connection, token)
                break
            except OSError:
                connection.close()
                time.sleep(0.2)
        before = processor_seconds(pid)
        for _ in range(REQUESTS):
            poll(connection, token)
        each = (processor_seconds(pid) - before) / REQUESTS
        connection.close()
    return Measurement(100 * each * PARTNERS / POLL_SECONDS, {"partners": PARTNERS, "seconds_a_poll": each, "requests": REQUESTS})

"""Intake on PostgreSQL: the partner door as a real process, single reports and batches, with the duplicate check; and triage.

The figures are absolute because the promise is: 200 reports a second one by one, 2,000 in batches, 2 seconds for a case with
50 pictures beside the fetch. Beside each stands the bare baseline: rows a second that psycopg commits one by one, and the
seconds that hashing the same pictures takes by itself.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools import postgres

from benchmarks.harness import Measurement, bench

SINGLES = 2400  # behind the warm-up: a rate that lasts
PROCESSES = int(os.environ.get("VIGIL_BENCH_PROCESSES", "2"))  # of the door, as the guide advises for two processors
BATCHES = 12
LINES = 1000
THREADS = int(os.environ.get("VIGIL_BENCH_CONNECTIONS", "16"))  # as many as two processes of eight threads answer at once
BULK_THREADS = 4
PICTURES = 50

CONFIG = """
name = "Benchmark"
mode = "demo"
database = "{database}"
secrets = "secrets"
editions = "editions"
"""
DOOR = '[doors.{name}]\nhost = "127.0.0.1"\nport = {port}\nurl = "http://127.0.0.1:{port}"\n'


@contextmanager
def partner_door() -> Iterator[tuple[int, str, str, Callable[[], float]]]:
    """A partner door on PostgreSQL, whose commits are on the disk: its port, a token with all scopes, the database's address, and
    the processor seconds that all its processes have used."""
    with postgres.running(durable=True) as database, tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), postgres.free_port()
        doors = "".join(DOOR.format(name=each, port=port) for each in ("public", "console", "partner"))
        doors += f"processes = {PROCESSES}\n"  # of the partner door, the last one
        (folder / "hotline.toml").write_text(CONFIG.format(database=database) + doors)
        environment = {**os.environ, "VIGIL_HOTLINE_CONFIG": str(folder / "hotline.toml")}
        vigil = [sys.executable, "-m", "vigil.cli", "hotline"]
        for command in (["secrets"], ["migrate"]):
            subprocess.run([*vigil, *command], check=True, env=environment, stdout=subprocess.DEVNULL)
        scopes = [part for scope in ("report.send", "report.bulk") for part in ("--scope", scope)]
        made = subprocess.run(
            [*vigil, "sender", "add", "bench", "--source-class", "member", *scopes, "--json"],
            check=True, env=environment, capture_output=True,
        )  # fmt: skip
        door = subprocess.Popen([*vigil, "serve", "partner"], env=environment, stderr=subprocess.DEVNULL)
        try:
            _wait(port)
            yield port, json.loads(made.stdout)["token"], database, lambda: _processor_seconds(door.pid)
        finally:
            door.terminate()
            door.wait(timeout=30)


def _processor_seconds(keeper: int) -> float:
    """What a process and its children have used until now, in user and in system mode (proc(5), fields 14 and 15 of stat)."""
    children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text(encoding="ascii").split()
    fields = [
        Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split() for pid in [str(keeper), *children]
    ]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the partner door did not open")


def _address(number: int) -> str:
    """Every tenth report names a page that was named before."""
    page = number - 5 if number % 10 == 9 else number
    return f"https://host{page % 997}.example/room/{page}"


def _post(port: int, token: str, path: str, kind: str, bodies: list[bytes]) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    answers = []
    for body in bodies:
        connection.request("POST", path, body, {"Authorization": f"Bearer {token}", "Content-Type": kind})
        response = connection.getresponse()
        answers.append(json.loads(response.read()))
        if response.status not in (200, 201):
            raise RuntimeError(f"{path}: {response.status} {answers[-1]}")
    connection.close()
    return answers


def _warm(port: int, token: str, database: str) -> None:
    """Bring the installation to where it is after its first hour: each thread of each process has its connection to the database,
    some thousand reports are there, and PostgreSQL has looked at its tables, as it does by itself every minute. (On tables that
    were empty when a check of a foreign key was planned, it reads all rows for each check until then.)"""
    import psycopg

    for batch in range(10):
        lines = [json.dumps({"url": f"https://before{batch}.example/{line}"}).encode() for line in range(LINES)]
        _post(port, token, "/v1/reports/bulk", "application/x-ndjson", [b"\n".join(lines)])
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ANALYZE")
    bodies = [b'{"url": "https://warm.example/"}'] * 20
    threads = [
        threading.Thread(target=_post, args=(port, token, "/v1/reports", "application/json", bodies))
        for _ in range(16 * PROCESSES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@bench(name="intake_single", at_least=200.0, unit="reports a second")
def intake_single(seed: int) -> Measurement:
    """Single reports through the partner door, sixteen connections, two processes."""
    with partner_door() as (port, token, database, used):
        bodies = [
            json.dumps({"url": _address(number), "words": "a benign word", "theme": "csam"}).encode() for number in range(SINGLES)
        ]
        answers: list[dict[str, Any]] = []
        parts = [bodies[place::THREADS] for place in range(THREADS)]
        threads = [
            threading.Thread(target=lambda part=part: answers.extend(_post(port, token, "/v1/reports", "application/json", part)))
            for part in parts
        ]
        _warm(port, token, database)
        before, started = used(), time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate, spent = SINGLES / (time.perf_counter() - started), (used() - before) / SINGLES
        if len(answers) != SINGLES:
            raise RuntimeError("a report was lost")
        return Measurement(rate, {
            "reports": SINGLES, "connections": THREADS, "processes": PROCESSES,
            "processor_ms_a_report": round(spent * 1e3, 2), "bare_rows_a_second": _bare(database),
        })  # fmt: skip


@bench(name="intake_bulk", at_least=2000.0, unit="reports a second")
def intake_bulk(seed: int) -> Measurement:
    """Batches of 1,000 JSON lines through the partner door, four connections, two processes."""
    with partner_door() as (port, token, database, used):
        batches = [
            b"\n".join(
                json.dumps({"url": _address(batch * LINES + line), "words": "a benign word", "theme": "csam"}).encode()
                for line in range(LINES)
            )
            for batch in range(BATCHES)
        ]
        _warm(port, token, database)
        answers: list[dict[str, Any]] = []
        threads = [
            threading.Thread(
                target=lambda part=part: answers.extend(_post(port, token, "/v1/reports/bulk", "application/x-ndjson", part))
            )
            for part in (batches[place::BULK_THREADS] for place in range(BULK_THREADS))
        ]
        before, started = used(), time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate, spent = BATCHES * LINES / (time.perf_counter() - started), (used() - before) / (BATCHES * LINES)
        if sum(answer["accepted"] for answer in answers) != BATCHES * LINES:
            raise RuntimeError("a report was lost")
        duplicates = sum(answer["duplicates"] for answer in answers)
        return Measurement(rate, {
            "reports": BATCHES * LINES, "duplicates": duplicates, "processes": PROCESSES,
            "processor_ms_a_report": round(spent * 1e3, 3), "bare_rows_a_second": _bare(database),
        })  # fmt: skip


def _bare(database: str) -> float:
    """Rows a second that psycopg commits one by one into a table of one text."""
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bare (word text)")
        started = time.perf_counter()
        for number in range(1000):
            connection.execute("INSERT INTO bare VALUES (%s)", (f"word {number}",))
        return round(1000 / (time.perf_counter() - started), 1)


@bench(name="triage_fifty_pictures", at_most=2.0, unit="seconds")
def triage_fifty_pictures(seed: int) -> Measurement:
    """Hash, keep and sort a case with 50 pictures; the fetch takes no time here."""
    with postgres.running() as database:
        finished = subprocess.run(
            [sys.executable, "-m", "benchmarks.intake", database], check=True, capture_output=True, text=True
        )
    found = json.loads(finished.stdout.splitlines()[-1])
    return Measurement(found["seconds"], {"pictures": PICTURES, "hashing_alone_seconds": found["hashing"]})


def _triage(database: str) -> None:
    """In a process of its own: prepare an empty database, run one capture from memory, sort the case; print the seconds."""
    from vigil.hotline.settings import config

    config.use_for_tests(database=database, folder=tempfile.gettempdir())
    os.environ["DJANGO_SETTINGS_MODULE"] = "vigil.hotline.settings.worker"
    import django

    django.setup()
    import io

    import msgspec
    import numpy as np
    from django.conf import settings
    from PIL import Image

    from vigil.base.limits import Limit
    from vigil.hotline.access.people import OPERATOR, PUBLIC, WORKER
    from vigil.hotline.access.roles import Role
    from vigil.hotline.audit.people import do_add_user
    from vigil.hotline.management.boot import migrate
    from vigil.hotline.reports.captures import claim_next, do_allow_captures, do_request_capture, run
    from vigil.hotline.reports.fetching import Address, Fetched
    from vigil.hotline.reports.intake import Arrival, do_submit_report
    from vigil.hotline.settings.config import Capture
    from vigil.hotline.triage.actions import do_triage
    from vigil.media import hash_image

    migrate()
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, capture=Capture(direct=True))
    do_allow_captures(OPERATOR, "A benchmark with drawn pictures")
    analyst = do_add_user(OPERATOR, "bench", password="a-long-password-of-a-benchmark", roles=[Role.ANALYST])
    drawn = []
    for number in range(PICTURES):
        noise = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(noise).resize((1024, 768), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=88)
        drawn.append(stream.getvalue())
    page = "".join(f'<img src="{number}.jpg">' for number in range(PICTURES)).encode()

    class Memory:
        def fetch(self, url: Address, limit: Limit, referrer: str = "") -> Fetched:
            if url.path.endswith(".jpg"):
                return Fetched(200, "image/jpeg", drawn[int(url.path.rpartition("/")[2][:-4])], url)
            return Fetched(200, "text/html", page, url)

    hash_image(drawn[0])
    started = time.perf_counter()
    for data in drawn:
        hash_image(data)
    hashing = time.perf_counter() - started
    report = do_submit_report(PUBLIC, Arrival("https://gallery.example/room/7"))
    url = report.submissions.get().url
    if url is None:
        raise RuntimeError("the page of the benchmark cannot be read")
    do_request_capture(analyst, report, url)
    capture = claim_next()
    if capture is None:
        raise RuntimeError("there is nothing to capture")
    started = time.perf_counter()
    run(capture, Memory(), hash_image)
    do_triage(WORKER, report)
    taken = time.perf_counter() - started
    if capture.sightings.count() != PICTURES:
        raise RuntimeError("a picture was lost")
    print(json.dumps({"seconds": taken, "hashing": hashing}))


if __name__ == "__main__":
    _triage(sys.argv[1])

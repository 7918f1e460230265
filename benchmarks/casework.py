"""The console on a full desk: the queue page and the case page at the 95th percentile.

On PostgreSQL with a million reports and three million files, on SQLite with a hundred thousand reports. Rows are copies of one
real report, made by the database itself, so that the desk is full in minutes. Each figure comes from a process of its own,
because a process has one database; pages are asked for through the whole stack of the door, templates included.

VIGIL_BENCH_REPORTS makes it smaller for a try; the figures then say so in their conditions.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import Measurement, bench

MILLION: Final = 1_000_000
FILES_A_REPORT: Final = 3
ROUNDS: Final = 60
ROOT: Final = Path(__file__).resolve().parent.parent


def _size(full: int) -> int:
    return min(full, int(os.environ.get("VIGIL_BENCH_REPORTS", full)))


def _measured(database: str, reports: int, seed: int) -> dict[str, Measurement]:
    """The 95th percentile of each page in milliseconds, from one process that fills the database first."""
    command = [sys.executable, "-m", "benchmarks.casework", str(reports), str(seed)]
    environment = {**os.environ, "VIGIL_TEST_DATABASE": database, "DJANGO_SETTINGS_MODULE": "vigil.hotline.settings.test"}
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {page: _percentile(found, page) for page in ("queue", "case")}


def _percentile(found: dict[str, Any], page: str) -> Measurement:
    times = sorted(found[page])
    p95 = times[min(len(times) - 1, round(0.95 * len(times)))]
    conditions = {key: found[key] for key in ("reports", "files", "fill_seconds", "database")}
    slowest = max(found["by_page"][page], key=found["by_page"][page].__getitem__)
    more = {"requests": len(times), "median_ms": statistics.median(times) * 1000, "slowest": slowest}
    return Measurement(p95 * 1000, conditions | more, times)


_kept: dict[tuple[str, int], dict[str, Measurement]] = {}


def _both(kind: str, reports: int, seed: int) -> dict[str, Measurement]:
    """Both pages from one filling."""
    if (kind, reports) not in _kept:
        _kept[kind, reports] = _on_postgresql(reports, seed) if kind == "postgresql" else _on_sqlite(reports, seed)
    return _kept[kind, reports]


def _on_postgresql(reports: int, seed: int) -> dict[str, Measurement]:
    sys.path.insert(0, str(ROOT / "tools"))
    import postgres

    with postgres.running() as address:
        return _measured(address, reports, seed)


def _on_sqlite(reports: int, seed: int) -> dict[str, Measurement]:
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        return _measured(f"sqlite:///{folder}/hotline.sqlite", reports, seed)


@bench(name="casework_queue_postgresql", at_most=150.0, unit="ms at p95")
def queue_on_postgresql(seed: int) -> Measurement:
    return _both("postgresql", _size(MILLION), seed)["queue"]


@bench(name="casework_case_postgresql", at_most=150.0, unit="ms at p95")
def case_on_postgresql(seed: int) -> Measurement:
    return _both("postgresql", _size(MILLION), seed)["case"]


@bench(name="casework_queue_sqlite", at_most=250.0, unit="ms at p95")
def queue_on_sqlite(seed: int) -> Measurement:
    return _both("sqlite", _size(100_000), seed)["queue"]


@bench(name="casework_case_sqlite", at_most=250.0, unit="ms at p95")
def case_on_sqlite(seed: int) -> Measurement:
    return _both("sqlite", _size(100_000), seed)["case"]


# ---- in the child


def _child(reports: int, seed: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    began = time.perf_counter()
    call_command("migrate", verbosity=0, interactive=False)
    from vigil.hotline.reports.models import Report

    if not Report.objects.exists():
        _fill(reports)
    filled = time.perf_counter() - began
    times = _times(seed)
    return {**times, "reports": Report.objects.count(), "files": reports * FILES_A_REPORT, "fill_seconds": filled,
            "database": connection.vendor}  # fmt: skip


def _fill(reports: int) -> None:
    """One real report with its file, then copies of every row of it."""
    from django.db import connection

    from vigil.hotline.access.people import OPERATOR, PUBLIC
    from vigil.hotline.access.roles import Role
    from vigil.hotline.access.second_factor import enrol
    from vigil.hotline.audit.people import do_add_user
    from vigil.hotline.reports.actions import do_release, do_take
    from vigil.hotline.reports.captures import do_hash_file
    from vigil.hotline.reports.intake import Arrival, do_submit_report
    from vigil.hotline.reports.models import Hash, Media, Report, Sighting, Submission, Url
    from vigil.hotline.reviews.calibration import drawing
    from vigil.media import hash_image

    anna = do_add_user(OPERATOR, "anna", password="a-long-password-of-anna", roles=[Role.ANALYST, Role.SUPERVISOR])
    enrol(anna, "JBSWY3DPEHPK3PXP")
    case = do_take(anna, do_submit_report(PUBLIC, Arrival("http://gallery.example/zorblat/7", words="quimber")))
    do_hash_file(anna, case, drawing(7), hash_image)
    do_release(anna, case)
    number, files = _key(), _key("((i - 1) / %d + 1)" % FILES_A_REPORT)  # noqa: UP031 - SQL, of numbers only
    text = "'q' || i"
    open_ones = "i % 50 = 0"
    _copy(Url, reports, id=number, url_digest=text, host="'h' || (i % 20000) || '.example'", registrable_domain=text)
    status = f"CASE WHEN {open_ones} THEN 'triaged' ELSE 'closed' END"
    _copy(
        Report, reports, id=number, ref=text, received_at=_moment(), is_open=_truth(open_ones), status=status,
        outcome=f"CASE WHEN {open_ones} THEN '' ELSE 'not_criminal' END",
        concluded_at=f"CASE WHEN {open_ones} THEN NULL ELSE received_at END",
        urgency="2", priority="'normal'",
    )  # fmt: skip
    _copy(Submission, reports, id=number, report_id=number, url_id=number)
    media = reports * FILES_A_REPORT
    _copy(Media, media, id=number, sha256=f"{_hex(64)}")
    _copy(Hash, media, id=number, media_id=number)
    _copy(Sighting, media, id=number, media_id=number, report_id=files)
    # What PostgreSQL's own housekeeping does with such tables within minutes, so that it is not at work while pages are timed.
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if _vendor() == "postgresql" else "ANALYZE")


def _vendor() -> str:
    from django.db import connection

    return connection.vendor


def _hex(width: int, of: str = "i") -> str:
    if _vendor() == "postgresql":
        return f"lpad(to_hex(({of})::bigint), {width}, '0')"
    return f"printf('%0{width}x', {of})"


def _key(of: str = "i") -> str:
    """A UUID made of a number, in the form the database keeps."""
    if _vendor() == "postgresql":
        return f"('0190000000007000' || {_hex(16, of)})::uuid"
    return f"('0190000000007000' || {_hex(16, of)})"


def _moment() -> str:
    if _vendor() == "postgresql":
        return "received_at - (i * interval '13 seconds')"
    return "datetime(received_at, '-' || (i * 13) || ' seconds')"


def _truth(condition: str) -> str:
    return f"({condition})" if _vendor() == "postgresql" else f"(CASE WHEN {condition} THEN 1 ELSE 0 END)"


def _copy(model: Any, number: int, **changes: str) -> None:
    """``number`` copies of the one row of a table, with some columns computed from ``i``."""
    from django.db import connection

    table = model._meta.db_table
    columns = [field.column for field in model._meta.concrete_fields]
    chosen = ", ".join(changes.get(column, f'one."{column}"').replace("received_at", 'one."received_at"') if column in changes
                       else f'one."{column}"' for column in columns)  # fmt: skip
    names = ", ".join(f'"{column}"' for column in columns)
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})"
    if connection.vendor == "postgresql":
        numbers = f"WITH n(i) AS (SELECT generate_series(1, {number}))"
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({names}) {numbers} SELECT {chosen} FROM n, (SELECT * FROM "{table}" LIMIT 1) AS one'
        )


def _times(seed: int) -> dict[str, Any]:
    import random

    from django.test import Client

    from vigil.hotline.access.models import User
    from vigil.hotline.reports.models import Report

    client = Client()
    client.force_login(User.objects.get(username="anna"), backend="allauth.account.auth_backends.AuthenticationBackend")
    chance = random.Random(seed)
    number = Report.objects.count() - 1
    keys = [f"01900000-0000-7000-{value >> 48:04x}-{value & (1 << 48) - 1:012x}"
            for value in (chance.randint(1, number) for _ in range(ROUNDS))]  # fmt: skip
    queues = [
        "/queue/",
        "/queue/?view=open",
        "/queue/?view=second",
        "/queue/?view=mine",
        "/queue/?page=7",
        "/queue/?priority=normal",
    ]
    asked = {
        "queue": [queues[place % len(queues)] for place in range(ROUNDS)],
        "case": [f"/cases/{key}/" for key in keys],
    }
    times = {page: _timed(client, addresses) for page, addresses in asked.items()}
    return {**times, "by_page": {page: _slowest(addresses, times[page]) for page, addresses in asked.items()}}


def _slowest(addresses: list[str], times: list[float]) -> dict[str, float]:
    """The slowest answer of each address."""
    found: dict[str, float] = {}
    for address, took in zip(addresses, times, strict=True):
        found[address] = max(took, found.get(address, 0.0))
    return found


def _timed(client: Any, pages: list[str]) -> list[float]:
    def ask(page: str) -> float:
        began = time.perf_counter()
        answer = client.get(page)
        took = time.perf_counter() - began
        if answer.status_code != 200:
            raise RuntimeError(f"{page} answered {answer.status_code}")
        return took

    act: Callable[[str], float] = ask
    act(pages[0])
    return [act(page) for page in pages]


if __name__ == "__main__":
    print(json.dumps(_child(int(sys.argv[1]), int(sys.argv[2]))))

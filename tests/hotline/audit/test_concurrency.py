"""Many writers at once: the chain has no gap, no fork and no lost event."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connection, transaction
from tests.hotline.settings.test_settings import written

from vigil.hotline.access.people import OPERATOR
from vigil.hotline.audit import codes
from vigil.hotline.audit.actions import record
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import verify
from vigil.hotline.settings.config import VARIABLE
from vigil.hotline.settings.keyfiles import create_secrets

WRITERS, EACH = 3, 15

IN_A_PROCESS = f"""
import sys
from django.core.management import call_command
from vigil.hotline.management import boot
boot.start("worker")
if sys.argv[1] == "prepare":
    call_command("migrate", verbosity=0)
else:
    from django.db import transaction
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.audit import codes
    from vigil.hotline.audit.actions import record
    from vigil.hotline.audit.models import AuditEvent
    from vigil.hotline.audit.verify import verify
    if sys.argv[1] == "verify":
        report = verify()
        print(report.ok, report.events, AuditEvent.objects.count())
    else:
        for number in range({EACH}):
            with transaction.atomic():
                record(OPERATOR, codes.PERSON_ADDED, f"user:{{sys.argv[1]}}-{{number}}")
"""


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_make_one_chain(tmp_path: Path) -> None:
    """On PostgreSQL with threads; SQLite in memory knows no second writer, so there with processes on a file."""
    if connection.vendor == "postgresql":
        _threads()
        assert verify().ok
        assert AuditEvent.objects.count() == WRITERS * EACH
    else:
        assert _processes(tmp_path) == f"True {WRITERS * EACH} {WRITERS * EACH}"


def _threads() -> None:
    threads = [threading.Thread(target=_write, args=(name,)) for name in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _write(name: int) -> None:
    try:
        for number in range(EACH):
            with transaction.atomic():
                record(OPERATOR, codes.PERSON_ADDED, f"user:{name}-{number}")
    finally:
        connection.close()


def _processes(folder: Path) -> str:
    path = written(folder)
    create_secrets(folder / "secrets")
    environment = {**os.environ, VARIABLE: str(path)}

    def start(argument: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", IN_A_PROCESS, argument]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    _all_end_well([start("prepare")])
    _all_end_well([start(str(name)) for name in range(WRITERS)])
    return _all_end_well([start("verify")]).strip()


def _all_end_well(processes: list[subprocess.Popen[str]]) -> str:
    """Wait for all; what they printed."""
    printed = "".join(process.communicate()[0] for process in processes)
    assert [process.returncode for process in processes] == [0] * len(processes)
    return printed

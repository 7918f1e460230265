"""Several processes take cases and hand in reports at the same time, on a database of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.hotline.own_database import fresh_database

pytestmark = pytest.mark.own_database
CASES = 12
PREPARE = """
import sys
from pathlib import Path
from vigil.hotline.settings.keyfiles import create_secrets
create_secrets(Path("secrets"))
from vigil.hotline.management import boot
boot.start("worker")
boot.migrate()
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.people import do_add_user
from vigil.hotline.reports.intake import Arrival, do_submit_report
for name in ("anna", "bert"):
    do_add_user(OPERATOR, name, password=f"{name}-long-password", roles=[Role.ANALYST])
for number in range(int(sys.argv[1])):
    do_submit_report(PUBLIC, Arrival(f"https://gallery.example/room/{number}"))
"""
TAKE = """
import json, sys
from vigil.hotline.management import boot
boot.start("worker")
from vigil.hotline.access.queries import user_named
from vigil.hotline.reports.actions import do_take_next
me, mine = user_named(sys.argv[1]), []
while report := do_take_next(me):
    mine.append(report.ref)
print(json.dumps(mine))
"""
HAND_IN = """
import json
from vigil.hotline.management import boot
boot.start("worker")
from vigil.hotline.access.people import PUBLIC
from vigil.hotline.reports.intake import Arrival, do_submit_report
print(json.dumps([do_submit_report(PUBLIC, Arrival("https://race.example/zorblat")).dedupe_of is None for _ in range(8)]))
"""
CONFIG = """
name = "Race"
mode = "demo"
database = "{database}"
secrets = "secrets"
editions = "editions"
"""
DOOR = '[doors.{name}]\nhost = "127.0.0.1"\nport = 1\nurl = "http://{name}.test"\n'


PREPARED: list[tuple[Path, str]] = []
"""The one folder of this test run that was prepared from nothing, with its database: all others are copies of it."""


def a_house(place: Path, factory: pytest.TempPathFactory) -> Path:
    """``place`` with a configuration and a database of its own, in which two people and ``CASES`` cases are."""
    if not PREPARED:
        first, database = factory.mktemp("prepared"), fresh_database()
        _configure(first, database)
        run(first, PREPARE, str(CASES)).check()
        PREPARED.append((first, database))
    first, database = PREPARED[0]
    shutil.copytree(first, place, dirs_exist_ok=True)
    _configure(place, fresh_database(copy_of=database))
    return place


def _configure(place: Path, database: str) -> None:
    doors = "".join(DOOR.format(name=name) for name in ("public", "console", "partner"))
    (place / "hotline.toml").write_text(CONFIG.format(database=database) + doors)


@pytest.fixture
def house(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration and a database of its own."""
    return a_house(tmp_path, tmp_path_factory)


class run:  # noqa: N801 - reads like a verb
    """A Python process of its own in ``house``."""

    def __init__(self, house: Path, code: str, *arguments: str) -> None:
        environment = {**os.environ, "VIGIL_HOTLINE_CONFIG": str(house / "hotline.toml")}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], cwd=house, env=environment, stdout=subprocess.PIPE, text=True
        )

    def check(self) -> str:
        said, _ = self.process.communicate(timeout=600)
        assert self.process.returncode == 0
        return said


def test_two_processes_never_take_the_same_case(house: Path) -> None:
    people = [run(house, TAKE, name) for name in ("anna", "bert")]
    taken = [json.loads(person.check()) for person in people]
    together = taken[0] + taken[1]
    assert len(together) == len(set(together)) == CASES


def test_a_new_address_reported_twice_at_once_has_one_first_report(house: Path) -> None:
    reporters = [run(house, HAND_IN) for _ in range(2)]
    firsts = [first for reporter in reporters for first in json.loads(reporter.check())]
    assert len(firsts) == 16
    assert sum(firsts) == 1

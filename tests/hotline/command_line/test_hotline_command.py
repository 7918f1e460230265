"""``vigil hotline``: what an operator types. One story runs in processes of its own, as on a real machine."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.hotline.settings.test_settings import written
from typer.testing import CliRunner

from vigil.base.errors import VigilError
from vigil.cli import hotline as verb
from vigil.hotline.access.models import User
from vigil.hotline.access.second_factor import has_second_factor
from vigil.hotline.management import boot
from vigil.hotline.settings import config


class Operator:
    """Types commands against the database of the tests."""

    def run(self, *arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(verb.app, list(arguments))
        error = result.exception
        if isinstance(error, VigilError):
            assert error.exit_status == status
            return f"{error} [{error.code}]"
        assert error is None or isinstance(error, SystemExit), error
        assert result.exit_code == status, result.output
        return result.output

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture
def operator(db: None, monkeypatch: pytest.MonkeyPatch) -> Operator:
    monkeypatch.setattr(boot, "start", lambda process: None)
    return Operator()


def test_people(operator: Operator) -> None:
    [added] = operator.json("user", "add", "ana", "--name", "Ana", "--role", "analyst", "--role", "welfare")
    assert User.objects.get().check_password(added["password"]) and len(added["password"]) >= 20
    assert "user_refused" in operator.run("user", "add", "ana", status=2)
    operator.run("user", "roles", "ana", "--role", "auditor")
    operator.run("user", "close", "ana")
    assert operator.json("user", "list") == [{"username": "ana", "name": "Ana", "active": False, "roles": ["auditor"]}]
    operator.run("user", "open", "ana")
    assert "shown once" in operator.run("user", "password", "ana")
    assert not User.objects.get().check_password(added["password"])
    assert "no_such_user" in operator.run("user", "close", "nobody", status=2)
    operator.run("user", "add", "eve", "--role", "king", status=2)


def test_a_known_second_factor_is_for_demonstrations(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.run("user", "add", "ben", "--totp-secret", "JBSWY3DPEHPK3PXP")
    assert has_second_factor(User.objects.get(username="ben"))
    operator.run("user", "lost-phone", "ben")
    assert not has_second_factor(User.objects.get(username="ben"))
    monkeypatch.setattr(config, "_chosen", [config.read(written(tmp_path, mode="production", scheme="https"))])
    assert "demo_only" in operator.run("user", "add", "eve", "--totp-secret", "JBSWY3DPEHPK3PXP", status=1)
    assert not User.objects.filter(username="eve").exists()


def test_nodes(operator: Operator) -> None:
    made = operator.json("node", "add", "n-1", "--days", "30")
    assert re.fullmatch(r"vigil-node-[A-Za-z0-9_-]{43}", made["token"])
    operator.run("node", "revoke", "n-1")
    assert [(each["name"], each["in_force"]) for each in operator.json("node", "list")] == [("n-1", False)]
    assert "no_such_node" in operator.run("node", "revoke", "n-9", status=2)


def test_lists(operator: Operator) -> None:
    operator.run("list", "add", "urls", "--kind", "url", "--jurisdiction", "NL")
    assert operator.json("list", "show") == [{"name": "urls", "kind": "url", "entries": 0}]
    assert "list_kind_unknown" in operator.run("list", "add", "x", "--kind", "zorblat", status=2)


def test_the_office_needs_its_keys(operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIGIL_SIGNING_KEYS", raising=False)
    assert "VIGIL_SIGNING_KEYS" in operator.run("office", status=2)
    monkeypatch.setenv("VIGIL_SIGNING_KEYS", str(tmp_path / "nowhere"))
    assert "keys_missing" in operator.run("office", status=2)


def test_there_are_three_doors(operator: Operator) -> None:
    assert "no_such_door" in operator.run("serve", "back", status=2)


def test_the_permission_page(operator: Operator) -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "permissions.md"
    assert operator.run("permissions") == page.read_text()


class Machine:
    """A folder with a configuration, and the command line in processes of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        written(folder)

    def run(self, *arguments: str, status: int = 0) -> str:
        finished = subprocess.run(
            [sys.executable, "-m", "vigil.cli", "hotline", *arguments],
            env={**os.environ, config.VARIABLE: str(self.folder / "hotline.toml")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert finished.returncode == status, finished.stderr
        assert "Traceback" not in finished.stderr
        return finished.stdout + finished.stderr

    def sql(self, statement: str) -> None:
        connection = sqlite3.connect(self.folder / "v.sqlite3")
        with connection:
            connection.execute(statement)
        connection.close()


def test_an_operator_sets_up_a_machine_and_finds_an_altered_log(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert "vigil hotline secrets" in machine.run("migrate", status=2)
    machine.run("secrets")
    assert "not applied" in machine.run("migrate", "--check", status=1)
    machine.run("migrate")
    machine.run("migrate", "--check")
    assert "shown once" in machine.run("user", "add", "ana", "--role", "analyst")
    assert "nothing altered" in machine.run("audit", "verify")
    machine.sql("""UPDATE audit_auditevent SET details = '{"x":1}' WHERE seq = 2""")
    assert "event 2: The event is not what was recorded. [altered]" in machine.run("audit", "verify", status=1)

"""The configuration is read strictly, secrets stay secret, logs hold nothing confidential, the doors are shut by default."""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hotline.conftest import door_settings

from vigil.base.errors import InputError, RefusedError, UnavailableError
from vigil.hotline.management.serving import arguments_of
from vigil.hotline.settings import config, keyfiles
from vigil.hotline.settings.databases import database
from vigil.hotline.settings.logs import JsonLines
from vigil.installation.prepare import Ports, hotline_file

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"
DOORS = ("public", "console", "partner")


def written(folder: Path, mode: str = "demo", scheme: str = "http", host: str = "127.0.0.1", more: str = "") -> Path:
    doors = "".join(
        f'[doors.{name}]\nhost = "{host}"\nport = {8000 + place}\nurl = "{scheme}://{name}.example"\n'
        for place, name in enumerate(DOORS)
    )
    path = folder / "hotline.toml"
    path.write_text(
        f'name = "Test"\nmode = "{mode}"\ndatabase = "sqlite:///v.sqlite3"\nsecrets = "secrets"\neditions = "editions"\n'
        f"{more}\n{doors}"
    )
    return path


# ---- the configuration


def test_paths_count_from_the_file(tmp_path: Path) -> None:
    read = config.read(written(tmp_path))
    assert read.secrets == str(tmp_path / "secrets")
    assert read.editions == str(tmp_path / "editions")
    assert read.database == f"sqlite:///{tmp_path}/v.sqlite3"
    assert read.demo and read.capture is None


def test_absolute_paths_and_postgresql_stay(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().replace("sqlite:///v.sqlite3", "sqlite:////srv/v.sqlite3"))
    assert config.read(path).database == "sqlite:////srv/v.sqlite3"
    path.write_text(path.read_text().replace("sqlite:////srv/v.sqlite3", "postgresql://vigil@db.example:5432/vigil"))
    assert config.read(path).database == "postgresql://vigil@db.example:5432/vigil"


@pytest.mark.parametrize(
    "more",
    ["zorblat = 1", 'name = ""', "capture = {}", 'capture = {proxy = "socks5://x"}',
     'capture = {proxy = "http://127.0.0.1:9", direct = true}', 'capture = {direct = true, allow_networks = ["x"]}',
     "help_lines = [{}]",
     'time_zone = 3', "[doors.fourth]\nport = 1", "= ", "\x00"],
)  # fmt: skip
def test_what_is_not_known_is_refused(tmp_path: Path, more: str) -> None:
    with pytest.raises(InputError) as refusal:
        config.read(written(tmp_path, more=more))
    assert refusal.value.code == "config_wrong"
    assert "hotline.toml" in refusal.value.where


def test_a_missing_configuration_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError):
        config.read(tmp_path / "nothing.toml")
    monkeypatch.delenv(config.VARIABLE, raising=False)
    monkeypatch.setattr(config, "_chosen", [])
    with pytest.raises(UnavailableError) as refusal:
        config.current()
    assert config.VARIABLE in refusal.value.mend


def test_a_configuration_that_is_not_utf_8_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "hotline.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(InputError, match="UTF-8"):
        config.read(tmp_path / "hotline.toml")


def test_a_demo_stays_on_loopback(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        config.read(written(tmp_path, host="0.0.0.0"))
    assert refusal.value.code == "demo_not_on_loopback"


def test_production_needs_tls(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        config.read(written(tmp_path, mode="production"))
    assert refusal.value.code == "door_without_tls"
    config.read(written(tmp_path, mode="production", scheme="https", host="192.0.2.7"))


def keys_of(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Every key of the configuration, as the reference writes it."""
    for name, hint in get_type_hints(struct).items():
        inner = [each for each in (hint, *get_args(hint)) if isinstance(each, type) and issubclass(each, msgspec.Struct)]
        many = "[]" if "tuple" in str(hint).split("[", 1)[0] else ""
        if inner:
            yield from keys_of(inner[0], f"{prefix}{name}{many}.")
        else:
            yield prefix + name


def test_the_reference_names_every_key_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z_.\[\]]+)` \|", REFERENCE.read_text().split("## Secrets")[0], re.MULTILINE)
    assert sorted(rows) == sorted(keys_of(config.Config))


def test_the_reference_names_every_secret_and_variable(tmp_path: Path) -> None:
    keyfiles.create_secrets(tmp_path)
    text = REFERENCE.read_text()
    assert all(f"`{path.name}`" in text for path in tmp_path.iterdir())
    assert all(f"`{name}`" in text for name in (config.VARIABLE, "VIGIL_SIGNING_KEYS", "VIGIL_TEST_DATABASE"))


# ---- secrets


def test_secrets_are_made_once_and_only_for_their_owner(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    keyfiles.create_secrets(folder)
    first = {path.name: path.read_text() for path in folder.iterdir()}
    keyfiles.create_secrets(folder)
    assert first == {path.name: path.read_text() for path in folder.iterdir()}
    assert set(first) == {"django.key", "seal.key", "digest.key"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    loaded = keyfiles.load_secrets(folder)
    assert len(loaded.django) >= 50 and len(loaded.digest) == 32
    assert loaded.django not in repr(loaded)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_secrets_that_others_may_read_are_refused(tmp_path: Path, mode: int) -> None:
    keyfiles.create_secrets(tmp_path)
    (tmp_path / "seal.key").chmod(mode)
    with pytest.raises(RefusedError) as refusal:
        keyfiles.load_secrets(tmp_path)
    assert refusal.value.code == "secret_exposed"


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    keyfiles.create_secrets(tmp_path)
    (tmp_path / "django.key").unlink()
    with pytest.raises(UnavailableError) as refusal:
        keyfiles.load_secrets(tmp_path)
    assert "django.key" in refusal.value.where


def test_a_damaged_secret_is_named_and_not_shown(tmp_path: Path) -> None:
    keyfiles.create_secrets(tmp_path)
    (tmp_path / "digest.key").write_text("zorblat")
    with pytest.raises(UnavailableError, match="damaged") as caught:
        keyfiles.load_secrets(tmp_path)
    assert "digest.key" in str(caught.value) and "zorblat" not in str(caught.value)


def test_database_password_from_a_file(tmp_path: Path) -> None:
    keyfiles.create_secrets(tmp_path)
    (tmp_path / "database.password").write_text("quimber\n")
    (tmp_path / "database.password").chmod(0o600)
    password = keyfiles.load_secrets(tmp_path).database_password
    made = database("postgresql://vigil@db.example:5433/hotline", password)
    assert (made["USER"], made["HOST"], made["PORT"], made["NAME"], made["PASSWORD"]) == (
        "vigil", "db.example", "5433", "hotline", "quimber",
    )  # fmt: skip


# ---- the database


def test_sqlite_waits_locks_and_survives_a_power_cut(tmp_path: Path) -> None:
    made = database(f"sqlite:///{tmp_path}/v.sqlite3")
    connection = sqlite3.connect(made["NAME"])
    connection.executescript(made["OPTIONS"]["init_command"])
    names = ("journal_mode", "synchronous", "busy_timeout")
    facts = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}
    connection.close()
    assert facts == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 20_000}
    assert made["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


# ---- logs


def record(message: str, *arguments: object, logger: str = "django.request", **extra: Any) -> dict[str, Any]:
    made = logging.LogRecord(logger, logging.WARNING, __file__, 1, message, arguments, None)
    made.__dict__.update(extra)
    line: dict[str, Any] = json.loads(JsonLines().format(made))
    return line


def test_a_line_holds_the_template_and_not_what_filled_it() -> None:
    line = record("Not Found: %s", "/status/zorblat?word=quimber", status_code=404, request="quimber")
    assert line["message"] == "Not Found: %s"
    assert line["status"] == 404
    assert "zorblat" not in str(line) and "quimber" not in str(line)


def test_an_exception_shows_its_type_and_places_only() -> None:
    try:
        raise ValueError("http://zorblat.example/")
    except ValueError:
        made = logging.LogRecord("django.request", logging.ERROR, __file__, 1, "Broken: %s", ("/x",), sys.exc_info())
    line = json.loads(JsonLines().format(made))
    assert line["exception"] == "ValueError"
    assert any("test_an_exception" in place for place in line["places"])
    assert "zorblat" not in str(line)


def test_our_own_fields_are_shown_others_are_not() -> None:
    assert record("edition published", logger="vigil.hotline.lists.office", fields={"number": 7})["fields"] == {"number": 7}
    assert "fields" not in record("x", logger="elsewhere", fields={"number": 7})


def test_refused_requests_leave_no_line_and_broken_ones_do() -> None:
    """A node asks for the next root of trust at every poll; each 404 would be a line that says nothing."""
    program = (
        "import logging.config; from vigil.hotline.settings.logs import logging_settings;"
        "logging.config.dictConfig(logging_settings());"
        "log = logging.getLogger('django.request');"
        "log.warning('%s: %s', 'Not Found', '/zorblat', extra={'status_code': 404});"
        "log.error('%s: %s', 'Internal Server Error', '/quimber', extra={'status_code': 500});"
        "logging.getLogger('vigil.hotline').info('door open')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["logger"], line.get("status")) for line in lines] == [("django.request", 500), ("vigil.hotline", None)]
    assert "zorblat" not in done.stderr and "quimber" not in done.stderr


@given(st.text())
def test_every_line_is_one_line_of_json(text: str) -> None:
    made = logging.LogRecord("vigil.x", logging.INFO, __file__, 1, text, (), None)
    assert "\n" not in JsonLines().format(made)


# ---- doors


def test_the_partner_and_public_doors_know_no_sessions() -> None:
    for door in ("public", "partner"):
        middleware = " ".join(door_settings(door)["MIDDLEWARE"])
        assert "sessions" not in middleware and "Authentication" not in middleware and "allauth" not in middleware


@pytest.mark.parametrize("door", DOORS)
def test_every_door_is_closed_last_and_shows_no_errors(door: str) -> None:
    import importlib

    module = importlib.import_module(f"vigil.hotline.settings.{door}")
    closed = module.MIDDLEWARE.index("vigil.hotline.access.middleware.ClosedDoor")
    # What comes after it only narrows further, or writes down: it is handed the person whom the door found.
    narrower = {"needtoknow.NeedToKnow", "child_desk.ChildDeskOnly", "reads.ReadsAreLogged"} if door == "console" else set()
    assert {name.removeprefix("vigil.hotline.doors.console.") for name in module.MIDDLEWARE[closed + 1 :]} == narrower
    assert module.DEBUG is False
    assert "admin" not in " ".join(module.INSTALLED_APPS)


@pytest.mark.parametrize(
    ("address", "processors", "wanted"),
    [("sqlite:///v.sqlite3", 8, 1), ("postgresql://v@db.example/v", 1, 1), ("postgresql://v@db.example/v", 2, 2),
     ("postgresql://v@db.example/v", 64, 4)],
)  # fmt: skip
def test_as_many_processes_as_are_useful(tmp_path: Path, address: str, processors: int, wanted: int) -> None:
    path = written(tmp_path)
    text = path.read_text().replace("sqlite:///v.sqlite3", address)
    path.write_text(text + "processes = 0\n")
    found = config.read(path)
    assert found.processes_at(found.doors.partner, processors) == wanted
    path.write_text(text + "processes = 3\n")
    named = config.read(path)
    assert named.processes_at(named.doors.partner, processors) == 3  # what is written is done


def test_what_up_writes_leaves_the_number_of_processes_to_the_installation(tmp_path: Path) -> None:
    path = tmp_path / "hotline.toml"
    path.write_text(hotline_file(demo=False, host="127.0.0.1", ports=Ports(8000)))
    doors = config.read(path).doors
    assert (doors.public.processes, doors.console.processes, doors.partner.processes) == (1, 1, 0)


def test_only_the_partner_door_is_several_processes(tmp_path: Path) -> None:
    path = written(tmp_path)
    text = path.read_text()
    path.write_text(text + "processes = 2\n")  # the partner door is the last one
    assert config.read(path).doors.partner.processes == 2
    path.write_text(text.replace("[doors.console]", "[doors.console]\nprocesses = 2"))
    with pytest.raises(InputError, match="Only the partner door"):
        config.read(path)


def test_a_proxy_is_believed_in_production_only(tmp_path: Path, settings: Any) -> None:
    settings.CONFIG = config.read(written(tmp_path))
    assert "trusted_proxy" not in arguments_of("public")
    settings.CONFIG = config.read(written(tmp_path, mode="production", scheme="https"))
    made = arguments_of("public")
    assert (made["trusted_proxy"], made["trusted_proxy_headers"]) == ("127.0.0.1", {"x-forwarded-proto"})
    assert made["clear_untrusted_proxy_headers"] is True


@pytest.mark.parametrize("door", DOORS)
def test_production_passes_djangos_deploy_checks(tmp_path: Path, door: str) -> None:
    """In a process of its own, with the settings an operator runs; a warning is a failure."""
    path = written(tmp_path, mode="production", scheme="https")
    keyfiles.create_secrets(tmp_path / "secrets")
    command = [sys.executable, "-W", "error", "-m", "django", "check", "--deploy", "--fail-level", "WARNING"]
    environment = {**os.environ, config.VARIABLE: str(path), "DJANGO_SETTINGS_MODULE": f"vigil.hotline.settings.{door}"}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "no issues" in finished.stdout


def test_production_hardens_what_a_demo_relaxes(tmp_path: Path) -> None:
    path = written(tmp_path, mode="production", scheme="https")
    keyfiles.create_secrets(tmp_path / "secrets")
    code = (
        "from vigil.hotline.settings import console as s; print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, "
        "s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 31536000, s.SESSION_COOKIE_SAMESITE, s.ALLOWED_HOSTS)"
    )
    environment = {**os.environ, config.VARIABLE: str(path)}
    finished = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "True True True True Strict ['127.0.0.1', 'console.example']"


@pytest.mark.django_db
def test_migrations_are_complete() -> None:
    from django.core.management import call_command

    call_command("makemigrations", "--check", "--dry-run", verbosity=0)

"""What runs and what it says: ports, processes, database, editions, time."""

from __future__ import annotations

import http.client
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vigil.base.clock import instant_of, text_of
from vigil.base.errors import VigilError
from vigil.edge import config as edge_config
from vigil.editions.verify import verify
from vigil.hotline.settings import config as hotline_config
from vigil.installation.doctor.finding import Finding, bad, good, note
from vigil.installation.doctor.patient import Patient
from vigil.installation.processes import StepError, run_once, vigil
from vigil.installation.readiness import ANSWER_SECONDS, Address, status
from vigil.installation.up import is_free

SKEW: Final = timedelta(minutes=2)


def _doors(patient: Patient) -> list[Address]:
    config = hotline_config.read(patient.folder.hotline_config)
    edge = edge_config.load(patient.folder.edge_config).file.listen
    doors = [(name, getattr(config.doors, name)) for name in ("public", "console", "partner")]
    return [Address(f"{name} door", door.host, door.port, "/healthz") for name, door in doors] + [
        Address("edge node", edge.host, edge.port, "/readyz")
    ]


def ports(patient: Patient) -> Iterator[Finding]:
    """Running: everybody answers. Not running: nobody else sits on the ports."""
    try:
        doors = _doors(patient)
    except VigilError:
        return  # the configuration's own examination says why
    for door in doors:
        yield _answers(door) if patient.running else _is_free(door)


def _answers(door: Address) -> Finding:
    found = status(door)
    if found == 200:
        return good(door.name, f"It answers on port {door.port}.")
    if found is None:
        return bad(door.name, f"Nobody answers on port {door.port}.", "Look at the end of its file in the logs folder.")
    if door.path == "/readyz":
        return bad(
            door.name,
            f"It runs but is not ready: {_reasons(door)}.",
            "See 'When a node is not ready' in docs/guides/edge-node.md.",
        )
    return bad(door.name, f"It answers {found}.", "Look at the end of its file in the logs folder.")


def _reasons(door: Address) -> str:
    """What the edge node says of its own readiness, shortened."""
    connection = http.client.HTTPConnection(door.host, door.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", door.path)
        said: dict[str, Any] = json.loads(connection.getresponse().read(65536))
    except (OSError, http.client.HTTPException, ValueError):
        return "it gives no reason"
    finally:
        connection.close()
    reasons = said.get("reasons") or said.get("detail") or said.get("code") or "no reason given"
    return ", ".join(str(reason) for reason in reasons) if isinstance(reasons, list) else str(reasons)


def _is_free(door: Address) -> Finding:
    if is_free(door.host, door.port):
        return good(door.name, f"Port {door.port} is free.")
    return bad(door.name, f"Port {door.port} is in use by another program.", "Stop that program, or start with --port.")


def database(patient: Patient) -> Iterator[Finding]:
    if not patient.folder.prepared:
        return
    path = patient.folder.database
    if path.exists():
        yield _sqlite(str(path))
    try:
        run_once(vigil("hotline", "migrate", "--check"), {hotline_config.VARIABLE: str(patient.folder.hotline_config)})
        yield good("database", "Its tables are up to date.")
    except StepError as error:
        last = error.said.splitlines()[-1] if error.said else "no message"
        yield bad(
            "database", f"It is not ready: {last}", "Run `vigil hotline migrate`; with PostgreSQL, see that the server runs."
        )


def retention(patient: Patient) -> Iterator[Finding]:
    """Whether an operator's own policy has a rule for each class of data, also those that this version knows first."""
    try:
        if not hotline_config.read(patient.folder.hotline_config).retention_policy:
            return
    except VigilError:
        return  # the configuration's own examination says why
    try:
        run_once(vigil("hotline", "retention", "check"), {hotline_config.VARIABLE: str(patient.folder.hotline_config)})
        yield good("retention policy", "It has a rule for each class of data.")
    except StepError as error:
        mend = "Mend the file that retention_policy names; retention/policy.toml of this version has a rule for each class."
        yield bad("retention policy", " ".join(error.said.split()) or "no message", mend)


def _sqlite(path: str) -> Finding:
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            answer = connection.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer == "ok":
        return good("database file", "It is sound.")
    return bad("database file", f"It is damaged: {answer}.", "Stop Vigil and bring the file back from your backup.")


def edition(patient: Patient) -> Iterator[Finding]:
    repository = patient.folder.editions
    if not (repository / "metadata" / "timestamp.json").exists():
        yield note("edition", "None has been published yet.", "Publish one from the console; until then nodes answer 'unknown'.")
        return
    report = verify(repository, root=None, now=patient.now)
    for problem in report.problems:
        mend = (
            "See that the list office runs: it renews the time stamp."
            if problem.code == "expired"
            else "Publish anew, or restore the folder."
        )
        yield bad("edition", f"{problem.file}: {problem.what}", mend)
    if report.ok:
        yield good("edition", f"Number {report.number}, whole and in date.")


def clock(patient: Patient) -> Iterator[Finding]:
    """This machine's clock against marks that others or earlier runs have left."""
    newest = _newest_mark(patient)
    if newest is not None and newest > patient.now + SKEW:
        saw = f"The clock says {text_of(patient.now)}, but there are marks from {text_of(newest)}."
        yield bad("clock", saw, "Set the clock (timedatectl set-ntp true); editions look expired or not yet issued otherwise.")
    else:
        yield good("clock", f"{text_of(patient.now)}; nothing in the data folder is from the future.")


def _newest_mark(patient: Patient) -> datetime | None:
    manifests = patient.folder.editions.glob("targets/*edition.json")
    issued = [instant_of(json.loads(path.read_bytes())["issued_at"]) for path in manifests]
    touched = [datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in patient.folder.root.glob("*") if path.is_file()]
    return max(issued + touched, default=None)


def people(patient: Patient) -> Iterator[Finding]:
    """Made-up staff have no place in production."""
    if not patient.deploy:
        return
    if patient.folder.demo.exists():
        yield bad(
            "staff", "This data folder was made for a demo; its logins are in demo.json.", "Start production in a new folder."
        )


def deploy(patient: Patient) -> Iterator[Finding]:
    """Django's own checks on the settings of each door."""
    if not patient.deploy or not patient.folder.prepared:
        return
    for door in ("public", "console", "partner"):
        environment = {
            hotline_config.VARIABLE: str(patient.folder.hotline_config),
            "DJANGO_SETTINGS_MODULE": f"vigil.hotline.settings.{door}",
        }
        command = [vigil()[0], "-m", "django", "check", "--deploy", "--fail-level", "WARNING"]
        try:
            run_once(command, environment)
            yield good(f"{door} door's settings", "Django's deploy checks pass.")
        except StepError as error:
            yield bad(f"{door} door's settings", error.said.splitlines()[-1], "See docs/reference/settings.md.")

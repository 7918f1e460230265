"""Starts an installation as a whole: prepares what is missing, runs the processes, says where to go.

Every step can be repeated: a start that was interrupted is simply started again.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vigil.base.clock import SystemClock
from vigil.base.errors import UnavailableError
from vigil.base.files import write_atomically
from vigil.base.signals import attend
from vigil.installation.demo import people
from vigil.installation.folder import DataFolder
from vigil.installation.prepare import LOOPBACK, NODE_NAME, Ports, add_hma, write_configuration
from vigil.installation.processes import Program, StepError, Watcher, run_once, vigil
from vigil.installation.readiness import Address, wait_for

READY_SECONDS: Final = 90.0
LOG_HOST: Final = "localhost"
KEPT_SECRETS: Final = ("seal.key", "digest.key")
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Installation:
    """What was asked for on the command line."""

    folder: DataFolder
    demo: bool
    host: str
    ports: Ports
    hma: bool = False

    @property
    def hotline_environment(self) -> dict[str, str]:
        return {"VIGIL_HOTLINE_CONFIG": str(self.folder.hotline_config)}

    @property
    def office_environment(self) -> dict[str, str]:
        """The list office alone learns where the signing keys are."""
        keys = {"VIGIL_SIGNING_KEYS": str(self.folder.keys), "VIGIL_AUDIT_KEY": str(self.folder.audit_key)}
        return {**self.hotline_environment, **keys}


def run(installation: Installation, report: Report) -> None:
    """Prepare, start, and block until SIGINT or SIGTERM; then stop everything."""
    started = time.monotonic()
    installation.folder.create()
    with only_one(installation.folder.lock):
        require_free_ports(installation)
        prepare(installation, report)
        watcher = Watcher(programs(installation), installation.folder.logs, report)
        attend({signal.SIGINT: watcher.stop, signal.SIGTERM: watcher.stop})
        watcher.start()
        try:
            _attend(installation, watcher, report, started)
        finally:
            report("stopping")
            watcher.shut_down()
            report("stopped; your data are kept")


def _attend(installation: Installation, watcher: Watcher, report: Report, started: float) -> None:
    write_atomically(installation.folder.root / "pids.json", json.dumps(watcher.pids).encode())
    if not wait_for(addresses(installation), READY_SECONDS, report, watcher.look_after):
        return
    report(f"ready after {time.monotonic() - started:.0f} s")
    for line in closing_words(installation):
        report(line)
    watcher.watch()


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Two installations must not run on one data folder."""
    with lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UnavailableError(
                "already_running", "Vigil runs on this data folder already.", mend="Stop it, or choose another with --data."
            ) from error
        yield


def require_free_ports(installation: Installation) -> None:
    """Name the ports that somebody else uses, before anything starts."""
    named = installation.ports.named(demo=installation.demo)
    named |= {"HMA-compatible routes": installation.ports.hma} if installation.hma else {}
    taken = [f"{port} ({name})" for name, port in named.items() if not is_free(installation.host, port)]
    if taken:
        raise UnavailableError(
            "port_taken",
            f"These ports are in use: {', '.join(taken)}.",
            mend="Stop what uses them, or choose others with --port.",
        )


def is_free(host: str, port: int) -> bool:
    """True where this process could listen on ``port``."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def require_kept_secrets(folder: DataFolder) -> None:
    """A database whose keys are gone is not given new ones in silence: what is sealed in it would seem to be damaged."""
    lost = [name for name in KEPT_SECRETS if not (folder.secrets / name).exists()]
    if folder.database.exists() and lost:
        raise UnavailableError(
            "secret_lost",
            f"The database is there, but secrets are missing: {', '.join(lost)}.",
            where=str(folder.secrets),
            mend="Bring them back from your backup. Only if there is none: run `vigil hotline secrets` and start again; "
            "what the old keys sealed stays shut.",
        )


def prepare(installation: Installation, report: Report) -> None:
    """Bring the data folder to the state in which the processes can start."""
    folder = installation.folder
    require_kept_secrets(folder)
    if not folder.prepared:
        report(f"writing the configuration into {folder.root}")
        write_configuration(
            folder, demo=installation.demo, host=installation.host, ports=installation.ports, today=SystemClock().now().date()
        )
    if installation.hma:
        add_hma(folder, host=installation.host, ports=installation.ports)
    if installation.demo and not folder.demo.exists():
        people.save(folder.demo, people.draw())
    try:
        for says, step in _steps(installation):
            report(says)
            step()
    except StepError as error:
        raise UnavailableError("step_failed", f"The preparation failed: {error}.", mend="`vigil doctor` says more.") from error


def _steps(installation: Installation) -> Iterator[tuple[str, Callable[[], object]]]:
    folder, hotline = installation.folder, installation.hotline_environment
    yield "secrets of the case system", lambda: run_once(vigil("hotline", "secrets"), hotline)
    if not folder.root_of_trust.exists():
        yield "signing keys", lambda: _make_keys(folder)
    if not folder.audit_key.exists():
        yield "key of the audit log", lambda: _make_audit_key(installation)
    yield "database", lambda: run_once(vigil("hotline", "migrate"), hotline)
    if not folder.node_token.exists():
        yield "enrolment of the edge node", lambda: _enrol(installation)
    if installation.hma:
        yield "enrolment of the edge node for banks", lambda: _enrol_for_banks(installation)
    arguments = ["--people", str(folder.demo)] if installation.demo else []
    seed = [*vigil()[:1], "-m", "vigil.installation.seed", *arguments]
    yield "people, lists and sample reports" if installation.demo else "lists", lambda: run_once(seed, hotline)


def _make_audit_key(installation: Installation) -> None:
    """A key for tree heads, named after the public door, where people fetch them."""
    name = f"{LOG_HOST if installation.demo else installation.host}:{installation.ports.public}/audit"
    run_once(vigil("hotline", "audit", "key", str(installation.folder.audit_key), "--name", name), {})


def _make_keys(folder: DataFolder) -> None:
    """New signing keys, and the root of trust that nodes are handed. A folder without a root was never used: begin anew."""
    made = folder.keys / folder.root_of_trust.name
    if not made.exists():
        shutil.rmtree(folder.keys, ignore_errors=True)
        run_once(vigil("edition", "keys", "init", str(folder.keys)), {})
    write_atomically(folder.root_of_trust, made.read_bytes())


def _enrol(installation: Installation) -> None:
    """A token for the edge node; an earlier enrolment whose token was lost is replaced."""
    environment = installation.hotline_environment
    names = {row["name"] for row in json.loads(run_once(vigil("hotline", "node", "list", "--json"), environment))}
    name = next(name for name in _names() if name not in names)
    token = json.loads(run_once(vigil("hotline", "node", "add", name, "--json"), environment))["token"]
    write_atomically(installation.folder.node_token, (token + "\n").encode(), mode=0o600)


def _enrol_for_banks(installation: Installation) -> None:
    """Tokens with which the edge node follows banks, and curates for this machine; a lost one stays until it is revoked."""
    environment, folder = installation.hotline_environment, installation.folder
    for role, file in (("follower", folder.banks_token), ("curator", folder.curator_token)):
        if file.exists():
            continue
        names = {row["name"] for row in json.loads(run_once(vigil("hotline", "bank", "machines", "--json"), environment))}
        name = next(name for name in _names() if f"{name}-{role}" not in names)
        enrolled = run_once(vigil("hotline", "bank", "enrol", f"{name}-{role}", "--role", role, "--json"), environment)
        write_atomically(file, (json.loads(enrolled)["token"] + "\n").encode(), mode=0o600)


def _names() -> Iterator[str]:
    yield NODE_NAME
    number = 1
    while True:
        number += 1
        yield f"{NODE_NAME}-{number}"


def programs(installation: Installation) -> list[Program]:
    """The processes, in the order in which they are started."""
    hotline, office = installation.hotline_environment, installation.office_environment
    listed = [
        Program("office", vigil("hotline", "office"), office),
        Program("partner", vigil("hotline", "serve", "partner"), hotline),
        Program("public", vigil("hotline", "serve", "public"), hotline),
        Program("console", vigil("hotline", "serve", "console"), hotline),
        Program("worker", vigil("hotline", "worker"), hotline),
        Program("edge", vigil("edge", "serve", "--config", str(installation.folder.edge_config))),
    ]
    if installation.demo:
        listed.insert(0, Program("world", [*vigil()[:1], "-m", "vigil.installation.demo", *_demo_arguments(installation)]))
    return listed


def _demo_arguments(installation: Installation) -> list[str]:
    ports = installation.ports
    return [str(ports.world), str(ports.provider), str(ports.edge), str(ports.console), str(installation.folder.demo)]


def addresses(installation: Installation) -> list[Address]:
    """What must answer before Vigil calls itself ready."""
    ports, host = installation.ports, installation.host
    doors = [
        Address("public door", host, ports.public, "/healthz"),
        Address("console", host, ports.console, "/healthz"),
        Address("partner door", host, ports.partner, "/healthz"),
        Address("edge node", LOOPBACK, ports.edge, "/readyz"),
    ]
    return doors + ([Address("demo world", LOOPBACK, ports.world, "/")] if installation.demo else [])


def closing_words(installation: Installation) -> Iterator[str]:
    """Addresses, logins, and things to try."""
    ports, host = installation.ports, installation.host
    yield ""
    yield f"  Report a page      http://{host}:{ports.public}/"
    yield f"  Console (staff)    http://{host}:{ports.console}/"
    yield f"  Edge node          http://{LOOPBACK}:{ports.edge}/readyz"
    if installation.hma:
        yield f"  HMA-compatible     http://{LOOPBACK}:{ports.hma}/   (this machine only; banks need a policy: console, Banks)"
    if installation.demo:
        yield from _demo_words(installation)
    else:
        yield "  The doors expect a reverse proxy with TLS in front; set its addresses in hotline.toml (doors.*.url)."
        yield f"  Add people with    export VIGIL_HOTLINE_CONFIG={installation.folder.hotline_config}"
        yield "                     vigil hotline user add NAME --role ROLE"
    yield "  Ctrl-C stops everything; a second start keeps your data."


def _demo_words(installation: Installation) -> Iterator[str]:
    ports = installation.ports
    world = f"http://{LOOPBACK}:{ports.world}/"
    yield f"  Demo world         {world}   (sites to report; sign-in codes of the moment)"
    yield f"  Demo provider      http://{LOOPBACK}:{ports.provider}/   (browse as a customer behind the filter)"
    yield ""
    yield "  Logins (the six-digit code is on the demo world's page)"
    for login in people.load(installation.folder.demo):
        yield f"    {login.username:6} {login.password:14} {people.DOES[login.username]}"
    yield ""
    yield "  Try this"
    yield "    1  report http://gallery.example/room/7 at the public door"
    yield "    2  as ana: take the case, capture, assess; as lin: list page and pictures; as paula: publish"
    yield f"    3  visit http://{LOOPBACK}:{ports.provider}/sites/gallery.example/room/7 and meet the block page"
    yield f"    4  visit http://{LOOPBACK}:{ports.provider}/sites/copies.example/album: only the near copy is blocked"
    yield f"    5  curl -s {world}sites/copies.example/copy-of-zorblat.jpg | \\"
    yield f"       curl -s --data-binary @- -H 'Content-Type: image/jpeg' http://{LOOPBACK}:{ports.edge}/v1/match"
    yield ""

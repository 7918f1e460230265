"""Two processes at one port, on a database of their own: keys, duplicates, references and the log are those of one.

Which process answers is settled by stopping the other one (SIGSTOP): a connection is taken by whoever is free.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.hotline.reports.test_race import a_house, run

COUNT = """
import json
from vigil.hotline.management import boot
boot.start("worker")
from vigil.hotline.audit.verify import verify
from vigil.hotline.reports.models import IdempotencyKey, Report, Url
reports = list(Report.objects.filter(channel="partner_api"))
print(json.dumps({
    "refs": sorted(row.ref for row in reports), "firsts": sum(row.dedupe_of_id is None for row in reports),
    "repeats": sum(row.repeats for row in reports), "keys": IdempotencyKey.objects.count(), "log": verify().ok,
}))
"""
pytestmark = pytest.mark.own_database
PROCESSES, THREADS, EACH = 2, 6, 10


@dataclass
class Door:
    """A partner door of two processes: its folder, port, the token of a sender, and the keeper."""

    house: Path
    port: int
    token: str
    keeper: subprocess.Popen[bytes]

    def workers(self) -> list[int]:
        """The processes that answer, as the kernel knows them."""
        found = Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text(encoding="ascii").split()
        return sorted(int(each) for each in found)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], dict[str, Any]]:
        """One request on a connection of its own: status, headers, document."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        read = answer.read()
        connection.close()
        return answer.status, dict(answer.headers), json.loads(read) if read.startswith(b"{") else {}

    def report(self, url: str, key: str = "") -> tuple[int, dict[str, str], dict[str, Any]]:
        return self.ask("POST", "/v1/reports", {"url": url}, **({"Idempotency-Key": key} if key else {}))

    @contextmanager
    def only(self, place: int) -> Iterator[None]:
        """For a while the worker at ``place`` alone answers."""
        others = [pid for number, pid in enumerate(self.workers()) if number != place]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def found(self) -> dict[str, Any]:
        """What is in the database."""
        counted: dict[str, Any] = json.loads(run(self.house, COUNT).check())
        return counted


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A folder with a configuration of two processes, a prepared database and a sender."""
    folder, port = a_house(tmp_path_factory.mktemp("door"), tmp_path_factory), _port()
    text = (folder / "hotline.toml").read_text(encoding="utf-8")
    text = text.replace('port = 1\nurl = "http://partner.test"', f'port = {port}\nurl = "http://127.0.0.1:{port}"')
    (folder / "hotline.toml").write_text(text + f"processes = {PROCESSES}\n", encoding="utf-8")
    made = subprocess.run(
        [sys.executable, "-m", "vigil.cli", "hotline", "sender", "add", "partner", "--source-class", "member",
         "--scope", "report.send", "--scope", "report.bulk", "--scope", "report.status", "--json"],
        check=True, capture_output=True, env=_environment(folder),
    )  # fmt: skip
    return folder, port, json.loads(made.stdout)["token"]


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return {**kept, "VIGIL_HOTLINE_CONFIG": str(folder / "hotline.toml")}


@contextmanager
def serving(house: tuple[Path, int, str]) -> Iterator[Door]:
    """The door for a while; whatever happened to its keeper, all its workers have ended afterwards."""
    folder, port, token = house
    with (folder / "door.log").open("ab") as log:
        command = [sys.executable, "-m", "vigil.cli", "hotline", "serve", "partner"]
        keeper = subprocess.Popen(command, cwd=folder, env=_environment(folder), stderr=log)
    opened = Door(folder, port, token, keeper)
    try:
        _until(lambda: _answers(opened) and len(opened.workers()) == PROCESSES)
        workers = opened.workers()
        yield opened
    finally:
        keeper.terminate()
        keeper.wait(30)
    _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert not _answers(opened)


@pytest.fixture(scope="module")
def door(house: tuple[Path, int, str]) -> Iterator[Door]:
    with serving(house) as opened:
        yield opened


def _answers(door: Door) -> bool:
    try:
        return door.ask("GET", "/healthz")[0] == 200
    except OSError:
        return False


def _until(true: Any) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


def test_each_process_knows_what_the_other_one_took_in(door: Door) -> None:
    """An idempotency key, a page and a reference that one process took in are known to the other at once."""
    with door.only(0):
        status, _, first = door.report("https://zorblat.example/room/1", key="one")
        assert status == 201
    with door.only(1):
        status, headers, again = door.report("https://zorblat.example/room/1", key="one")
        assert (status, headers["Idempotent-Replay"], again) == (200, "true", first)
        assert door.report("https://quimber.example/", key="one")[2]["code"] == "idempotency_conflict"
        status, _, second = door.report("https://zorblat.example/room/1")
        assert (status, second["duplicate"]) == (201, True)
        assert door.ask("GET", f"/v1/reports/{first['ref']}")[2]["state"] == "received"


@dataclass(frozen=True)
class Machine:
    """A kind of machine with a token: how one is enrolled and revoked, and what it asks for."""

    enrol: tuple[str, ...]
    revoke: tuple[str, ...]
    path: str


MACHINES = {
    "sender": Machine(
        ("sender", "add", "leaver", "--source-class", "member", "--scope", "report.status"),
        ("sender", "revoke", "leaver"),
        "/v1/reports/",
    ),
    "node": Machine(("node", "add", "leaver"), ("node", "revoke", "leaver"), "/editions/metadata/timestamp.json"),
}


def _command(door: Door, *arguments: str) -> str:
    command = [sys.executable, "-m", "vigil.cli", "hotline", *arguments]
    return subprocess.run(command, check=True, capture_output=True, env=_environment(door.house), text=True).stdout


@pytest.mark.parametrize("kind", MACHINES)
def test_a_revoked_token_is_refused_by_every_process_at_once(door: Door, kind: str) -> None:
    """Each process has let the token in (and keeps its connection and whatever it remembers) when another process, the command,
    revokes it: the very next request to each is refused, and so is every later one."""
    machine = MACHINES[kind]
    token = json.loads(_command(door, *machine.enrol, "--json"))["token"]
    path = machine.path + (door.report("https://leaver.example/")[2]["ref"] if kind == "sender" else "")

    def asked() -> list[tuple[int, str]]:
        found = []
        for place in range(PROCESSES):
            with door.only(place):
                status, _, said = door.ask("GET", path, Authorization=f"Bearer {token}")
                found.append((status, said.get("code", "")))
        return found

    let_in = asked()
    assert {status for status, _ in let_in} == {404}, "no report of theirs, no edition yet: known, and nothing there"
    _command(door, *machine.revoke)
    refused = [(401, "token_required")] * PROCESSES
    assert asked() == refused and asked() == refused
    with door.only(0):
        assert door.report("https://leaver.example/stays")[0] == 201, "other tokens are as they were"
    with door.only(1):
        assert door.ask("GET", path, Authorization="Bearer vigil-unknown")[0] == 401


def test_what_comes_to_both_at_once_is_counted_as_if_it_came_to_one(door: Door) -> None:
    """Every report has a reference of its own, a page one first report, a key one report; the chain of the log is whole."""
    before = door.found()
    answers: list[dict[str, Any]] = []

    def send(sender: int) -> None:
        for number in range(EACH):
            status, _, said = door.report(f"https://mirror.example/room/{number}")
            assert status == 201
            answers.append(said)
            status, _, said = door.report(f"https://keyed.example/room/{number}", key=f"same-{number}")
            assert status in {200, 201}
            answers.append(said)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = door.found()
    assert len(answers) == 2 * THREADS * EACH
    assert len(after["refs"]) == len(set(after["refs"]))
    assert set(after["refs"]) - set(before["refs"]) == {each["ref"] for each in answers}
    assert len(after["refs"]) - len(before["refs"]) == THREADS * EACH + EACH
    assert after["firsts"] - before["firsts"] == 2 * EACH
    assert after["repeats"] - before["repeats"] == (THREADS - 1) * EACH
    assert after["keys"] - before["keys"] == EACH
    assert after["log"]


def test_a_worker_that_is_killed_is_replaced_and_the_port_stays_open(door: Door) -> None:
    victim, other = door.workers()
    os.kill(victim, signal.SIGKILL)
    assert door.report("https://still.example/")[0] == 201
    _until(lambda: len(door.workers()) == PROCESSES and victim not in door.workers())
    assert other in door.workers()
    new = next(number for number, pid in enumerate(door.workers()) if pid != other)
    with door.only(new):
        assert door.report("https://still.example/")[2]["duplicate"]


def test_workers_end_with_their_keeper_also_when_it_is_killed(house: tuple[Path, int, str]) -> None:
    folder, _, token = house
    port = _port()
    text = (folder / "hotline.toml").read_text(encoding="utf-8")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    text = (
        text.replace(f"port = {house[1]}\n", f"port = {port}\n")
        .replace('"secrets"', '"../secrets"')
        .replace("///own", "///../own")
    )
    (elsewhere / "hotline.toml").write_text(text, encoding="utf-8")
    with serving((elsewhere, port, token)) as door:
        door.keeper.kill()

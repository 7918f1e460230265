"""New editions come into force by themselves; whatever is wrong with one, the last good one stays and readiness says so."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.edge.world import Hotline, RunningNode, config_text, running, served, until, url_entry

from vigil.base.clock import FixedClock
from vigil.base.errors import UnavailableError
from vigil.edge.journal import journal
from vigil.edge.puller import Pulled, Puller
from vigil.edge.state import Concern, State

PAGE = "http://quimber.example/zorblat"
OTHER = "http://zorblat.example/quimber"


def reasons(node: RunningNode) -> dict[str, str]:
    return {reason["code"]: reason["detail"] for reason in node.ask("GET", "/readyz").json["reasons"]}


def in_force(node: RunningNode, number: int) -> None:
    until(lambda: node.ask("GET", "/readyz").json["edition"] == number)


def test_before_the_first_edition_the_node_answers_unknown(hotline: Hotline, state: Path) -> None:
    with running(config_text(hotline, state)) as node:
        until(lambda: "edition_unreachable" in reasons(node) or "edition_refused" in reasons(node))
        ready = node.ask("GET", "/readyz")
        assert (ready.status, ready.json["status"], ready.json["edition"]) == (503, "not_ready", None)
        assert node.ask("GET", "/healthz").status == 200
        verdict = node.verdict_on(PAGE)
        assert (verdict["verdict"], verdict["reason"]) == ("unknown", "no_edition")
        hotline.publish(url_entry(1, PAGE))
        until(lambda: node.verdict_on(PAGE)["verdict"] == "listed")
        until(lambda: node.ask("GET", "/readyz").status == 200)
        until(lambda: hotline.total("unknown") > 0)


def test_a_node_without_an_edition_asks_again_soon(tmp_path: Path) -> None:
    """The poll is for the next edition, not for the first one: a node that starts before the office must not wait for it."""

    class Nothing:
        def pull(self, now: datetime) -> Pulled:
            raise UnavailableError("unreachable", "Nothing there.")

    nothing = Puller(Nothing(), _never, tmp_path / "kept", tmp_path / "indexes", State(), _never, journal("n-1", io.StringIO()))
    pauses = []
    for _ in range(12):
        nothing.round(datetime(2026, 11, 22, tzinfo=UTC))
        pauses.append(nothing.pause(60.0))
    assert pauses[0] < 1.3
    assert max(pauses) < 60 * 1.21
    assert pauses[-1] > 60 * 0.79


def _never(*_: Any) -> Any:
    raise RuntimeError("nothing was pulled")


def test_a_node_restarts_without_the_hotline(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    text = config_text(hotline, state)
    with running(text) as node:
        in_force(node, 1)
    shutil.rmtree(hotline.repository)  # nothing to be had any more
    with running(text) as node:
        assert node.verdict_on(PAGE)["verdict"] == "listed"
        until(lambda: "edition_unreachable" in reasons(node) or "edition_refused" in reasons(node))
        ready = node.ask("GET", "/readyz")
        assert (ready.status, ready.json["status"]) == (200, "degraded")


def test_a_hotline_that_goes_away_stops_no_enforcement(tmp_path: Path, state: Path) -> None:
    from vigil.base.clock import SystemClock

    hotline = Hotline(tmp_path, SystemClock().now())
    with served(hotline) as url:
        hotline.publish(url_entry(1, PAGE))
        text = config_text(hotline, state)
    port = int(url.rpartition(":")[2])
    with running(text) as node:
        until(lambda: reasons(node).get("edition_unreachable") is not None)
        assert node.verdict_on(PAGE)["reason"] == "no_edition"
        with served(hotline, port):
            until(lambda: node.verdict_on(PAGE)["verdict"] == "listed")
        until(lambda: "counts_unsent" in reasons(node) and "edition_unreachable" in reasons(node))
        assert node.verdict_on(PAGE, sec_fetch_dest="document")["verdict"] == "listed"
        with served(hotline, port):
            until(lambda: hotline.total("navigation") == 1 and not reasons(node).keys() & {"counts_unsent"})


def alter_last_byte(hotline: Hotline) -> None:
    """Change one byte of the newest URL file."""
    newest = max(hotline.repository.glob("targets/**/*urls.parquet"), key=lambda path: path.stat().st_mtime_ns)
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(bytes(data))


def cut_short(hotline: Hotline) -> None:
    """Half of the newest URL file."""
    newest = max(hotline.repository.glob("targets/**/*urls.parquet"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])


def forge_timestamp(hotline: Hotline) -> None:
    """Other signed bytes under an old signature."""
    path = hotline.repository / "metadata" / "timestamp.json"
    path.write_bytes(path.read_bytes().replace(b'"version":2', b'"version":9').replace(b'"version": 2', b'"version": 9'))


@pytest.mark.parametrize("harm", [alter_last_byte, cut_short, forge_timestamp])
def test_a_tampered_or_half_edition_is_refused(hotline: Hotline, state: Path, harm: Callable[[Hotline], None]) -> None:
    hotline.publish(url_entry(1, PAGE))
    text = config_text(hotline, state)
    with running(text) as node:
        in_force(node, 1)
    hotline.publish(url_entry(1, PAGE), url_entry(2, OTHER))
    hotline.save("good")
    harm(hotline)
    with running(text) as node:
        until(lambda: "edition_refused" in reasons(node))
        ready = node.ask("GET", "/readyz").json
        assert (ready["status"], ready["edition"]) == ("degraded", 1)
        assert node.verdict_on(PAGE)["verdict"] == "listed"
        assert node.verdict_on(OTHER)["verdict"] == "not_listed"
        assert b"vigil_edge_edition_rejects_total 0" not in node.ask("GET", "/metrics").body
        hotline.put_back("good")
        in_force(node, 2)
        until(lambda: not reasons(node).keys() & {"edition_refused", "edition_unreachable"})


def test_a_rolled_back_edition_is_refused(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    hotline.save("old")
    hotline.publish(url_entry(2, OTHER))
    with running(config_text(hotline, state)) as node:
        in_force(node, 2)
        hotline.put_back("old")
        until(lambda: reasons(node).get("edition_refused") == "rollback")
        assert node.verdict_on(OTHER)["verdict"] == "listed"
        assert node.ask("GET", "/readyz").json["edition"] == 2


def test_another_root_of_trust_is_refused(hotline: Hotline, state: Path, tmp_path: Path) -> None:
    stranger = Hotline(tmp_path / "stranger", hotline.now)
    stranger.folder.mkdir(exist_ok=True)
    stranger.publish(url_entry(1, PAGE))
    hotline.publish()
    with served(stranger) as url:
        text = config_text(hotline, state, f'[editions]\nsource = "{url}/"\nroot = "{hotline.root}"\npoll_seconds = 0.2\n')
        with running(text) as node:
            until(lambda: "edition_refused" in reasons(node))
            assert node.verdict_on(PAGE)["reason"] == "no_edition"


def test_expiry_is_said_before_and_after_the_hard_date(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    text = config_text(hotline, state)
    with running(text) as node:
        in_force(node, 1)
    for hours, status, code in ((25, 200, "edition_expired"), (169, 503, "edition_hard_expired")):
        with running(text, FixedClock(hotline.now + timedelta(hours=hours))) as node:
            assert code in reasons(node)
            assert node.ask("GET", "/readyz").status == status
            assert node.verdict_on(PAGE)["verdict"] == "listed"


def test_a_list_that_is_not_in_the_edition_is_said(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    source = f'source = "{hotline.repository}"\nroot = "{hotline.root}"\npoll_seconds = 0.2'
    with running(config_text(hotline, state, f'[editions]\n{source}\nlists = ["urls", "zorblat"]\n')) as node:
        in_force(node, 1)
        assert reasons(node)["list_missing"] == "zorblat"
        assert node.verdict_on(PAGE)["verdict"] == "listed"


def test_only_the_indexes_in_use_stay_on_disk(hotline: Hotline, state: Path) -> None:
    hotline.publish()
    with running(config_text(hotline, state)) as node:
        for number in (2, 3, 4):
            hotline.publish(url_entry(number, PAGE))
            in_force(node, number)
        until(lambda: [path.name.split(".")[0] for path in (state / "indexes").iterdir()] == ["4"])


def test_a_failure_is_logged_once_and_forgotten_on_success(hotline: Hotline) -> None:
    state = State()
    assert state.failed(Concern.EDITION_REFUSED, "digest", hotline.now)
    assert not state.failed(Concern.EDITION_REFUSED, "digest", hotline.now)
    assert state.failed(Concern.EDITION_REFUSED, "rollback", hotline.now)
    assert state.refusals == {"digest": 2, "rollback": 1}
    state.succeeded(hotline.now)
    assert state.failure is None


def test_another_edition_under_the_same_number_comes_into_force(tmp_path: Path) -> None:
    """After a stolen key was revoked, the hotline's edition may have the number of the thief's."""

    @dataclass(frozen=True)
    class Brought:
        folder: Path
        fresh: bool
        number: int = 2

    brought = [Brought(tmp_path / "thief", True), Brought(tmp_path / "ours", True), Brought(tmp_path / "ours", False)]

    class Bringing:
        def pull(self, now: datetime) -> Pulled:
            return brought.pop(0)

    built: list[Path] = []

    def build(folder: Path) -> Any:
        built.append(folder)
        return SimpleNamespace(number=2, lists=(), sizes=(0, 0), folder=folder)

    log, state = journal("n-1", io.StringIO()), State()
    puller = Puller(Bringing(), build, tmp_path / "kept", tmp_path / "indexes", state, lambda *_: None, log)
    for _ in range(3):
        assert puller.round(datetime(2026, 11, 22, tzinfo=UTC))
    assert [folder.name for folder in built] == ["thief", "ours"]

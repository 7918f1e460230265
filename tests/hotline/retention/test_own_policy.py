"""An operator's own retention policy may know less than a new version does: nothing breaks, nothing unknown goes, it is said."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.hotline.conftest import DoorClient
from tests.hotline.retention.test_retention import concluded

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.reports.enumerations import Outcome
from vigil.hotline.retention import worker
from vigil.hotline.retention.actions import do_run_retention, policy_in_force
from vigil.hotline.retention.classes import fixed, known
from vigil.hotline.retention.models import Disposal
from vigil.hotline.retention.policy import SHIPPED

NEW = ("approval_reason", "elevation_reason", "partner_contact")
"""What version 2026-11-3 of the shipped policy knows, and a file of an operator from before does not."""
pytestmark = pytest.mark.django_db


def without(*classes: str) -> str:
    """The shipped policy as a file of before these classes were known."""
    head, *rules = SHIPPED.read_text(encoding="utf-8").split("[[rules]]")
    left = [rule for rule in rules if not any(f'"{name}"' in rule for name in classes)]
    return "[[rules]]".join([head, *left])


@pytest.fixture
def named(tmp_path: Path, settings: Any) -> Callable[[str], Path]:
    """An installation whose configuration names a policy of its own with this text."""

    def name(text: str) -> Path:
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        settings.CONFIG = msgspec.structs.replace(settings.CONFIG, retention_policy=str(path))
        return path

    return name


def spam_past_its_time(clock: FixedClock) -> None:
    concluded(clock, Outcome.SPAM)
    clock.advance(days=31)


def test_classes_that_a_file_of_before_does_not_know_are_kept_and_named(named: Callable[[str], Path], clock: FixedClock) -> None:
    named(without(*NEW))
    assert policy_in_force().missing == NEW
    spam_past_its_time(clock)
    found = {each.data_class: each.number for each in do_run_retention(WORKER)}
    assert found["spam_report"] == 1 and not set(NEW) & set(found), "the rest goes as it always did"
    assert Disposal.objects.get().policy_digest == policy_in_force().digest


def test_a_class_that_is_always_kept_may_be_left_out(named: Callable[[str], Path]) -> None:
    named(without(*fixed()))
    assert set(policy_in_force().missing) == set(fixed())


@pytest.mark.parametrize("name", sorted(known()))
def test_whatever_class_is_missing_nothing_breaks(named: Callable[[str], Path], name: str) -> None:
    named(without(name))
    assert policy_in_force().missing == (name,)
    assert name not in {each.data_class for each in do_run_retention(WORKER)}


def test_the_worker_says_it_each_time_and_goes_on(
    named: Callable[[str], Path], clock: FixedClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = named(without("partner_contact"))
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    spam_past_its_time(clock)
    worker.serve(ending_after(1))
    [said] = [row for row in caplog.records if "no rule" in row.getMessage()]
    assert said.__dict__["fields"] == {"classes": ("partner_contact",)} and Disposal.objects.count() == 1
    caplog.clear()
    named(path.read_text(encoding="utf-8").replace('"delete"', '"zorblat"')).rename(path.with_name("broken.toml"))
    worker.serve(ending_after(2))
    assert [row.__dict__["fields"]["code"] for row in caplog.records] == ["retention_policy_unreadable"] * 2, "it does not end"


class ending_after:  # noqa: N801 - reads like a verb
    """An event that is set after so many rounds of waiting."""

    def __init__(self, rounds: int) -> None:
        self.event, self.left = threading.Event(), rounds

    def is_set(self) -> bool:
        return self.event.is_set()

    def wait(self, pause: float) -> None:
        self.left -= 1
        if self.left == 0:
            self.event.set()


def test_the_page_names_them(
    named: Callable[[str], Path], make_user: Callable[..., User], console_client: Callable[..., DoorClient]
) -> None:
    client = console_client(make_user(Role.DATA_PROTECTION))
    named(without(*NEW))
    with client.standing_there():
        named(without(*NEW))
        shown = client.get("/retention/").content.decode()
        assert f"Your policy has no rule for: {', '.join(NEW)}." in shown and "spam_report" in shown
        named("not a policy")
        shown = client.get("/retention/").content.decode()
    assert "cannot be used: nothing is deleted" in shown and "Legal holds" in shown


def test_unknown_names_are_mistakes_and_not_for_later(named: Callable[[str], Path]) -> None:
    named(without("partner_contact").replace("spam_report", "zorblat_report"))
    with pytest.raises(InputError, match="zorblat_report"):
        policy_in_force()


def test_the_command_says_it(named: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from vigil.cli.hotline_retention import retention
    from vigil.hotline.management import boot

    monkeypatch.setattr(boot, "start", lambda door: None)
    named(without(*NEW))
    answer = CliRunner().invoke(retention, ["check"])
    assert answer.exit_code == 1 and ", ".join(NEW) in answer.output
    assert json.loads(CliRunner().invoke(retention, ["show", "--json"]).output)["missing"] == list(NEW)
    assert "partner_contact        no rule: kept" in CliRunner().invoke(retention, ["show"]).output
    named(SHIPPED.read_text(encoding="utf-8"))
    assert CliRunner().invoke(retention, ["check"]).exit_code == 0

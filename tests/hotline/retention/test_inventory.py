"""Every table has its place: rows about people fall under a data class of the policy, and each class disposes of its rows."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import models
from tests.hotline.assessments.test_scheme import FINDING

import vigil.hotline.retention
from vigil.base.clock import FixedClock
from vigil.base.errors import InputError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import PUBLIC, WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.assessments.actions import do_assess
from vigil.hotline.desks.models import BulkRun, KeptFilter
from vigil.hotline.lists.models import Appeal
from vigil.hotline.reports.actions import do_take
from vigil.hotline.reports.intake import Arrival, do_begin_draft, do_submit_report
from vigil.hotline.reports.models import Draft, Report
from vigil.hotline.retention.actions import do_run_retention, policy_in_force
from vigil.hotline.retention.classes import fixed, known
from vigil.hotline.retention.models import Disposal
from vigil.hotline.retention.policy import SHIPPED, Action, read_policy
from vigil.hotline.triage.actions import do_triage
from vigil.hotline.triage.models import Triage
from vigil.hotline.welfare.models import (
    Break,
    BuddyRequest,
    ExposureEnd,
    ExposureEvent,
    Preferences,
    SeverityNote,
    Swap,
    WellbeingCheck,
)

pytestmark = pytest.mark.django_db
INVENTORY = tomllib.loads(Path(vigil.hotline.retention.__file__).with_name("inventory.toml").read_text(encoding="utf-8"))
CLASSES: dict[str, list[str]] = INVENTORY["classes"]


def tables() -> dict[str, type[models.Model]]:
    return {model._meta.label: model for model in apps.get_models()}


def is_about_people(model: type[models.Model]) -> bool:
    """Whether a table names a member of staff or holds what an address of a person would stand in."""
    return any(
        (field.is_relation and field.related_model is User) or isinstance(field, models.EmailField | models.GenericIPAddressField)
        for field in model._meta.concrete_fields
    )


def is_sealed(model: type[models.Model]) -> bool:
    return any(isinstance(field, SealedTextField) for field in model._meta.concrete_fields)


def test_every_table_stands_in_the_inventory_once() -> None:
    named = [*CLASSES, *INVENTORY["content"]["names"], *INVENTORY["impersonal"]["names"]]
    assert len(named) == len(set(named))
    assert set(named) == set(tables()), "a new table needs a line in retention/inventory.toml"


def test_what_is_about_people_has_a_data_class() -> None:
    """A table that names a person, or seals a text, may not be called impersonal."""
    without = {name for name, model in tables().items() if name not in CLASSES}
    assert {name for name in without if is_about_people(tables()[name])} == set()
    assert {name for name in INVENTORY["impersonal"]["names"] if is_sealed(tables()[name])} == set()


def test_every_data_class_has_a_rule_and_a_table() -> None:
    policy = {rule.data_class: rule for rule in policy_in_force().rules.rules}
    assert set(policy) == set(known()) == {name for classes in CLASSES.values() for name in classes}
    for name, rule in policy.items():
        assert (rule.action is Action.KEEP) == (name in fixed())
        assert rule.authority and rule.start_event


def test_a_policy_keeps_what_proves_something() -> None:
    text = SHIPPED.read_text(encoding="utf-8").replace('action = "keep"', 'action = "delete"')
    with pytest.raises(InputError, match="always kept"):
        read_policy(text.encode(), "x", frozenset(known()), fixed())


def purged() -> dict[str, int]:
    return {each.data_class: each.number for each in do_run_retention(WORKER) if each.number}


def test_what_staff_wrote_about_a_case_goes_with_it(clock: FixedClock, make_user: Callable[..., User]) -> None:
    anna = make_user(Role.ANALYST, username="anna")
    report = do_submit_report(PUBLIC, Arrival("https://gallery.example/", words="zorblat quimber grelm pandor triskel"))
    do_triage(WORKER, report, lambda: 1.0)
    held = do_take(anna, Report.objects.get(pk=report.pk))
    answers = {**FINDING, "outcome": "not_criminal"}
    found = do_assess(anna, held, _without_finding(answers), "a note", version=held.version, started_at=now())
    assert found.notes is not None and Triage.objects.get().words_digest
    clock.advance(days=91)
    assert purged() == {"not_actioned_report": 1}
    found.refresh_from_db()
    assert found.notes is None and Triage.objects.get().words_digest == ""


def _without_finding(answers: dict[str, Any]) -> dict[str, Any]:
    """Answers that conclude a case without a finding."""
    return {
        name: value for name, value in answers.items() if name in {"outcome", "confidence", "rationale_code", "view_mode_max"}
    }


def test_an_unfinished_report_goes_after_a_day(clock: FixedClock) -> None:
    do_begin_draft(PUBLIC)
    clock.advance(days=1, seconds=1)
    assert purged() == {"unfinished_report": 1} and not Draft.objects.exists()


def test_an_appellant_is_forgotten_two_years_after_the_decision(clock: FixedClock) -> None:
    given = dict.fromkeys(("address", "reasons", "standing", "contact", "notes"), "quimber")
    appeal = Appeal.objects.create(ref="A", appellant_type="site_owner", decided_at=clock.now(), outcome="upheld", **given)
    running = Appeal.objects.create(ref="B", appellant_type="site_owner", **given)
    clock.advance(days=731)
    assert purged() == {"appeal": 1} and purged() == {}
    appeal.refresh_from_db()
    running.refresh_from_db()
    assert [getattr(appeal, name) for name in given] == [None] * 5 and appeal.outcome == "upheld"
    assert running.contact is not None


def test_the_ledger_of_who_left_goes_and_of_who_stays_does_not(clock: FixedClock, make_user: Callable[..., User]) -> None:
    gone, here = (make_user(Role.ANALYST, username=name) for name in ("gone", "here"))
    for person in (gone, here):
        look = ExposureEvent.objects.create(analyst=person, subject="report:x", mode="blurred", created_by=person.label)
        ExposureEnd.objects.create(event=look, seconds=3, created_by=person.label)
        SeverityNote.objects.create(analyst=person, subject="report:x", severity="a", created_by=person.label)
        Break.objects.create(analyst=person, ends_at=clock.now(), created_by=person.label)
        Swap.objects.create(analyst=person, created_by=person.label)
        BuddyRequest.objects.create(analyst=person, created_by=person.label)
        WellbeingCheck.objects.create(analyst=person, trigger="x", created_by=person.label)
        Preferences.objects.create(analyst=person, created_by=person.label)
        KeptFilter.objects.create(owner=person, page="queue", name="x", created_by=person.label)
    BulkRun.objects.create(owner=here, act="priority", created_by=here.label)
    Session.objects.create(session_key="x", session_data="", expire_date=clock.now() + timedelta(days=300))
    User.objects.filter(pk=gone.pk).update(is_active=False)
    clock.advance(days=365)
    assert purged() == {"bulk_run": 1, "session": 1}
    clock.advance(seconds=1)
    personal = {name for name in known() if name.startswith(("exposure_", "welfare_"))} | {"kept_filter"}
    assert purged() == dict.fromkeys(personal, 1)
    for model, who in ((ExposureEvent, "analyst"), (Preferences, "analyst"), (Break, "analyst"), (KeptFilter, "owner")):
        assert [getattr(row, who) for row in model.objects.all()] == [here]
    assert ExposureEnd.objects.count() == 1
    assert Disposal.objects.filter(data_class="exposure_look", number=1).count() == 1

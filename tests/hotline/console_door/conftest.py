"""A desk at the console: people, a reported page, and short cuts to where a test begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.hotline.assessments.test_scheme import FINDING
from tests.hotline.lists.cases import page

from vigil.base.clock import FixedClock
from vigil.editions.model import ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.assessments.actions import do_assess
from vigil.hotline.lists.actions import do_create_list, do_list
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.reports.actions import do_take
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Report

SECRET_ADDRESS = "http://gallery.example/zorblat/7?quimber=1"
SECRET_WORDS = "the quimber group told me"


@dataclass
class Desk:
    """The people of a small hotline, each with a client of the console."""

    anna: User
    ben: User
    open_door: Callable[..., Any]

    def at(self, user: User) -> Any:
        return self.open_door(user)

    def reported(self, address: str = SECRET_ADDRESS) -> Report:
        return do_submit_report(PUBLIC, Arrival(address, words=SECRET_WORDS))

    def taken(self, address: str = SECRET_ADDRESS) -> Report:
        return do_take(self.anna, self.reported(address))

    def assessed(self, address: str = SECRET_ADDRESS) -> Report:
        report = self.taken(address)
        do_assess(self.anna, report, FINDING, "", version=report.version, started_at=now())
        return Report.objects.get(pk=report.pk)

    def waiting_for_ben(self, address: str = SECRET_ADDRESS) -> Report:
        return do_take(self.ben, self.assessed(address))


@pytest.fixture
def desk(clock: FixedClock, make_user: Callable[..., User], console_client: Callable[..., Any]) -> Desk:
    for kind in (ListKind.URL, ListKind.HASH_CSAM, ListKind.HASH_AI, ListKind.NP_URL, ListKind.HASH_NP):
        do_create_list(OPERATOR, kind.value.replace("_", "-"), kind)
    return Desk(
        make_user(Role.ANALYST, username="anna"), make_user(Role.SECOND_REVIEWER, username="ben"), console_client
    )


def form_of(report: Report, **changes: Any) -> dict[str, Any]:
    """A whole assessment form for the case as it is now."""
    version = Report.objects.values_list("version", flat=True).get(pk=report.pk)
    return {"version": version, "started_at": now().isoformat(), "notes": "", **FINDING, **changes}


@pytest.fixture
def paula(make_user: Callable[..., User]) -> User:
    return make_user(Role.LIST_PUBLISHER, username="paula")


@pytest.fixture
def sam(make_user: Callable[..., User]) -> User:
    return make_user(Role.SUPERVISOR, username="sam")


@pytest.fixture
def entry(desk: Desk) -> ListEntry:
    do_list(desk.ben, desk.waiting_for_ben(), [page(SECRET_ADDRESS)])
    return ListEntry.objects.get()

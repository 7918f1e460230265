"""A hold that is placed while the purge runs: the hold wins and nothing goes, or the purge had ended and the hold says what went.

On PostgreSQL, with connections of their own for both. SQLite knows one writer at a time, so that there one waits for the other by
itself: the same acts run one after the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from tests.hotline.retention.test_retention import concluded

from vigil.base.clock import FixedClock
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.holds import actions as police
from vigil.hotline.holds.enumerations import HoldKind, HoldScope
from vigil.hotline.holds.models import Hold
from vigil.hotline.reports.enumerations import Outcome
from vigil.hotline.reports.models import Report
from vigil.hotline.retention import actions
from vigil.hotline.retention.actions import do_place_hold, do_run_retention
from vigil.hotline.retention.models import Disposal, LegalHold
from vigil.hotline.retention.queries import gone_from

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 30.0


@pytest.fixture
def threads(transactional_db: None) -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """Runs an act in a thread with a connection of its own."""
    pool = ThreadPoolExecutor(2)

    def alone(act: Callable[[], Any]) -> Any:
        try:
            return act()
        finally:
            connections.close_all()

    yield lambda act: pool.submit(alone, act)
    pool.shutdown()


class Gate:
    """Stands in the way of a function: says that somebody came, and lets them on when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, *modules: Any) -> None:
        self.came, self.open, inner = threading.Event(), threading.Event(), getattr(modules[0], name)

        def stopped(*arguments: Any, **named: Any) -> Any:
            self.came.set()
            assert self.open.wait(SECONDS)
            return inner(*arguments, **named)

        for module in modules:
            monkeypatch.setattr(module, name, stopped)


def waits_for_a_lock() -> None:
    """Until some other connection to this database waits for a lock of PostgreSQL."""
    question = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(question)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits for a lock")


def purge() -> tuple[int, int]:
    """(gone, held) of spam."""
    found = {each.data_class: each for each in do_run_retention(WORKER)}
    return found["spam_report"].number, found["spam_report"].held


@pytest.fixture
def case(clock: FixedClock) -> Report:
    report = concluded(clock, Outcome.SPAM)
    clock.advance(days=31)
    return report


@pytest.fixture
def place(make_user: Callable[..., User], case: Report, request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Each way in which somebody holds a case."""
    lead, lia = make_user(Role.DATA_PROTECTION), make_user(Role.POLICE_LIAISON)

    def of_law() -> LegalHold:
        return do_place_hold(lead, case, "Court of Quimber, 17")

    def of_police(scope: HoldScope = HoldScope.CASE) -> Hold:
        return police.do_set_hold(
            lia, case, HoldKind.LEGAL_HOLD, owner=lia, agency="Quimber police", reason_code="ongoing", scope=scope,
            expires_at=now() + police.LONGEST,
        )  # fmt: skip

    ways: dict[str, Callable[[], Any]] = {
        "law": of_law, "police": of_police, "police-host": lambda: of_police(HoldScope.HOST)
    }  # fmt: skip
    return ways[request.param]


every_hold = pytest.mark.parametrize("place", ["law", "police", "police-host"], indirect=True)


def whole(case: Report) -> bool:
    """True where the case is as it was, False where it is reduced; anything between fails."""
    fresh = Report.objects.get(pk=case.pk)
    address = fresh.submissions.get().url
    signs = {fresh.reduced_at is None, fresh.free_text is not None, bool(fresh.submissions.get().raw.open()),
             bool(address.canonical.open()), not Disposal.objects.exists()}  # fmt: skip
    assert len(signs) == 1, "half of it is gone"
    return signs.pop()


@every_hold
def test_a_hold_that_was_first_wins(
    case: Report, place: Callable[[], Any], threads: Callable[..., Future[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hold is written and not committed yet when the purge comes: the purge waits, and then sees it."""
    if connection.vendor == "postgresql":
        gate = Gate(monkeypatch, "record", actions, police)
        placing = threads(place)
        assert gate.came.wait(SECONDS)
        purging = threads(purge)
        waits_for_a_lock()
        gate.open.set()
        placing.result(SECONDS)
        assert purging.result(SECONDS) == (0, 1)
    else:
        place()
        assert purge() == (0, 1)
    assert whole(case) and gone_from(case) == ()


@every_hold
def test_a_purge_that_was_first_ends_and_the_hold_says_so(
    case: Report, place: Callable[[], Any], threads: Callable[..., Future[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The purge has written and not committed yet when the hold comes: the hold waits, and then knows what went."""
    if connection.vendor == "postgresql":
        gate = Gate(monkeypatch, "_prove", actions)
        purging = threads(purge)
        assert gate.came.wait(SECONDS)
        placing = threads(place)
        waits_for_a_lock()
        assert not placing.done(), "nobody is told that a case is kept while it goes"
        gate.open.set()
        assert purging.result(SECONDS) == (1, 0)
        placing.result(SECONDS)
    else:
        assert purge() == (1, 0)
        place()
    assert not whole(case) and gone_from(case) == ("what was reported",)
    assert LegalHold.objects.count() + Hold.objects.count() == 1
    assert purge() == (0, 0)

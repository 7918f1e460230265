"""What comes in at the same moment is committed together, and nobody fails or is answered for the sake of another."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from django.db import OperationalError
from tests.hotline.reports.test_race import house, run

from vigil.hotline.reports.together import Together

__all__ = ["house"]
pytestmark = pytest.mark.own_database


class Work:
    """Keeps what it was handed; the first call lasts until ``go`` is set."""

    def __init__(self, failure: Callable[[Sequence[int]], Exception | None] = lambda orders: None) -> None:
        self.calls: list[list[int]] = []
        self.begun, self.go, self.failure = threading.Event(), threading.Event(), failure

    def __call__(self, orders: Sequence[int]) -> list[int]:
        self.calls.append(list(orders))
        if not self.begun.is_set():
            self.begun.set()
            assert self.go.wait(20)
        if (failure := self.failure(orders)) is not None:
            raise failure
        return [order * 10 for order in orders]


def answers(
    work: Work, orders: Sequence[int], *, most: int = 50, group: Callable[[int], int] = lambda order: 0
) -> dict[int, object]:
    """The first order begins; the others come in, in their order, while it lasts. What each got, or the error it met."""
    together = Together(work, most)
    found: dict[int, object] = {}
    waiting: list[threading.Thread] = []

    def one(order: int) -> None:
        try:
            found[order] = together.do(group(order), order)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found[order] = error

    for place, order in enumerate(orders):
        thread = threading.Thread(target=one, args=(order,))
        thread.start()
        waiting.append(thread)
        if place == 0:
            assert work.begun.wait(20)
        while len(together._queue) <= place:
            time.sleep(0.001)
    work.go.set()
    for thread in waiting:
        thread.join(20)
    return found


def test_those_who_wait_are_done_in_one_go_in_their_order() -> None:
    work = Work()
    assert answers(work, [1, 2, 3, 4]) == {1: 10, 2: 20, 3: 30, 4: 40}
    assert work.calls == [[1], [2, 3, 4]]


def test_there_is_a_bound_and_groups_stay_apart() -> None:
    work = Work()
    assert answers(work, [1, 2, 3, 4, 5, 6], most=2, group=lambda order: order % 2) == {n: n * 10 for n in range(1, 7)}
    assert work.calls == [[1], [2, 4], [3, 5], [6]]


def test_one_that_is_refused_does_not_keep_the_others() -> None:
    work = Work(lambda orders: ValueError("no three") if 3 in orders else None)
    found = answers(work, [1, 2, 3, 4])
    assert isinstance(found.pop(3), ValueError)
    assert found == {1: 10, 2: 20, 4: 40}
    assert work.calls[:2] == [[1], [2, 3, 4]]
    assert sorted(work.calls[2:]) == [[2], [3], [4]]


def test_where_nobody_knows_whether_it_was_committed_nothing_is_done_again() -> None:
    work = Work(lambda orders: OperationalError("gone") if 3 in orders else None)
    found = answers(work, [1, 2, 3, 4, 5], most=3)
    assert {order: type(answer) for order, answer in found.items()} == {
        1: int, 2: OperationalError, 3: OperationalError, 4: OperationalError, 5: int,
    }  # fmt: skip
    assert work.calls == [[1], [2, 3, 4], [5]]


THREADS, EACH = 8, 12
SENT = f"""
import json, threading
from vigil.hotline.management import boot
boot.start("partner")
from django.db import connections
from vigil.base.errors import VigilError
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import verify
from vigil.hotline.partners.senders import do_enrol_sender
from vigil.hotline.reports import once
from vigil.hotline.reports.intake import Arrival, check_submit
from vigil.hotline.reports.models import IdempotencyKey, Report

sizes, take = [], once._SINGLES._work
once._SINGLES._work = lambda singles: (sizes.append(len(singles)), take(singles))[1]
sender, _ = do_enrol_sender(OPERATOR, "police", "police", ["report.send"], 10)
gate, said = threading.Barrier({THREADS}), []

def send(thread):
    for number in range({EACH}):
        gate.wait(60)
        key = f"key-{{number}}-{{thread // 2}}" if thread < 6 else ""
        body = b"other" if thread == 1 and number == 0 else key.encode()
        arrival = Arrival(f"https://page{{number}}.example/{{thread // 2}}", sender=sender)
        try:
            done = once.submit_once(sender, check_submit(sender, arrival), key, body, lambda report: {{"ref": report.ref}})
            said.append((key, done.answer["ref"], done.again))
        except VigilError as error:
            said.append((key, error.code, None))
    connections.close_all()

threads = [threading.Thread(target=send, args=(thread,)) for thread in range({THREADS})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
refs = dict(Report.objects.filter(sender=sender).values_list("ref", "dedupe_of__ref"))
print(json.dumps({{
    "answers": len(said), "conflicts": sum(again is None for _, _, again in said),
    "again": sum(bool(again) for _, _, again in said),
    "unknown": sum(ref not in refs for _, ref, again in said if again is not None), "reports": len(refs),
    "firsts": sum(first is None for first in refs.values()), "keys": IdempotencyKey.objects.count(),
    "received": AuditEvent.objects.filter(code="report.received", actor=sender.label).count(),
    "log": verify().ok, "shared": max(sizes) > 1,
}}))
"""


def test_a_key_counts_once_however_many_send_it_at_the_same_moment(house: Path) -> None:
    """Three pairs of threads send the same report under the same key, one pair of them once with two bodies; two threads
    send the same report without a key."""
    told = json.loads(run(house, SENT).check())
    sent, keys = THREADS * EACH, 3 * EACH
    reports = keys + 2 * EACH
    assert told == {
        "answers": sent, "conflicts": 1, "again": keys - 1, "unknown": 0, "reports": reports, "firsts": 4 * EACH, "keys": keys,
        "received": reports, "log": True, "shared": True,
    }  # fmt: skip


def test_one_by_itself_is_refused_as_it_is() -> None:
    work = Work(lambda orders: ValueError("no"))
    assert isinstance(answers(work, [7])[7], ValueError)
    assert work.calls == [[7]]

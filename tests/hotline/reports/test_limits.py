"""Token buckets: never more than the burst and the refill together, and a wait that is long enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.clock import FixedClock
from vigil.hotline.access.people import PUBLIC
from vigil.hotline.reports import bucket as shared
from vigil.hotline.reports.intake import do_begin_draft
from vigil.hotline.reports.limits import DRAFTS_ALIVE, RATES, Act, Rate, full, take

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RATE = Rate(burst=5, per_second=0.5)


@given(st.lists(st.floats(-5, 20, allow_nan=False), max_size=80))
def test_never_more_than_burst_and_refill(steps: list[float]) -> None:
    now, latest, given_out, bucket = START, START, 0, full(RATE, START)
    for step in steps:
        now += timedelta(seconds=step)
        bucket, wait = take(bucket, RATE, max(now, latest))
        latest = max(now, latest)
        given_out += not wait
    elapsed = (latest - START).total_seconds()
    assert given_out <= RATE.burst + elapsed * RATE.per_second + 1e-6


@given(st.integers(6, 30))
def test_the_wait_it_names_is_enough(times: int) -> None:
    bucket = full(RATE, START)
    for _ in range(times):
        bucket, wait = take(bucket, RATE, START)
    _, again = take(bucket, RATE, START + wait + timedelta(milliseconds=1))
    assert not again


def test_a_clock_that_goes_back_adds_and_takes_nothing() -> None:
    empty, _ = take(full(Rate(1, 1), START), Rate(1, 1), START)
    after, wait = take(empty, Rate(1, 1), START - timedelta(hours=1))
    assert after.tokens == 0
    assert wait == timedelta(seconds=1)


@pytest.mark.django_db
def test_the_door_shares_one_bucket_for_each_act(clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATES, Act.STATUS, Rate(burst=2, per_second=1))
    assert [shared.wait_for(Act.STATUS) for _ in range(3)] == [timedelta(0), timedelta(0), timedelta(seconds=1)]
    assert shared.wait_for(Act.SUBMIT) == timedelta(0)
    clock.advance(seconds=1)
    assert shared.wait_for(Act.STATUS) == timedelta(0)


@pytest.mark.django_db
def test_drafts_cannot_fill_the_disk(clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    do_begin_draft(PUBLIC)
    monkeypatch.setattr(shared, "DRAFTS_ALIVE", type(DRAFTS_ALIVE)(1, "drafts", "a test"))
    assert shared.wait_for(Act.DRAFT) == shared.CROWDED

"""Time: aware, in UTC, and fixed where a test wants it so."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.clock import FixedClock, SystemClock, instant_of, require_utc, text_of
from vigil.base.errors import InputError

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_machine_clock_knows_its_zone() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FixedClock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.advance(hours=2)
    assert clock.now() == NOON + timedelta(hours=2)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        require_utc(NOON.replace(tzinfo=None))
    assert caught.value.code == "time_without_zone"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-22T10:00:00"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        instant_of(text)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=13))])))
def test_text_and_instant_agree_to_the_second(instant: datetime) -> None:
    try:
        expected = instant.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        return
    text = text_of(instant)
    assert text.endswith("Z")
    assert instant_of(text) == expected

"""The complaint reference: edition and ten minutes, nothing else, and readable by a tired person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.edge import reference

NOW = datetime(2026, 11, 22, 10, 7, tzinfo=UTC)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2300, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.integers(1, 2**32 - 1), moments)
def test_what_is_written_can_be_read(edition: int, now: datetime) -> None:
    found = reference.read(reference.write(edition, now))
    assert found.edition == edition
    assert timedelta(0) <= now - found.slot < reference.SLOT


def test_all_visitors_of_ten_minutes_get_the_same() -> None:
    texts = {reference.write(4711, NOW.replace(minute=minute)) for minute in range(10)}
    assert texts == {"0001-4SR5-H068"}
    assert reference.write(4711, NOW.replace(minute=10)) not in texts
    assert reference.read(reference.write(None, NOW)).edition is None


def test_handwriting_is_forgiven() -> None:
    assert reference.read("oool 4sr5 h o68") == reference.read("0001-4SR5-H068")


@given(st.text(max_size=40))
def test_anything_else_is_refused_or_read(text: str) -> None:
    try:
        reference.read(text)
    except InputError as error:
        assert error.code == "reference_malformed"


def test_most_single_mistakes_are_noticed() -> None:
    text, noticed = "00014SR5H068", 0
    tries = [text[:place] + sign + text[place + 1 :] for place in range(12) for sign in reference.ALPHABET if sign != text[place]]
    for wrong in tries:
        try:
            reference.read(wrong)
        except InputError:
            noticed += 1
    assert noticed > 0.9 * len(tries)


def test_a_wrong_length_is_refused() -> None:
    with pytest.raises(InputError):
        reference.read("0001-4SR5-H06")

"""Noise is exact and drawn once; retries within the window count once; programs that name themselves are told apart."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.edge.bookkeeper import Bookkeeper
from vigil.edge.counts import Cell, Column, CountClass, Rules, Tally, Vector, next_vector, request_class
from vigil.edge.ledger import Ledger
from vigil.edge.noise import discrete_laplace
from vigil.edge.repeats import MOST, Window

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
DRAWS = 40_000


def source(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 0.1, 2.5])
def test_the_noise_has_the_odds_it_should(epsilon: float) -> None:
    """Chi-squared over the middle of the distribution, with a fixed source: the exact odds, not a rounding of them."""
    generator = source(20261122)
    drawn = Counter(discrete_laplace(epsilon, generator.randrange) for _ in range(DRAWS))
    rate = math.exp(-epsilon)
    norm = (1 - rate) / (1 + rate)
    reach = int(4 / epsilon)
    statistic = sum(
        (drawn[z] - DRAWS * norm * rate ** abs(z)) ** 2 / (DRAWS * norm * rate ** abs(z)) for z in range(-reach, reach + 1)
    )
    freedom = 2 * reach + 1
    assert statistic < freedom + 4 * math.sqrt(2 * freedom)
    mean = sum(z * number for z, number in drawn.items()) / DRAWS
    deviation = math.sqrt(2 * rate) / (1 - rate)
    assert abs(mean) < 4 * deviation / math.sqrt(DRAWS)
    assert abs(math.sqrt(sum(z * z * n for z, n in drawn.items()) / DRAWS) / deviation - 1) < 0.03


def test_the_source_is_asked_for_integers_only() -> None:
    asked: list[int] = []
    generator = source(1)

    def noted(bound: int) -> int:
        asked.append(bound)
        return generator.randrange(bound)

    for _ in range(200):
        assert isinstance(discrete_laplace(0.5, noted), int)
    assert all(isinstance(bound, int) and bound >= 1 for bound in asked)
    assert Fraction(0.5) == Fraction(1, 2)


def test_noise_is_drawn_once_and_survives_a_restart(tmp_path: Path) -> None:
    rules = Rules(epsilon=0.5, source=source(7).randrange)
    tally, ledger = Tally(), Ledger(tmp_path)
    books = Bookkeeper("n-1", tally, ledger, rules, open_hours=False)
    tally.add(5, "urls", CountClass.NAVIGATION, NOW, 100)
    tally.message(5, "law.displayed", NOW, 40)
    books.tick(NOW)
    books = Bookkeeper("n-1", tally := Tally(), ledger, rules, open_hours=False)
    assert books.start()
    books.tick(NOW + timedelta(hours=2))
    made = {vector.list: vector for vector in (msgspec.json.decode(p.read_bytes(), type=Vector) for p in ledger.waiting())}
    vector = made["urls"]
    assert (vector.privacy.kind, vector.privacy.epsilon) == ("laplace", 0.5)
    assert set(vector.counts) == {kind.value for kind in CountClass}
    assert abs((vector.counts["navigation"] or 0) - 100) < 40
    assert any(vector.counts[kind] for kind in ("prefetch", "subresource", "test", "dns_answer")), "zeros carry noise as well"
    assert made["*"].messages is not None
    assert "law.displayed" in made["*"].messages
    column = Column(0.0, {CountClass.NAVIGATION: 999}, vector)
    assert next_vector("n-1", Cell(NOW, 5, "urls"), column, rules) is vector


def test_messages_below_k_are_hidden() -> None:
    column = Column(0.0, {}, None, {"law.displayed": 30, "law.help_followed": 2})
    vector = next_vector("n-1", Cell(NOW, 5, "*"), column, Rules(10))
    assert vector.messages == {"law.displayed": 30, "law.help_followed": None}


def test_a_retry_within_the_window_counts_once() -> None:
    window = Window(1.0)
    assert window.is_new(("urls", 1), 100.0)
    assert not window.is_new(("urls", 1), 100.9)
    assert window.is_new(("urls", 2), 100.9)
    assert window.is_new(("urls", 1), 101.1)
    assert window.is_new(("urls", 1), 50.0), "a clock that was set back forgets"
    assert all(Window(0).is_new("x", 1.0) for _ in range(2))


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 10)), max_size=60))
def test_the_window_agrees_with_the_slow_obvious_one(events: list[tuple[int, float]]) -> None:
    window, counted = Window(2.0), dict[int, float]()
    for event, moment in sorted(events, key=lambda pair: pair[1]):
        expected = event not in counted or moment - counted[event] >= 2.0
        assert window.is_new(event, moment) is expected
        if expected:
            counted[event] = moment


def test_the_window_is_bounded() -> None:
    window = Window(1.0)
    assert all(window.is_new(number, 5.0) for number in range(MOST + 10))
    assert window.is_new(MOST + 5, 5.0)
    assert not window.is_new(1, 5.0)


@pytest.mark.parametrize(
    "agent",
    [b"Zorblatbot/2.1", b"curl/8.1", b"python-requests/2.32", b"Mozilla/5.0 (compatible; QuimberCrawler/1.0)", b"LinkScanner 3",
     b"Mozilla/5.0 (X11) HeadlessChrome/120"],
)  # fmt: skip
def test_programs_that_name_themselves_are_automated(agent: bytes) -> None:
    assert request_class({b"user-agent": agent, b"sec-fetch-dest": b"document"}) is CountClass.AUTOMATED


@pytest.mark.parametrize(
    "agent", [b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", b"Bottle", b"Robotics browser", b""]
)
def test_browsers_are_not(agent: bytes) -> None:
    assert request_class({b"user-agent": agent, b"sec-fetch-dest": b"document"}) is CountClass.NAVIGATION


def test_an_event_of_a_moment_that_a_clock_going_back_lives_again_is_new() -> None:
    window = Window(10)
    assert window.is_new("quimber", 15) and window.is_new("zorblat", 20) and not window.is_new("zorblat", 21)
    assert window.is_new("zorblat", 17) and not window.is_new("zorblat", 18)

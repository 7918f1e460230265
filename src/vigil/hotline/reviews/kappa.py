"""Agreement beyond chance. Pure.

Cohen, J. (1960), "A coefficient of agreement for nominal scales": two raters. Fleiss, J. L. (1971), "Measuring nominal
scale agreement among many raters": a fixed number of ratings for each subject, by whichever raters. Both are None where
chance alone already gives full agreement (one category only): the coefficient is not defined there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vigil.base.errors import InputError


@dataclass(frozen=True, slots=True)
class Agreement:
    """``kappa`` between -1 and 1 or None; ``observed`` the share of plain agreement; ``subjects`` the number compared."""

    kappa: float | None
    observed: float
    subjects: int


def cohen(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Of two raters: one pair of categories for each subject."""
    if not pairs:
        raise InputError("no_ratings", "There is nothing to compare.")
    number = len(pairs)
    observed = sum(first == second for first, second in pairs) / number
    left, right = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    expected = sum(left[category] * right[category] for category in left) / number**2
    return Agreement(_beyond(observed, expected), observed, number)


def fleiss(ratings: Sequence[Sequence[str]]) -> Agreement:
    """Of many raters: the categories given to each subject, the same number of them for each (two or more)."""
    if not ratings:
        raise InputError("no_ratings", "There is nothing to compare.")
    raters = len(ratings[0])
    if raters < 2 or any(len(row) != raters for row in ratings):
        raise InputError("ratings_uneven", "Each subject needs the same number of ratings, two or more.")
    number = len(ratings)
    counts = [Counter(row) for row in ratings]
    observed = sum(_agreeing(row, raters) for row in counts) / number
    whole = sum(counts, Counter[str]())
    expected = sum((count / (number * raters)) ** 2 for count in whole.values())
    return Agreement(_beyond(observed, expected), observed, number)


def _agreeing(row: Counter[str], raters: int) -> float:
    """The share of pairs of raters that agree on one subject."""
    return sum(count * (count - 1) for count in row.values()) / (raters * (raters - 1))


def _beyond(observed: float, expected: float) -> float | None:
    return None if expected >= 1.0 else (observed - expected) / (1.0 - expected)

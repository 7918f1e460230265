"""Discrete Laplace noise, exactly: integers only, no floating point, the random bits handed in.

The sampler of Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (2020), algorithm 2: a
Laplace from coin flips whose odds are exact fractions. ``secrets.randbelow`` is the source of a node; tests hand in a fixed one.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

Source = Callable[[int], int]
"""``source(n)``: an integer from 0 to n - 1, all equally likely."""


def discrete_laplace(epsilon: float, source: Source) -> int:
    """An integer z with probability proportional to exp(-epsilon · |z|); ``epsilon`` above 0."""
    rate = Fraction(epsilon).limit_denominator(10_000)
    numerator, denominator = rate.numerator, rate.denominator
    while True:
        magnitude = _geometric(numerator, denominator, source)
        negative = source(2) == 1
        if negative and magnitude == 0:
            continue  # or zero would come twice as often as it should
        return -magnitude if negative else magnitude


def _geometric(numerator: int, denominator: int, source: Source) -> int:
    """Non-negative x with probability proportional to exp(-x · numerator / denominator)."""
    while True:
        part = source(denominator)
        if _happens(part, denominator, source):
            break
    whole = 0
    while _happens(1, 1, source):
        whole += 1
    return (part + denominator * whole) // numerator


def _happens(numerator: int, denominator: int, source: Source) -> bool:
    """True with probability exp(-numerator / denominator), for fractions of at most 1 (von Neumann's series)."""
    step = 1
    while source(denominator * step) < numerator:
        step += 1
    return step % 2 == 1

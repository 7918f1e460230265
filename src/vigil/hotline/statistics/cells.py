"""Small cells (rule G5): a number from 1 to 4 may point at somebody, so it leaves the house as "<5"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

THRESHOLD: Final = 5
SIGNIFICANT: Final = 3

Cell = int | str


def shown(number: int, *, public: bool) -> Cell:
    """The number as readers may see it: exact inside the house, small ones hidden and large ones rounded outside."""
    if not public or number == 0:
        return number
    return f"<{THRESHOLD}" if number < THRESHOLD else rounded(number)


def shown_all(numbers: Sequence[int], *, public: bool) -> list[Cell]:
    """One column of figures. A single hidden cell could be had back from a total: then the next smallest hides too (G6)."""
    cells = [shown(number, public=public) for number in numbers]
    hidden = [place for place, number in enumerate(numbers) if public and 0 < number < THRESHOLD]
    if len(hidden) == 1:
        others = [place for place, number in enumerate(numbers) if number >= THRESHOLD]
        if others:
            cells[min(others, key=lambda place: numbers[place])] = "hidden"
    return cells


def rounded(number: int) -> int:
    """To three significant figures: more would claim a precision that nobody has."""
    digits = len(str(abs(number))) - SIGNIFICANT
    return number if digits <= 0 else round(number, -digits)

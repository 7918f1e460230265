"""Which smallest set of partners explains every place of a presence code that was read. Pure.

Those who put their copies together can only write, at each place, what one of them has there. So a set explains a leak when
at each place one of its members has what was seen; where the file is a part of a copy only, when at each place that is there
one of them has it. The set is looked for from one member up to the largest coalition the code is made for.

A member is accused with a bound on the chance that an innocent partner completes some set: its word has nothing to do with
the leak nor with the words of the others, so the chance is the product over the places that the rest of the set leaves
open, times all the sets and partners there could have been. Whoever colluded with whom, and how, does not matter to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil.base.limits import Limit

LARGEST: Final = 4  # the code's biases are made for coalitions of up to four
SUSPECTS: Final = Limit(48, "partners", "the highest scores; sets of four among all partners could not be gone through")
SETS: Final = Limit(2_000, "sets", "where so many explain a leak it tells nothing, and an attacker would choose such a leak")
_TESTS: Final = 2 * LARGEST  # two readings of the leak, each for every size

Bits = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Places:
    """A presence code as it was read: ``seen`` (m,), the ``biases`` (m,), and the ``words`` of all partners (n, m)."""

    seen: Bits
    biases: Floats
    words: Bits

    def present(self) -> Places:
        """Only the places that are there: what is missing in a part of a copy says nothing."""
        return Places(self.seen[self.seen], self.biases[self.seen], self.words[:, self.seen])


def smallest_sets(places: Places, scores: Floats, enough: float) -> dict[int, float]:
    """The members of the smallest sets that explain the leak, each with the bound on its chance, where that is ``enough``.

    Rows of ``places.words`` count the partners. Empty: nothing can be said. ``scores`` (n,) choose who is looked at.
    """
    suspects = np.argsort(-scores, kind="stable")[: SUSPECTS.value]
    for reading in (places, places.present()):
        if found := _members(reading, suspects, enough):
            return found
    return {}


def _members(places: Places, suspects: npt.NDArray[np.intp], enough: float) -> dict[int, float]:
    logs = np.log(np.where(places.seen, places.biases, 1 - places.biases))
    fits = places.words[suspects] == places.seen
    count = len(places.words)
    if not len(logs) or logs.sum() + math.log(_TESTS * count) > math.log(enough):
        return {}
    for size in range(1, min(LARGEST, len(suspects)) + 1):
        sets = _explaining(fits, size)
        if sets is None:
            return {}
        if sets:
            tries = math.log(_TESTS * count * math.comb(count - 1, size - 1))
            return {int(suspects[each]): chance for each, chance in _chances(sets, fits, logs, tries).items() if chance <= enough}
    return {}


def _chances(sets: set[frozenset[int]], fits: Bits, logs: Floats, tries: float) -> dict[int, float]:
    """For each member of any of the sets the smallest bound."""
    found: dict[int, float] = {}
    for members in sets:
        for each in members:
            left = ~fits[list(members - {each})].any(axis=0)
            chance = min(1.0, math.exp(min(0.0, tries + float(logs[left].sum()))))
            found[each] = min(found.get(each, 1.0), chance)
    return found


def _explaining(fits: Bits, size: int) -> set[frozenset[int]] | None:
    """Every set of ``size`` rows that leaves no place open; None where there are more than :data:`SETS`."""
    found: set[frozenset[int]] = set()
    for members in _search(fits, np.ones(fits.shape[1], bool), frozenset(), size):
        found.add(members)
        if len(found) > SETS.value:
            return None
    return found


def _search(fits: Bits, open_places: Bits, members: frozenset[int], left: int) -> Iterator[frozenset[int]]:
    """Branch over those who explain the open place that the fewest explain; give up where the best ``left`` cannot do it."""
    remaining = fits[:, open_places]
    count = remaining.shape[1]
    if not count:
        if not left:
            yield members
        return
    covers = remaining.sum(axis=1)
    if not left or int(np.sort(covers)[-left:].sum()) < count:
        return
    hardest = int(np.argmin(remaining.sum(axis=0)))
    for each in np.flatnonzero(remaining[:, hardest]).tolist():
        if each not in members:
            yield from _search(fits, open_places & ~fits[each], members | {each}, left - 1)

"""Answers that are refused: when a run ends at once, and when a smaller part of the feed is asked for instead.

An answer beyond the limit ends the run: the source says so, with the size and the limit, and is left alone until it is tried
again. Only where several runs ended at the same place is that place gone round by smaller parts, which are set aside by name.
A packed answer that explodes or is damaged is gone round at once, since it costs little to refuse. A source that sends nothing
but such answers is not asked for ever: the run ends with the refusal itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vigil.hotline.partners.sources.limits import REFUSED_IN_A_ROW
from vigil.hotline.partners.sources.record import Flaw
from vigil.hotline.partners.sources.transport import FetchError

_FLAWS: Final = {"source_too_large": Flaw.ENORMOUS, "source_bomb": Flaw.BOMB, "source_packing": Flaw.PAGE}
_NOWHERE: Final = frozenset({"source_credentials", "source_unreachable"})

FURTHEST: Final = 253_402_300_799
"""The last second of the year 9999: a source that is asked from then on has nothing to say."""


def first_readable(since: int, end: int, reads: Callable[[int], bool]) -> int | None:
    """The first second after ``since`` from which a source can be read again; None where that lies after ``end``.

    In strides that grow, and then back by halves: some forty questions where a step for each second would be millions. Records
    between two that cannot be read may lie inside a stride: the gap says from when to when, and a full fetch asks again.
    """
    bad, good, stride = since, min(since + 1, end), 1
    while not reads(good):
        if good >= end:
            return None
        stride *= 8
        bad, good = good, min(good + stride, end)
    while good - bad > 1:
        middle = (bad + good) // 2
        bad, good = (bad, middle) if reads(middle) else (middle, good)
    return good


class Refusals:
    """The refused answers of one run since the last good one: how many, and the ``last``. ``stuck``: runs ended at this place."""

    def __init__(self, *, stuck: bool) -> None:
        self.stuck = stuck
        self.in_a_row = 0
        self.last: FetchError | None = None

    def clear(self) -> None:
        """A good answer came."""
        self.in_a_row, self.last = 0, None

    def flaw_of(self, error: FetchError) -> Flaw | None:
        """As what a smaller part is set aside; None for errors of another kind. Raises ``error`` where the run ends."""
        flaw = _FLAWS.get(error.code)
        if flaw is None:
            return None
        self.in_a_row, self.last = self.in_a_row + 1, error
        if self.in_a_row > REFUSED_IN_A_ROW.value or (flaw is Flaw.ENORMOUS and not self.stuck):
            raise error
        return flaw

    def gap_of(self, error: FetchError) -> Flaw | None:
        """As :meth:`flaw_of`, and any failure of a source that answers, where several runs ended here."""
        flaw = self.flaw_of(error)
        if flaw is None and self.stuck and error.code not in _NOWHERE:
            return Flaw.GAP
        return flaw

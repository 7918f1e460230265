"""The answer to a lookup: what the banks hold that is near or equal, less what is switched off."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from vigil.edge.counts import NO_EDITION, CountClass
from vigil.edge.hma.store import Reader
from vigil.match.signal_types import SignalType

Match = dict[str, int | str]
Found = Iterable[tuple[int, int, int, int]]
ON: Final = 1
Hits = dict[tuple[int, str], CountClass]


@dataclass(frozen=True, slots=True)
class Draw:
    """Which banks take part: ``banks`` names them (None: all); ``seed`` decides ratios, or the value itself where there is none.

    So the same question has the same answer, and ``bypass`` lets all take part.
    """

    banks: frozenset[str] | None = None
    seed: str | None = None
    bypass: bool = False

    def value(self, text: str) -> float:
        """The draw in [0, 1) for a question: the first of Python's generator, seeded with the text."""
        return random.Random(self.seed if self.seed is not None else text).random()  # noqa: S311  a share of traffic, no secret


@dataclass(slots=True)
class Answer:
    """Matches by name of the bank; ``left_out`` names banks that would have matched and were not drawn.

    ``hits``: what is counted, the class of the event by edition (0: a bank) and list.
    """

    matches: dict[str, list[Match]] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    hits: Hits = field(default_factory=dict)


def answer(reader: Reader, kind: SignalType, found: Found, draw: Draw, text: Callable[[], str], now: float) -> Answer:
    """The matches in ``found`` that count now; nearest first."""
    made = Answer()
    drawn: float | None = None
    for number, distance, bank, until in found:
        if until != ON and (until == 0 or until > now):
            continue
        name, ratio = reader.banks.banks[bank]
        if draw.banks is not None and name not in draw.banks:
            continue
        share = min(ratio, reader.banks.types.get(kind.name, 1.0))
        if share < 1.0 and not draw.bypass:
            drawn = draw.value(text()) if drawn is None else drawn
            if share == 0 or share < drawn:
                made.left_out.add(name)
                continue
        if bank in reader.banks.lists:
            made.hits[NO_EDITION, reader.banks.lists[bank]] = CountClass.MEDIA_MATCH
        made.matches.setdefault(name, []).append({"bank_content_id": number, "distance": kind.distance_text(distance)})
    return made

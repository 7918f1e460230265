"""Entries that match far too often, counted so that nobody can be found in the numbers.

In memory only, for the hour that runs; a summary of at most :data:`COUNTERS` entries (Misra and Gries: what is frequent is in
it, and no count is too high). At the end of the hour only entries at or above the floor are told, in steps of the floor, the
fullest :data:`TOLD` of them. The floor is the larger of 100 and the node's ``k``. Why: docs/decisions/0314.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from vigil.edge.counts import hour_of, hour_text

COUNTERS: Final = 1024
TOLD: Final = 50
LEAST_FLOOR: Final = 100


@dataclass(frozen=True, slots=True)
class Message:
    """What leaves the node about one hour of one edition; :attr:`body` as sent."""

    hour: datetime
    edition: int
    body: bytes


class Floods:
    """The matches of the running hour. Threads may add; one thread takes what is over."""

    def __init__(self, node: str, k: int) -> None:
        self.floor = max(LEAST_FLOOR, k)
        self._node = node
        self._lock = threading.Lock()
        self._open: dict[tuple[datetime, int], dict[int, int]] = {}

    def add(self, edition: int, entry: int, now: datetime) -> None:
        """Count one match of an entry."""
        key = (hour_of(now), edition)
        with self._lock:
            counts = self._open.setdefault(key, {})
            if entry in counts or len(counts) < COUNTERS:
                counts[entry] = counts.get(entry, 0) + 1
                return
            self._open[key] = {each: number - 1 for each, number in counts.items() if number > 1}

    def take(self, now: datetime) -> list[Message]:
        """The messages of hours that are over; everything else about them is forgotten."""
        current = hour_of(now)
        with self._lock:
            over = sorted(key for key in self._open if key[0] < current)
            closed = [(key, self._open.pop(key)) for key in over]
        return [message for key, counts in closed if (message := self._message(*key, counts)) is not None]

    def _message(self, hour: datetime, edition: int, counts: dict[int, int]) -> Message | None:
        full = [(entry, number // self.floor * self.floor) for entry, number in counts.items() if number >= self.floor]
        told = sorted(full, key=lambda each: (-each[1], each[0]))[:TOLD]
        if not told:
            return None
        document = {
            "v": 1, "node": self._node, "edition": edition, "hour": hour_text(hour), "floor": self.floor,
            "entries": [{"entry": entry, "number": number} for entry, number in told],
        }  # fmt: skip
        return Message(hour, edition, msgspec.json.encode(document))

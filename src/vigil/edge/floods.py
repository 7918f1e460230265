"""Entries that match far too often, counted so that nobody can be found in the numbers.

In memory only, for the hour that runs; a summary of at most :data:`COUNTERS` entries (Misra and Gries: what is frequent is in
it, and no count is too high). At the end of the hour only entries at or above the floor are told, in steps of the floor, the
fullest :data:`TOLD` of them. The floor is the larger of 100 and the node's ``k``. Why: docs/decisions/0314.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from vigil.edge.counts import SECONDS, hour_of, hour_text

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
        self._edition = self._start = 0
        self._counts: dict[int, int] = {}

    def add(self, edition: int, entry: int, now: datetime, number: int = 1) -> None:
        """Count ``number`` matches of an entry."""
        with self._lock:
            self._add(self._open.setdefault((hour_of(now), edition), {}), entry, number)

    def add_at(self, edition: int, entry: int, second: int) -> None:
        """One match in the second ``second`` (unix); the hour is not worked out again for each."""
        with self._lock:
            if edition != self._edition or not self._start <= second < self._start + SECONDS:
                self._turn(edition, second)
            self._add(self._counts, entry, 1)

    def _turn(self, edition: int, second: int) -> None:
        hour = hour_of(datetime.fromtimestamp(second, UTC))
        self._edition, self._start = edition, int(hour.timestamp())
        self._counts = self._open.setdefault((hour, edition), {})

    @staticmethod
    def _add(counts: dict[int, int], entry: int, number: int) -> None:
        """Misra and Gries: where there is no room, all lose what the new one has, and it has what is left of it."""
        if entry in counts or len(counts) < COUNTERS:
            counts[entry] = counts.get(entry, 0) + number
            return
        least = min(number, min(counts.values()))
        kept = {each: count - least for each, count in counts.items() if count > least}
        counts.clear()
        counts.update(kept)
        if number > least:
            counts[entry] = number - least

    def drain(self) -> dict[int, dict[int, int]]:
        """All that was counted, by edition and entry, which is forgotten here: a worker hands it to the keeper."""
        with self._lock:
            found: dict[int, dict[int, int]] = {}
            for (_, edition), counts in self._open.items():
                mine = found.setdefault(edition, {})
                for entry, number in counts.items():
                    mine[entry] = mine.get(entry, 0) + number
            self._forget()
        return found

    def _forget(self) -> None:
        self._open.clear()
        self._edition = 0

    def take(self, now: datetime) -> list[Message]:
        """The messages of hours that are over; everything else about them is forgotten."""
        current = hour_of(now)
        with self._lock:
            over = sorted(key for key in self._open if key[0] < current)
            closed = [(key, self._open.pop(key)) for key in over]
            if over:
                self._edition = 0
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

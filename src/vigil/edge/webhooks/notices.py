"""What is told, and to whom. Every process of a node may tell; one sends.

Nothing confidential goes out: a notice names an upload by the identifier that its sender got, entries and editions by their
numbers. No address, hash, word or file. An upload that was taken and never judged, because the process ended, is told as
``unknown`` with the reason ``interrupted``: nobody waits for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from vigil.base.clock import Clock, text_of
from vigil.base.files import write_atomically
from vigil.edge.decide import MEDIA
from vigil.edge.enforced import Enforced
from vigil.edge.rounds import Rounds
from vigil.edge.webhooks.queue import MOST, Queue, made_at, new_name
from vigil.edge.webhooks.sending import Sender
from vigil.edge.webhooks.settings import Endpoint, Event

OVERDUE: Final = timedelta(seconds=60)  # beyond the time that a file may take
ENTRIES_A_NOTICE: Final = 1000
NOTICES_AT_ONCE: Final = 20
INTERRUPTED: Final = "interrupted"


class Webhooks:
    """The receivers of one node. ``media_seconds``: how long a file may take."""

    def __init__(self, state: Path, endpoints: tuple[Endpoint, ...], media_seconds: float, clock: Clock, log: Any) -> None:
        self._clock, self._log, self._overdue = clock, log, timedelta(seconds=media_seconds) + OVERDUE
        folder = state / "webhooks"
        self._pending, self._told_file = folder / "pending", folder / "edition"
        self._queues = [(endpoint, Queue(folder, endpoint.url)) for endpoint in endpoints]
        self._senders = [Sender(endpoint, queue, clock, log) for endpoint, queue in self._queues]
        self._last: Enforced | None = None
        self.lost = 0
        if endpoints:
            self._pending.mkdir(parents=True, exist_ok=True, mode=0o700)

    def threads(self) -> list[Rounds]:
        """One for each receiver, so that none waits for another."""
        return [Rounds(f"webhook-{number}", sender.round, self._log) for number, sender in enumerate(self._senders)]

    @property
    def waiting(self) -> int:
        """Notices that no receiver has taken yet."""
        return sum(len(queue) for _, queue in self._queues)

    @property
    def given_up(self) -> int:
        """Notices that were refused, or that nobody took in three days."""
        return sum(sender.given_up for sender in self._senders)

    def wants(self, event: Event) -> bool:
        """True where somebody is told of it."""
        return any(event in endpoint.events for endpoint, _ in self._queues)

    def tell(self, event: Event, data: Mapping[str, object]) -> None:
        """A notice to everyone who wants it."""
        now = self._clock.now()
        body = msgspec.json.encode({"type": event.value, "timestamp": text_of(now), "data": data})
        for endpoint, queue in self._queues:
            if event in endpoint.events and not queue.post(body, now):
                self.lost += 1
                self._log.error("webhook_lost", code="webhook_queue_full", waiting=MOST)

    # uploads that are answered later

    def take(self) -> str | None:
        """The identifier of an upload that is told of later; None where there is no room for what would be told."""
        if any(len(queue) >= MOST for endpoint, queue in self._queues if Event.MEDIA_VERDICT in endpoint.events):
            return None
        name = new_name(self._clock.now())
        write_atomically(self._pending / name, b"", mode=0o600)
        return name

    def judged(self, name: str, verdict: Mapping[str, object]) -> None:
        """Tell of an upload."""
        self.tell(Event.MEDIA_VERDICT, {"id": name, **verdict})
        (self._pending / name).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Tell of uploads whose process ended before they were judged."""
        if not self._queues:
            return
        now, edition = self._clock.now(), self._last.number if self._last else None
        for path in sorted(self._pending.iterdir()):
            if now - made_at(path.name) > self._overdue:
                unknown = {"verdict": "unknown", "list": None, "entry": None, "edition": edition, "signal": MEDIA}
                self.judged(path.name, {**unknown, "distance": None, "labels": [], "reason": INTERRUPTED})

    # editions

    def in_force(self, edition: Enforced) -> None:
        """Tell that an edition came into force, and which entries it withdrew; not again after a restart."""
        before, self._last = self._last, edition
        if not self._queues or self._told() == edition.number:
            return
        self.tell(Event.EDITION_IN_FORCE, {"edition": edition.number, "previous": before.number if before else None})
        if before is not None and self.wants(Event.ENTRIES_WITHDRAWN):
            self._tell_withdrawn(before, edition)
        write_atomically(self._told_file, str(edition.number).encode(), mode=0o600)

    def _tell_withdrawn(self, before: Enforced, after: Enforced) -> None:
        gone = np.setdiff1d(before.entry_numbers(), after.entry_numbers(), assume_unique=True).tolist()
        for start in range(0, min(len(gone), ENTRIES_A_NOTICE * NOTICES_AT_ONCE), ENTRIES_A_NOTICE):
            part = gone[start : start + ENTRIES_A_NOTICE]
            self.tell(Event.ENTRIES_WITHDRAWN, {"edition": after.number, "entries": part, "total": len(gone)})

    def _told(self) -> int | None:
        try:
            return int(self._told_file.read_bytes())
        except (OSError, ValueError):
            return None

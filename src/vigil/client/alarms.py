"""When to raise an alarm: at once for a new cause, then no more than once a minute with the number since. Pure."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

from vigil.client.policy import Alarm

APART: Final = 60.0


class AlarmBell:
    """Counts what went without an answer. Thread-safe; ``now`` is a monotonic time in seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._waiting: Counter[str] = Counter()

    def ring(self, cause: str, questions: int, now: float, status: int | None = None, code: str | None = None) -> Alarm | None:
        """The alarm to raise now, or None where one was raised a moment ago."""
        with self._lock:
            self._waiting[cause] += questions
            last = self._last.get(cause)
            if last is not None and now - last < APART:
                return None
            self._last[cause] = now
            return Alarm(cause, self._waiting.pop(cause), status, code)

    def renew_lock(self) -> None:
        """In the child of a fork, whose parent may have held the lock."""
        self._lock = threading.Lock()

    def answered(self) -> None:
        """An answer came: the next failure is news again."""
        with self._lock:
            self._last.clear()

"""Retries and reloads within a moment count once. In memory only: which entry was counted when, and nothing of who asked."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

MOST: Final = 65_536


class Window:
    """What was counted within the last ``seconds``; 0 forgets at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[Hashable, float] = {}
        self._swept = 0.0

    def is_new(self, event: Hashable, moment: float) -> bool:
        """True where ``event`` was not counted within the window before ``moment`` (seconds). Beyond 65,536 all are new."""
        if self._seconds <= 0:
            return True
        if moment - self._swept >= self._seconds or moment < self._swept:
            self._sweep(moment)
        last = self._seen.get(event)
        if last is not None and 0 <= moment - last < self._seconds:
            return False
        if len(self._seen) < MOST:
            self._seen[event] = moment
        return True

    def _sweep(self, moment: float) -> None:
        self._swept = moment
        self._seen = {event: at for event, at in self._seen.items() if 0 <= moment - at < self._seconds}

"""The hours whose numbers have left the node: none is told twice, whatever the clock does.

A clock that goes back lives through hours again that the hotline has already. What is counted in them then is moved to the first
later hour that was not told. ``counts/told.json`` holds their names, in the order in which they were closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from vigil.base.files import write_atomically
from vigil.edge.counts import HOUR, hour_text

KEPT: Final = 400  # hours, a little more than two weeks: by number, since the clock is what is not trusted here
FORM: Final = "%Y-%m-%dT%H:00Z"


class ToldHours:
    """Called by the thread of the bookkeeper only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hours: dict[datetime, None] = dict.fromkeys(self._load())

    def __contains__(self, hour: datetime) -> bool:
        return hour in self._hours

    def add(self, hours: Iterable[datetime]) -> None:
        """Note them, on disk too; the oldest are forgotten."""
        fresh = dict.fromkeys(hour for hour in hours if hour not in self._hours)
        if fresh:
            self._hours = dict.fromkeys([*self._hours, *fresh][-KEPT:])
            write_atomically(self._path, msgspec.json.encode([hour_text(hour) for hour in self._hours]), mode=0o600)

    def first_open(self, hour: datetime) -> datetime:
        """``hour``, or the first one after it that was not told."""
        while hour in self._hours:
            hour += HOUR
        return hour

    def _load(self) -> list[datetime]:
        try:
            return [
                datetime.strptime(each, FORM).replace(tzinfo=UTC)
                for each in msgspec.json.decode(self._path.read_bytes(), type=list[str])
            ]
        except FileNotFoundError:
            return []
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
            self._path.replace(self._path.with_suffix(".unreadable"))
            return []

"""The one place that asks what time it is. Everything else is handed an instant.

Instants are aware ``datetime`` values in UTC, written as RFC 3339 with ``Z``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from vigil.base.errors import InputError


class Clock(Protocol):
    """Something that knows the time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """A clock for tests and rehearsals: it moves only when told to."""

    def __init__(self, instant: datetime) -> None:
        self._instant = require_utc(instant)

    def now(self) -> datetime:
        return self._instant

    def advance(self, **duration: float) -> None:
        """Move on by ``timedelta(**duration)``."""
        self._instant += timedelta(**duration)


def require_utc(instant: datetime) -> datetime:
    """The instant in UTC; a naive one is refused, because guessing a zone loses entries."""
    if instant.tzinfo is None:
        raise InputError("time_without_zone", "A time without a zone was given.", mend="Give times in UTC, ending in Z.")
    return instant.astimezone(UTC)


def text_of(instant: datetime) -> str:
    """RFC 3339 in UTC with ``Z``, to the second."""
    return require_utc(instant).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def instant_of(text: str) -> datetime:
    """The instant written in RFC 3339; anything else is refused."""
    try:
        return require_utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise InputError("time_malformed", "A time could not be read.", mend="Write it as 2026-11-22T10:00:00Z.") from error

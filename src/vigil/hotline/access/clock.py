"""The hotline's time. Actions ask here; tests and rehearsals put another clock in its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from vigil.base.clock import Clock, SystemClock

_clocks: list[Clock] = [SystemClock()]


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return _clocks[-1].now()


@contextmanager
def ticking(clock: Clock) -> Iterator[None]:
    """Use ``clock`` for a while."""
    _clocks.append(clock)
    try:
        yield
    finally:
        _clocks.remove(clock)

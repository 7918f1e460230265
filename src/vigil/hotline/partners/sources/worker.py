"""Fetching sources beside the captures, one at a time, each when its time has come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from django.db import DatabaseError, close_old_connections

from vigil.hotline.partners.sources.fetching import claim_next, fetch

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 5.0


def serve(stop: threading.Event, afterwards: Callable[[], int] = int, poll: float = POLL_SECONDS) -> None:
    """Fetch what is due, then wait, until ``stop`` is set. ``afterwards``: what is done with what came (policies)."""
    while not stop.is_set():
        if step(stop, afterwards):
            continue
        stop.wait(poll)


def step(stop: threading.Event, afterwards: Callable[[], int] = int) -> bool:
    """Fetch one source whose time has come; False where there is none or the database did not answer."""
    try:
        close_old_connections()
        source = claim_next()
        if source is None:
            return False
        fetch(source, stopping=stop.is_set)
        afterwards()
        return True
    except DatabaseError:
        log.warning("the database did not answer; sources are tried again")
        return False

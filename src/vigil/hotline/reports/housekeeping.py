"""What is cleared away by itself: drafts past their time. Runs beside the captures in the worker."""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import DatabaseError, close_old_connections

from vigil.hotline.access.people import WORKER
from vigil.hotline.reports.intake import PURGED_AT_ONCE, do_purge_drafts

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 600.0


def serve(stop: threading.Event, every: float = EVERY_SECONDS) -> None:
    """Clear away, then wait, until ``stop`` is set."""
    while not stop.is_set():
        tidy()
        stop.wait(every)


def tidy() -> int:
    """Delete all drafts past their time: how many. A database that does not answer is tried again next time."""
    number = 0
    try:
        close_old_connections()
        while deleted := do_purge_drafts(WORKER):
            number += deleted
            if deleted < PURGED_AT_ONCE:
                break
    except DatabaseError:
        log.warning("drafts could not be cleared away; trying again later")
    return number

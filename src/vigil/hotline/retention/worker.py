"""The retention loop of the worker: once an hour, until it is told to stop."""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import DatabaseError, close_old_connections

from vigil.hotline.access.people import WORKER
from vigil.hotline.retention.actions import do_run_retention

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 3600.0


def serve(stop: threading.Event, every: float = EVERY_SECONDS) -> None:
    """Dispose, then wait. A database that does not answer is tried again next time."""
    while not stop.is_set():
        try:
            close_old_connections()
            do_run_retention(WORKER)
        except DatabaseError:
            log.warning("retention could not run; trying again later")
        stop.wait(every)

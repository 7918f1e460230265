"""The triage loop of the worker: sorts what has come in, until it is told to stop."""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import close_old_connections
from django.db.utils import OperationalError

from vigil.hotline.access.people import WORKER
from vigil.hotline.triage.actions import do_triage
from vigil.hotline.triage.queries import waiting_for_triage

log = logging.getLogger(__name__)

AT_ONCE: Final = 50
POLL_SECONDS: Final = 1.0


def serve(stop: threading.Event, poll: float = POLL_SECONDS) -> None:
    """Sort, then wait, until ``stop`` is set."""
    while not stop.is_set():
        if not step(stop):
            stop.wait(poll)


def step(stop: threading.Event) -> int:
    """Sort what waits now: how many. A database that does not answer is tried again."""
    number = 0
    try:
        close_old_connections()
        for report in waiting_for_triage(AT_ONCE):
            if stop.is_set():
                break
            do_triage(WORKER, report)
            number += 1
    except OperationalError:
        log.warning("the database did not answer; triage goes on later")
        return 0
    return number

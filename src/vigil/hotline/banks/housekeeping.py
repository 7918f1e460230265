"""What is erased by itself: contents of banks that are past the retention of their policy."""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import DatabaseError, close_old_connections

from vigil.hotline.access.people import WORKER
from vigil.hotline.banks.actions import EXPIRED_AT_ONCE, do_expire_contents

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 3600.0


def serve(stop: threading.Event, every: float = EVERY_SECONDS) -> None:
    """Erase, then wait, until ``stop`` is set."""
    while not stop.is_set():
        tidy()
        stop.wait(every)


def tidy() -> int:
    """Erase all that is past its time: how much. A database that does not answer is tried again next time."""
    number = 0
    try:
        close_old_connections()
        while erased := do_expire_contents(WORKER):
            number += erased
            if erased < EXPIRED_AT_ONCE:
                break
    except DatabaseError:
        log.warning("contents of banks could not be erased; trying again later")
    return number

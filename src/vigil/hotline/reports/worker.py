"""The capture worker: takes requested captures from the database, one at a time, until it is told to stop.

It has no signing keys and no door, and connects to nobody: the process that fetches is another one, which knows neither the
database nor a key.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import close_old_connections
from django.db.utils import OperationalError

from vigil.hotline.reports.captures import claim_next, fetcher_in_service, run
from vigil.hotline.reports.fetcher import Fetcher
from vigil.hotline.reports.page import Hasher
from vigil.media import hash_image

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.4
DATABASE_PAUSE_SECONDS: Final = 2.0


def serve(
    stop: threading.Event,
    *,
    fetcher: Fetcher | None = None,
    hasher: Hasher = hash_image,
    poll: float = POLL_SECONDS,
) -> None:
    """Work until ``stop`` is set. Without a configured way out there is nothing to do but wait.

    A capture that is running when ``stop`` comes is left to the next worker.
    """
    own = fetcher_in_service() if fetcher is None else None
    going = fetcher or own
    try:
        while not stop.is_set():
            if going is None:
                stop.wait()
            elif not step(stop, going, hasher):
                stop.wait(poll)
    finally:
        if own is not None:
            own.close()


def step(stop: threading.Event, fetcher: Fetcher, hasher: Hasher) -> bool:
    """Take and run one capture; False where none waited or the database was not there."""
    try:
        close_old_connections()
        capture = claim_next()
        if capture is None:
            return False
        run(capture, fetcher, hasher, stop.is_set)
        return True
    except OperationalError:
        log.warning("the database did not answer; trying again")
        stop.wait(DATABASE_PAUSE_SECONDS)
        return False

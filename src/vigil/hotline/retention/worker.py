"""The retention loop of the worker: once an hour, until it is told to stop."""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import DatabaseError, close_old_connections

from vigil.base.errors import VigilError
from vigil.hotline.access.people import WORKER
from vigil.hotline.retention.actions import do_run_retention, policy_in_force

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 3600.0


def serve(stop: threading.Event, every: float = EVERY_SECONDS) -> None:
    """Dispose, then wait. A database that does not answer, or a policy that cannot be used, is tried again next
    time; data that the policy has no rule for is kept, and said each time."""
    while not stop.is_set():
        try:
            close_old_connections()
            if missing := policy_in_force().missing:
                log.warning("the retention policy has no rule for data that is kept", extra={"fields": {"classes": missing}})
            do_run_retention(WORKER)
        except DatabaseError:
            log.warning("retention could not run; trying again later")
        except VigilError as error:
            log.error("retention cannot run", extra={"fields": {"code": error.code}})
        stop.wait(every)

"""What is looked at once a minute beside the worker: overdue holds, expired requests, evidence past its date."""

from __future__ import annotations

import logging
import threading
from typing import Final

from django.db import close_old_connections
from django.db.utils import OperationalError

from vigil.base.errors import VigilError
from vigil.hotline.access.people import WORKER
from vigil.hotline.approvals.actions import do_expire
from vigil.hotline.holds.actions import do_alert
from vigil.hotline.retention.actions import cases_held
from vigil.hotline.vault.actions import do_dispose_due
from vigil.hotline.vault.queries import vault_on

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 60.0


def once() -> None:
    """Alert owners of overdue holds, close what expired, dispose of evidence that is due."""
    do_alert(WORKER)
    do_expire(WORKER)
    if vault_on():
        do_dispose_due(WORKER, cases_held)


def serve(stop: threading.Event, pause: float = PAUSE_SECONDS) -> None:
    """Until ``stop``; a database that does not answer, or a vault whose keys are away, is tried again later."""
    while not stop.is_set():
        try:
            close_old_connections()
            once()
        except OperationalError:
            log.warning("upkeep waits for the database")
        except VigilError as error:
            log.warning("upkeep waits", extra={"fields": {"code": error.code}})
        stop.wait(pause)

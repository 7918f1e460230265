"""Serving the event stream beside the partner door: who may listen is asked of the same rows as for every request."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.conf import settings
from django.db import close_old_connections

from vigil.base.errors import RefusedError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.doors.partner.events import EventStream
from vigil.hotline.partners.agreements import require_some_agreement
from vigil.hotline.partners.queries import node_of_header

log = logging.getLogger(__name__)

ASKING: Final = 2  # threads that look tokens up


def start_stream(host: str, port: int) -> threading.Thread:
    """Serve the event stream in a thread of its own; an error that ends it is logged, and polling goes on without it."""
    thread = threading.Thread(target=_run, args=(host, port), name="vigil-events", daemon=True)
    thread.start()
    return thread


def _run(host: str, port: int) -> None:
    try:
        asyncio.run(_serve(host, port))
    except OSError:
        log.exception("event stream ended")


async def _serve(host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(ASKING, "vigil-events-token") as pool:

        async def admits(header: str) -> bool:
            return await loop.run_in_executor(pool, may_listen, header)

        stream = EventStream(settings.EDITIONS / "metadata" / "timestamp.json", admits)
        await stream.serve(host, port, lambda port: log.info("events open", extra={"fields": {"port": port}}))


def may_listen(header: str) -> bool:
    """Whether the token in an ``Authorization`` header belongs to a node that may fetch editions."""
    close_old_connections()
    try:
        node = node_of_header(header)
        if node is None or not node.may(Permission.EDITION_FETCH):
            return False
        if node.partner:
            require_some_agreement(node.partner)
        return True
    except RefusedError:  # the agreement with this partner has ended
        return False
    finally:
        close_old_connections()

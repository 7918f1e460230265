"""A door as a process, or as several: the WSGI application under waitress."""

from __future__ import annotations

import gc
import logging
import os
from typing import Any, Final

from django.conf import settings
from django.utils.module_loading import import_string

from vigil.base.limits import JSON_BODY_BYTES
from vigil.hotline.doors.console.limits import BODY_BYTES
from vigil.hotline.management import boot, crew

log = logging.getLogger(__name__)

CONNECTIONS: Final = 200
COLLECTED_AFTER: Final = (20_000, 20, 50)
"""Objects made, and collections of each age, before the collector of cycles looks at them (gc.set_threshold)."""
# A 10 MB paste still gets a page in the reader's language that says what to do, instead of a bare line by the server;
# nothing beyond FORM_BYTES is ever parsed.
PASTE_BYTES: Final = 16 * 1024 * 1024
IDLE_SECONDS: Final = 30
FORM_BYTES: Final = 128 * 1024  # what a form writes around the file it carries


def serve(door: str) -> None:
    """Serve ``public``, ``console`` or ``partner`` until the process is told to stop."""
    import waitress

    boot.start(door)
    application = import_string(settings.WSGI_APPLICATION)
    arguments = arguments_of(door)
    processes = settings.CONFIG.processes_at(getattr(settings.CONFIG.doors, door), len(os.sched_getaffinity(0)))
    settle_memory()
    log.info("door open", extra={"fields": {"door": door, "port": arguments["port"], "processes": processes}})
    if processes == 1:
        _beside(door)
        waitress.serve(application, **arguments)
        return
    shared = crew.listening(arguments.pop("host"), arguments.pop("port"))

    def work(place: int) -> None:
        if place == 0:
            _beside(door)
        waitress.serve(application, sockets=[shared], **arguments)

    crew.keep(processes, work)


def settle_memory() -> None:
    """Tell the collector of cycles that what a door has loaded stays, and to look at what is new less often: a batch of reports
    makes many thousand rows, none of which hold a cycle. Some megabytes more may wait to be collected."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


def _beside(door: str) -> None:
    """What runs once beside a door, however many processes answer at it."""
    if door == "partner" and settings.CONFIG.events is not None:
        from vigil.hotline.doors.partner.streaming import start_stream  # rooms can be imported once Django has started

        start_stream(settings.CONFIG.events.host, settings.CONFIG.events.port)


def arguments_of(door: str) -> dict[str, Any]:
    """What waitress is told. The scheme of a request is believed from the configured proxy alone."""
    where = getattr(settings.CONFIG.doors, door)
    banks = settings.CONFIG.banks if door == "partner" else None
    body = {"public": PASTE_BYTES, "console": BODY_BYTES.value}.get(door, JSON_BODY_BYTES.value)
    body = body if banks is None else max(body, banks.media_bytes + FORM_BYTES)
    # What staff or machines hand in stays in memory: no picture may touch the disk. Strangers may not fill the memory instead.
    held = {"inbuf_overflow": body + 1} if door == "console" or banks is not None else {}
    trust: dict[str, Any] = {"clear_untrusted_proxy_headers": True}
    if not settings.CONFIG.demo:
        trust |= {"trusted_proxy": where.proxy, "trusted_proxy_headers": {"x-forwarded-proto"}}
    return {
        "host": where.host,
        "port": where.port,
        "threads": where.threads,
        "connection_limit": CONNECTIONS,
        "channel_timeout": IDLE_SECONDS,
        "max_request_body_size": body,
        **held,
        "ident": None,
        **trust,
    }

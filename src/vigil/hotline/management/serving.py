"""A door as a process: the WSGI application under waitress."""

from __future__ import annotations

import logging
from typing import Any, Final

from django.conf import settings
from django.utils.module_loading import import_string

from vigil.base.limits import JSON_BODY_BYTES
from vigil.hotline.doors.console.limits import BODY_BYTES
from vigil.hotline.management import boot

log = logging.getLogger(__name__)

CONNECTIONS: Final = 200
# A 10 MB paste still gets a page in the reader's language that says what to do, instead of a bare line by the server;
# nothing beyond FORM_BYTES is ever parsed.
PASTE_BYTES: Final = 16 * 1024 * 1024
IDLE_SECONDS: Final = 30


def serve(door: str) -> None:
    """Serve ``public``, ``console`` or ``partner`` until the process is told to stop."""
    import waitress

    boot.start(door)
    application = import_string(settings.WSGI_APPLICATION)
    arguments = arguments_of(door)
    log.info("door open", extra={"fields": {"door": door, "port": arguments["port"]}})
    waitress.serve(application, **arguments)


def arguments_of(door: str) -> dict[str, Any]:
    """What waitress is told. The scheme of a request is believed from the configured proxy alone."""
    where = getattr(settings.CONFIG.doors, door)
    body = {"public": PASTE_BYTES, "console": BODY_BYTES.value}.get(door, JSON_BODY_BYTES.value)
    # What staff hand in stays in memory: no picture may touch the disk. Strangers may not fill the memory instead.
    held = {"inbuf_overflow": body + 1} if door == "console" else {}
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

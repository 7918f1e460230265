"""The log of a node: one JSON object a line on standard error, event names and numbers only.

An event may carry only the fields of :data:`FIELDS`; anything else is dropped before it is written, so that a careless
line cannot leak an address, a hash or a client. Errors are named by their type and place, never by their text.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

FIELDS: Final = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "node",
        "edition",
        "previous",
        "lists",
        "urls",
        "names",
        "hashes",
        "code",
        "status",
        "seconds",
        "sent",
        "refused",
        "waiting",
        "host",
        "port",
        "digest",
        "version",
        "fault",
        "place",
        "signal",
        "languages",
        "columns",
    }
)
Journal = structlog.stdlib.BoundLogger | Any


def journal(node: str, stream: TextIO | None = None) -> Any:
    """A logger whose every line passes the list of fields."""
    return structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),  # one write a line: several processes share the stream
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_known_fields,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    ).bind(node=node)


def only_known_fields(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every field that is not on the list, and say how many went."""
    kept = {name: value for name, value in event.items() if name in FIELDS}
    dropped = len(event) - len(kept)
    return {**kept, "dropped_fields": dropped} if dropped else kept


def fault_of(error: BaseException) -> dict[str, str]:
    """An unexpected error as fields: its type, and the last line of ours it passed."""
    place, trace = "", error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == "vigil":
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return {"fault": type(error).__name__, "place": place}


def quiet_server_logs(log: Any) -> None:
    """Route the HTTP server's own warnings into the journal as bare events; its access log stays off."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [_Bridge(log)]
        logger.propagate = False
        logger.setLevel(logging.ERROR)


class _Bridge(logging.Handler):
    """Keeps the level and the type of a fault, and drops the text, which may quote a request."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fault = record.exc_info[1] if record.exc_info else None
        fields = fault_of(fault) if fault else {"place": f"{record.module}:{record.lineno}"}
        self._log.error("server_fault", **fields)

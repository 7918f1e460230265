"""Logging as JSON lines on standard error, with nothing confidential in them by construction.

A line holds the time, the level, the logger and the *template* of the message. What would be filled into the template
(paths, addresses, form values) is left out, unless the record carries ``fields``: those we choose ourselves. Of an
exception the type and the places in the code are kept, not its text, which may quote what somebody typed.
"""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

OURS: Final = "vigil"


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": str(record.msg),
        }
        line |= self._extras(record)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["places"] = places(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False)

    @staticmethod
    def _extras(record: logging.LogRecord) -> dict[str, Any]:
        extras: dict[str, Any] = {}
        if isinstance(status := getattr(record, "status_code", None), int):
            extras["status"] = status
        if record.name.split(".")[0] == OURS and isinstance(fields := getattr(record, "fields", None), dict):
            extras["fields"] = fields
        return extras


def places(trace: TracebackType | None) -> list[str]:
    """The frames of a traceback as ``file:line function``; no values."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-12:]]


def logging_settings(level: str = "INFO") -> dict[str, Any]:
    """The value of Django's LOGGING."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "vigil.hotline.settings.logs.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            # A refused request is the asker's affair, and its line would say nothing: the address is left out. A node that
            # asks for the next root of trust meets a 404 at every poll.
            "django.request": {"handlers": [], "level": "ERROR", "propagate": True},
            "django.server": {"handlers": [], "level": "ERROR", "propagate": False},
        },
    }

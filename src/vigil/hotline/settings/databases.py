"""The value of Django's DATABASES for the two databases Vigil runs on."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote, urlsplit

WAIT_SECONDS: Final = 20  # writers of a small hotline queue up; none of them waits longer than a person would
SQLITE_START: Final = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=20000;"


def database(address: str, password: str = "") -> dict[str, Any]:
    """Settings of one database from ``sqlite:///PATH`` or ``postgresql://user@host:port/name``."""
    if address.startswith("sqlite:///"):
        return _sqlite(address.removeprefix("sqlite:///"))
    return _postgresql(address, password)


def _sqlite(path: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",  # take the write lock at once: no deadlock between two readers who both write
            "timeout": WAIT_SECONDS,
            "init_command": SQLITE_START,
        },
        "CONN_MAX_AGE": None,
    }


def _postgresql(address: str, password: str) -> dict[str, Any]:
    parts = urlsplit(address)
    return {
        "ENGINE": "vigil.hotline.settings.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or "") or password,
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": {"connect_timeout": WAIT_SECONDS},
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }

"""The arithmetic of the chain: what is hashed, and how. Pure.

    hash(n) = SHA-256( JSON of ["vigil-audit-1", seq, at, actor, roles, code, subject, purpose, details, hash(n-1)] )

The JSON has no spaces and keeps non-ASCII characters as UTF-8; ``at`` is RFC 3339 in UTC with six decimals; the event
before the first one has the hash GENESIS.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Final, Protocol

FORMAT: Final = "vigil-audit-1"
_LINE: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_DETAILS: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode
GENESIS: Final = hashlib.sha256(b"vigil-audit-1 genesis").hexdigest()


class Line(Protocol):
    """The fields of an event that are hashed."""

    seq: int
    at: datetime
    actor: str
    roles: str
    code: str
    subject: str
    purpose: str
    details: str
    prev_hash: str


def hash_of(line: Line) -> str:
    """The hash of one event, over all its fields and the hash before it."""
    at = line.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    fields = [FORMAT, line.seq, at, line.actor, line.roles, line.code, line.subject, line.purpose, line.details, line.prev_hash]
    return hashlib.sha256(_LINE(fields).encode()).hexdigest()


def canonical_details(details: dict[str, str | int | bool | None]) -> str:
    """Details as JSON with sorted names and no spaces."""
    return _DETAILS(details)

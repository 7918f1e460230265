"""The people of the demo: made-up staff with a role each, and their sign-in codes.

Passwords and the secrets of the codes are drawn anew for each data folder and kept in its ``demo.json``. An
installation that is not a demo has no such file.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import Final

import msgspec

from vigil.base.files import write_atomically

PERIOD_SECONDS: Final = 30
DIGITS: Final = 6

ROLES: Final[dict[str, tuple[str, ...]]] = {
    "ana": ("analyst",),
    "lin": ("second_reviewer",),
    "paula": ("list_publisher",),
    "sam": ("supervisor",),
    "aud": ("auditor",),
    "kim": ("analyst", "child_desk"),
    "sys": ("sysadmin",),
}
DOES: Final[dict[str, str]] = {
    "ana": "analyst: takes cases, asks for captures, assesses",
    "lin": "second reviewer: decides about listing",
    "paula": "list publisher: publishes editions, withdraws entries",
    "sam": "supervisor: decides appeals",
    "aud": "auditor: reads the audit log and the statistics",
    "kim": "children's desk: works on what children report about themselves",
    "sys": "system administrator: sees no content",
}


class Login(msgspec.Struct, frozen=True):
    """How one of them signs in."""

    username: str
    roles: tuple[str, ...]
    password: str
    totp_secret: str


def draw() -> list[Login]:
    """New logins for a new data folder."""
    return [Login(name, roles, secrets.token_urlsafe(9), _new_secret()) for name, roles in ROLES.items()]


def save(path: Path, logins: list[Login]) -> None:
    write_atomically(path, msgspec.json.format(msgspec.json.encode({"people": logins})), mode=0o600)


def load(path: Path) -> list[Login]:
    return [msgspec.convert(row, Login) for row in json.loads(path.read_bytes())["people"]]


def _new_secret() -> str:
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code(secret: str, at: float) -> str:
    """The time-based one-time password for unix time ``at`` (RFC 6238, SHA-1, 30 s, six digits)."""
    counter = int(at // PERIOD_SECONDS).to_bytes(8, "big")
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"

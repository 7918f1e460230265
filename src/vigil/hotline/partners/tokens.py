"""Bearer tokens of machines (RFC 6750): 256 random bits with a prefix that secret scanners can find."""

from __future__ import annotations

import re
import secrets
from typing import Final

from vigil.hotline.access.sealing import matching_digest

PREFIX: Final = "vigil-node-"
SENDER_PREFIX: Final = "vigil-sender-"
HEADER: Final = re.compile(r"Bearer ([A-Za-z0-9._~+/=-]{1,200})", re.IGNORECASE)


def new_token(prefix: str = PREFIX) -> str:
    """A fresh token; shown once, then known to its holder only. ``prefix`` says what kind of machine it is for."""
    return prefix + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return matching_digest("node-token", token)


def token_in(header: str) -> str | None:
    """The token in an ``Authorization`` header; None where there is none."""
    found = HEADER.fullmatch(header.strip())
    return found[1] if found else None

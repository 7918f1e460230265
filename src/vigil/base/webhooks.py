"""How a notice to another program is signed: the form of Standard Webhooks, so that libraries of many languages check it. Pure.

``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``<id>.<unix seconds>.<body>``; several are parted by spaces,
one for each secret, so that a secret can be changed without a pause. The receiver's half: ``vigil.client.webhooks``.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "whsec_"
SECRET_LEAST: Final = 24
ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"


def headers(identifier: str, moment: int, body: bytes, secrets: Iterable[bytes]) -> dict[str, str]:
    """The headers of a notice sent at ``moment`` (unix seconds)."""
    signed = b"%s.%d.%s" % (identifier.encode("ascii"), moment, body)
    signatures = " ".join("v1," + signature(signed, secret) for secret in secrets)
    return {ID: identifier, TIMESTAMP: str(moment), SIGNATURE: signatures}


def signature(signed: bytes, secret: bytes) -> str:
    """The signature of ``<id>.<unix seconds>.<body>`` without its version."""
    return base64.b64encode(hmac.digest(secret, signed, "sha256")).decode("ascii")


def secret_of(text: str) -> bytes | None:
    """The bytes of ``whsec_<base64>``; None for anything else, and for what has fewer than :data:`SECRET_LEAST` bytes."""
    try:
        found = base64.b64decode(text.removeprefix(PREFIX), validate=True) if text.startswith(PREFIX) else b""
    except (binascii.Error, ValueError):
        return None
    return found if len(found) >= SECRET_LEAST else None

"""How a notice is signed: the form of Standard Webhooks, so that libraries of many languages check it. Pure.

``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``<id>.<unix seconds>.<body>``; several are parted by spaces,
one for each secret, so that a secret can be changed without a pause. The receiver's half: ``vigil.client.webhooks``.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable


def headers(identifier: str, moment: int, body: bytes, secrets: Iterable[bytes]) -> dict[str, str]:
    """The headers of a notice sent at ``moment`` (unix seconds)."""
    signed = " ".join(_signature(identifier, moment, body, secret) for secret in secrets)
    return {"webhook-id": identifier, "webhook-timestamp": str(moment), "webhook-signature": signed}


def _signature(identifier: str, moment: int, body: bytes, secret: bytes) -> str:
    digest = hmac.digest(secret, b"%s.%d.%s" % (identifier.encode("ascii"), moment, body), "sha256")
    return "v1," + base64.b64encode(digest).decode("ascii")

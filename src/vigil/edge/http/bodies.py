"""Reading a request body within its bounds: bytes, seconds, and what is still read before a refusal is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from vigil.edge.http.replies import RequestRefused

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
DRAIN_BYTES: Final = 64 * 1024 * 1024
DRAIN_SECONDS: Final = 2.0
BODY_SLOW: Final = "body_slow"
BODY_SLOW_TEXT: Final = "The body did not arrive in time."
BODY_SLOW_MEND: Final = "Send it within {:g} seconds."


class ClientGoneError(Exception):
    """The client left before its request was whole: there is nobody to answer."""


async def read_body(receive: Receive, declared: bytes | None, limit: int, seconds: float) -> bytes:
    """The whole body: at most ``limit`` bytes within ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            if declared is not None and declared.isdigit() and int(declared) > limit:
                raise await _too_large(receive, limit)
            return await _collect(receive, limit)
    except TimeoutError:
        raise RequestRefused(408, BODY_SLOW, BODY_SLOW_TEXT, mend=BODY_SLOW_MEND.format(seconds), close=True) from None


async def _collect(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await _next(receive)
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            parts.clear()
            raise await _too_large(receive, limit)
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _too_large(receive: Receive, limit: int) -> RequestRefused:
    """Read on for a moment, so that an honest client sees the answer and not a broken connection."""
    size = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while size < DRAIN_BYTES:
                message = await _next(receive)
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        size = DRAIN_BYTES
    return RequestRefused(413, "body_too_large", "The body is too large.", mend=f"Send at most {limit} bytes.", close=True)


async def _next(receive: Receive) -> MutableMapping[str, Any]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    return message

"""DNS over HTTPS (RFC 8484): which question a request asks, and what an answer looks like. Pure.

Nothing may keep an answer on the way (``no-store``): caches of strangers are no place for names that somebody asked.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from vigil.edge.dns.wire import HEADER_BYTES

MEDIA_TYPE: Final = b"application/dns-message"
MESSAGE_BYTES: Final = 65535
BASE64URL: Final = re.compile(rb"[A-Za-z0-9_-]*")
PHRASES: Final = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    413: b"Content Too Large",
    414: b"URI Too Long",
    415: b"Unsupported Media Type",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}
Headers = list[tuple[bytes, bytes]]


class HttpRefused(Exception):  # noqa: N818  an answer, not a failure of ours
    """No question in this request; answered with ``status`` alone."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


def question_in(method: bytes, target: bytes, content_type: bytes | None, body: bytes, path: bytes) -> bytes:
    """The DNS message that a request carries. Raises :class:`HttpRefused`.

    ``target`` is the path with its query, ``path`` the one that the door serves.
    """
    found, _, query = target.partition(b"?")
    if found != path:
        raise HttpRefused(404)
    if method == b"POST":
        return _checked(_posted(content_type, body))
    if method != b"GET":
        raise HttpRefused(405)
    return _checked(_in_query(query))


def _posted(content_type: bytes | None, body: bytes) -> bytes:
    if content_type is None or content_type.partition(b";")[0].strip().lower() != MEDIA_TYPE:
        raise HttpRefused(415)
    return body


def _in_query(query: bytes) -> bytes:
    """The one parameter ``dns``, in Base64url without padding."""
    values = [value for name, _, value in (pair.partition(b"=") for pair in query.split(b"&")) if name == b"dns"]
    if len(values) != 1 or not BASE64URL.fullmatch(values[0]):
        raise HttpRefused(400)
    if len(values[0]) > MESSAGE_BYTES * 4 // 3 + 3:
        raise HttpRefused(414)
    try:
        return base64.urlsafe_b64decode(values[0] + b"=" * (-len(values[0]) % 4))
    except binascii.Error:
        raise HttpRefused(400) from None


def _checked(message: bytes) -> bytes:
    if len(message) > MESSAGE_BYTES:
        raise HttpRefused(413)
    if len(message) < HEADER_BYTES or message[2] & 0x80:
        raise HttpRefused(400)
    return message


def headers_of(status: int, answer: bytes) -> Headers:
    """The header of an answer, ``answer`` being its body."""
    found = [(b"content-length", b"%d" % len(answer)), (b"cache-control", b"no-store")]
    if status == 200:
        found.append((b"content-type", MEDIA_TYPE))
    if status == 405:
        found.append((b"allow", b"GET, POST"))
    return found

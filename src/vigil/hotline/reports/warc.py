"""The record of a capture as a WARC file (ISO 28500, WARC 1.1): what was asked, what came back. Pure.

It holds the page's answer, never a picture's. The answer is written as it was understood: its status and headers as they
came, its body without the transfer coding, whose header is renamed as other crawlers do.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

from vigil.hotline.reports.fetching import Fetched

MIME: Final = "application/warc"
_CODED: Final = "transfer-encoding"
_LINE_END: Final = re.compile(r"[\r\n\x00]+")


def record_of(page: Fetched, at: datetime, key: UUID, software: str) -> bytes:
    """A ``warcinfo`` record and the ``response``. ``key`` names the response; ``at`` is when it was had (UTC)."""
    moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = f"software: {software}\r\nformat: WARC File Format 1.1\r\n".encode()
    head = [("WARC-Type", "warcinfo"), ("WARC-Date", moment), ("WARC-Record-ID", f"<urn:uuid:{UUID(int=key.int ^ 1)}>"),
            ("Content-Type", "application/warc-fields")]  # fmt: skip
    block = _answer(page)
    named = [("WARC-Type", "response"), ("WARC-Date", moment), ("WARC-Record-ID", f"<urn:uuid:{key}>"),
             ("WARC-Target-URI", page.url.text()), ("WARC-Payload-Digest", _digest(page.body)),
             ("WARC-Block-Digest", _digest(block)), ("Content-Type", "application/http; msgtype=response")]  # fmt: skip
    if page.ip:
        named.insert(4, ("WARC-IP-Address", page.ip))
    return _record(head, about) + _record(named, block)


def _answer(page: Fetched) -> bytes:
    try:
        reason = HTTPStatus(page.status).phrase
    except ValueError:
        reason = ""
    lines = [f"HTTP/1.1 {page.status} {reason}".rstrip()]
    lines += [f"{_named(name)}: {_one_line(value)}" for name, value in page.headers]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + page.body


def _named(header: str) -> str:
    return f"X-Crawler-{header}" if header.lower() == _CODED else _one_line(header)


def _one_line(text: str) -> str:
    return _LINE_END.sub(" ", text)


def _record(head: Iterable[tuple[str, str]], block: bytes) -> bytes:
    lines = ["WARC/1.1", *(f"{name}: {value}" for name, value in head), f"Content-Length: {len(block)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def _digest(data: bytes) -> str:
    return "sha256:" + base64.b32encode(hashlib.sha256(data).digest()).decode()

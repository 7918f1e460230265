"""Follows the hotline's feed of banks: asks on from where it is, page by page, and lets the readers have what came."""

from __future__ import annotations

import http.client
import random
import ssl
import time
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from vigil.base.clock import Clock
from vigil.base.errors import UnavailableError
from vigil.edge.config import Token
from vigil.edge.hma.store import Page, Writer

PAGE_BYTES: Final = 16 * 1024 * 1024
TIMEOUT_SECONDS: Final = 30.0
COMPACT_SECONDS: Final = 900.0
SLOWEST: Final = 64.0


class Follower:
    """One node's way to what its platform has banked."""

    def __init__(self, url: str, token: Token | None, writer: Writer, poll_seconds: float, clock: Clock, log: Any) -> None:
        self._url, self._token, self._writer = urlsplit(url), token, writer
        self._poll, self._clock, self._log = poll_seconds, clock, log
        self._failures = 0
        self._code: str | None = None
        self._compacted = time.monotonic()
        self._connection: http.client.HTTPConnection | None = None

    def round(self) -> float:
        """Take up everything there is; seconds to the next time, more after failures."""
        try:
            self._catch_up()
        except UnavailableError as error:
            self._close()
            self._failures += 1
            if error.code != self._code:
                self._log.warning("banks_unreachable", code=error.code)
            self._code = error.code
            pause = min(self._poll * float(2 ** min(self._failures, 10)), SLOWEST)
            return pause * random.uniform(0.8, 1.2)  # noqa: S311  spreads load, guards nothing
        self._failures, self._code = 0, None
        self._writer.contact(self._clock.now().timestamp())
        self._compact()
        return self._poll

    def _catch_up(self) -> None:
        while True:
            page = self._page(self._writer.place)
            unchanged = page.next == page.after and self._writer.epoch and page == self._last
            if unchanged:
                return
            self._last = page
            if not self._writer.apply(page):
                self._log.warning("banks_incomplete", code="banks_incomplete")
                self._writer.begin_anew()
                return
            if not page.more:
                return

    _last: Page | None = None

    def _compact(self) -> None:
        old = time.monotonic() - self._compacted > COMPACT_SECONDS
        if self._writer.must_compact(old=old):
            self._writer.compact()
        if old:
            self._compacted = time.monotonic()

    def _page(self, place: str) -> Page:
        status, body = self._ask(f"{self._url.path}?after={place}")
        if status != 200:
            raise UnavailableError(f"banks_status_{status}", "The hotline does not hand out banks.")
        try:
            return msgspec.json.decode(body, type=Page)
        except msgspec.MsgspecError:
            raise UnavailableError("banks_malformed", "The feed of banks cannot be read.") from None

    def _ask(self, target: str) -> tuple[int, bytes]:
        headers = {"user-agent": "vigil-edge", "x-forwarded-proto": "https"}
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token.open()}"
        try:
            if self._connection is None:
                self._connection = _connection(self._url)
            self._connection.request("GET", target, headers=headers)
            answer = self._connection.getresponse()
            body = answer.read(PAGE_BYTES + 1)
        except (OSError, http.client.HTTPException):
            self._close()
            raise UnavailableError("banks_unreachable", "The hotline does not answer.") from None
        if len(body) > PAGE_BYTES:
            self._close()
            raise UnavailableError("banks_too_large", "A page of the feed is too large.")
        return answer.status, body

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, url.port, timeout=TIMEOUT_SECONDS, context=context)
    return http.client.HTTPConnection(host, url.port, timeout=TIMEOUT_SECONDS)

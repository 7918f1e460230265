"""The one door through which a node sends anything: aggregate counts, to the hotline that its operator named.

A vector is sent until the hotline answers that it has it. Failures keep it: a hotline that is down costs nothing but time.
"""

from __future__ import annotations

import http.client
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from vigil.edge.config import Token
from vigil.edge.floods import Floods
from vigil.edge.identity import NodeKey
from vigil.edge.ledger import Ledger
from vigil.editions.node_signatures import COUNTS, HEADER

TIMEOUT_SECONDS: Final = 10.0
ANSWER_BYTES: Final = 64 * 1024
FLOODS_WAITING: Final = 48
FINAL_REFUSALS: Final = frozenset({400, 409, 413, 415, 422})


class Outcome(StrEnum):
    """What became of one round."""

    DONE = "done"
    UNREACHABLE = "counts_unreachable"
    UNWANTED = "counts_unwanted"
    REFUSED = "counts_refused"


@dataclass(frozen=True, slots=True)
class Round:
    """``status`` is the HTTP status that ended the round early; None where nobody answered or all went well."""

    outcome: Outcome
    sent: int
    refused: int
    status: int | None = None


class Courier:
    """Sends what waits in the outbox."""

    def __init__(self, url: str, token: Token | None, ledger: Ledger, key: NodeKey | None = None) -> None:
        self._url, self._token, self._ledger, self._key = urlsplit(url), token, ledger, key

    def round(self) -> Round:
        """Send everything that waits, oldest first; stop at the first sign that nobody takes it now."""
        sent = refused = 0
        for path in self._ledger.waiting():
            try:
                status = self._send(path.read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, http.client.HTTPException):
                return Round(Outcome.UNREACHABLE, sent, refused)
            if 200 <= status < 300:
                self._ledger.sent(path)
                sent += 1
            elif status in FINAL_REFUSALS:
                self._ledger.reject(path)
                refused += 1
            else:
                return Round(Outcome.UNWANTED, sent, refused, status)
        return Round(Outcome.REFUSED if refused else Outcome.DONE, sent, refused)

    def _send(self, body: bytes) -> int:
        signed = {HEADER: f"{self._key.public} {self._key.sign(COUNTS, body)}"} if self._key is not None else {}
        return post(self._url, body, self._token, signed)


class FloodCourier:
    """Tells of entries that match far too often, at the address beside that of the counts. A day's messages wait in memory."""

    def __init__(self, url: str, token: Token | None, floods: Floods) -> None:
        self._url, self._token, self._floods = urlsplit(urljoin(url, "matches")), token, floods
        self._waiting: deque[bytes] = deque(maxlen=FLOODS_WAITING)

    def round(self, now: datetime) -> bool:
        """Send what is over; True where nothing waits any more."""
        self._waiting.extend(message.body for message in self._floods.take(now))
        while self._waiting:
            try:
                status = post(self._url, self._waiting[0], self._token, {})
            except (OSError, http.client.HTTPException):
                return False
            if not 200 <= status < 300 and status not in FINAL_REFUSALS:
                return False
            self._waiting.popleft()
        return True


def post(url: SplitResult, body: bytes, token: Token | None, headers: Mapping[str, str]) -> int:
    """Send a JSON document to an address that the operator named; the status of the answer. Raises OSError or HTTPException."""
    connection = connect(url)
    sent = {"content-type": "application/json", "user-agent": "vigil-edge", **headers}
    if token is not None:
        sent["authorization"] = f"Bearer {token.open()}"
    try:
        connection.request("POST", _target(url), body, sent)
        answer = connection.getresponse()
        answer.read(ANSWER_BYTES)
        return answer.status
    finally:
        connection.close()


def connect(url: SplitResult) -> http.client.HTTPConnection:
    """A connection to the operator's own address, certificates checked."""
    host = url.hostname or ""
    if url.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, url.port, timeout=TIMEOUT_SECONDS, context=context)
    return http.client.HTTPConnection(host, url.port, timeout=TIMEOUT_SECONDS)


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")

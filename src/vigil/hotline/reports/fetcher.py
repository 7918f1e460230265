"""The one door through which a page is fetched: GET, along the configured route, within limits.

Where a request may go is decided by :mod:`.routes`, anew for each redirect. No cookie or other trace of the person who asked
is sent; a referrer only where the access recipe says so. What is asked for is the address as a browser reads it, not its
canonical form: folding may name another resource. RFC 9110, RFC 9112.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Final
from urllib.parse import urljoin

from vigil.base.limits import Limit
from vigil.hotline.reports.fetching import (
    FETCH_SECONDS,
    PAGE_BYTES,
    PICTURE_BYTES,
    REDIRECTS,
    WORDS,
    Address,
    Failure,
    Fetched,
    Fetcher,
    FetchError,
    Proxy,
    fetchable,
)
from vigil.hotline.reports.routes import Network, ProxyRoute, Route, judge_name

__all__ = [
    "FETCH_SECONDS",
    "PAGE_BYTES",
    "PICTURE_BYTES",
    "REDIRECTS",
    "WORDS",
    "Address",
    "Failure",
    "FetchError",
    "Fetched",
    "Fetcher",
    "Proxy",
    "ProxyFetcher",
    "RouteFetcher",
    "fetchable",
]

HEADERS: Final = Limit(100, "headers", "a record of an answer, not a place to store things")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK: Final = 64 * 1024
_AGENT: Final = "Mozilla/5.0"


class RouteFetcher:
    """Fetches along a route. ``seconds`` bounds one address, its redirects included."""

    def __init__(self, route: Route, *, seconds: float = FETCH_SECONDS.value) -> None:
        self._route = route
        self._seconds = seconds

    def fetch(self, url: Address, limit: Limit, referrer: str = "") -> Fetched:
        """The answer at ``url``, at most ``limit`` bytes of body; raises FetchError. Each redirect is judged anew."""
        deadline = time.monotonic() + self._seconds
        chain: list[Address] = []
        for _ in range(REDIRECTS.value + 1):
            judge_name(url.host, self._route.allowed)
            answer, location = self._visit(url, limit, deadline, referrer)
            if location is None:
                return replace(answer, chain=tuple(chain))
            chain.append(url)
            url = _redirected(url, location)
        raise FetchError(Failure.TOO_MANY_REDIRECTS)

    def _visit(self, url: Address, limit: Limit, deadline: float, referrer: str) -> tuple[Fetched, str | None]:
        with _Connection(self._route, url, deadline, referrer) as connection:
            response = connection.get()
            headers = tuple(response.getheaders()[: HEADERS.value])
            seen = Fetched(response.status, "", b"", url, headers, connection.certificate, connection.ip)
            location = response.getheader("Location") if response.status in _REDIRECTS else None
            if location is not None:
                return seen, location
            if response.getheader("Content-Encoding", "identity").strip().lower() != "identity":
                raise FetchError(Failure.ENCODING_REFUSED)
            body = _read(response, limit, deadline)
            return replace(seen, declared_type=response.getheader("Content-Type", ""), body=body), None


class ProxyFetcher(RouteFetcher):
    """Fetches through an HTTP proxy."""

    def __init__(
        self, proxy: Proxy, *, seconds: float = FETCH_SECONDS.value, allowed: Sequence[Network] = ()
    ) -> None:
        super().__init__(ProxyRoute(proxy, allowed), seconds=seconds)


class _Connection:
    """One connection, cut when the deadline passes, whatever the other side does."""

    def __init__(self, route: Route, url: Address, deadline: float, referrer: str) -> None:
        self._url, self._referrer, self._route = url, referrer, route
        self.certificate = ""
        self._remaining = deadline - time.monotonic()
        self._late = threading.Event()
        self._timer = threading.Timer(max(self._remaining, 0), self._cut)
        self._timer.daemon = True
        self._http, self._target, self.ip = route.connection(url, max(self._remaining, 0.001))
        self._response: http.client.HTTPResponse | None = None
        self._socket: socket.socket | None = None  # http.client forgets it once the head of the answer is read

    def __enter__(self) -> _Connection:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._response is not None:
            self._response.close()
        self._http.close()
        if error is not None and not isinstance(error, FetchError):
            failure = Failure.TOO_SLOW if self._late.is_set() else _failure_of(error)
            if failure is not None:
                raise FetchError(failure) from None
        elif self._late.is_set():
            raise FetchError(Failure.TOO_SLOW) from None

    def get(self) -> http.client.HTTPResponse:
        """Ask for the page and read the head of the answer."""
        try:
            self._http.connect()
            self._socket = self._http.sock
        except (ConnectionRefusedError, socket.gaierror) as error:
            lost = Failure.CONNECTION_CLOSED if self._route.via == "direct" else Failure.PROXY_UNREACHABLE
            raise FetchError(lost) from error
        if isinstance(self._socket, ssl.SSLSocket):
            self.certificate = hashlib.sha256(self._socket.getpeercert(binary_form=True) or b"").hexdigest()
        self._http.putrequest("GET", self._target, skip_host=True, skip_accept_encoding=True)
        for name, value in _headers(self._url, self._referrer).items():
            self._http.putheader(name, value)
        self._http.endheaders()
        self._response = self._http.getresponse()
        return self._response

    def _cut(self) -> None:
        self._late.set()
        connected = self._socket or self._http.sock
        if connected is None:
            return
        try:
            # The plain method: SSLSocket's own would pull the TLS state from under a reading thread.
            socket.socket.shutdown(connected, socket.SHUT_RDWR)
        except OSError:
            return


def _headers(url: Address, referrer: str) -> dict[str, str]:
    sent = {"Referer": referrer} if referrer else {}
    return sent | {
        "Host": url.authority,
        "User-Agent": _AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


def _redirected(url: Address, location: str) -> Address:
    try:
        # http.client reads header bytes as Latin-1; servers mean UTF-8 or ASCII.
        address = location.encode("latin-1").decode("utf-8", "replace")
        return fetchable(urljoin(url.text(), address))
    except (ValueError, FetchError) as error:
        raise FetchError(Failure.REDIRECT_REFUSED) from error


def _read(response: http.client.HTTPResponse, limit: Limit, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK):
        size += len(part)
        if size > limit.value:
            raise FetchError(Failure.TOO_LARGE)
        if time.monotonic() > deadline:
            raise FetchError(Failure.TOO_SLOW)
        parts.append(part)
    if response.length:
        raise FetchError(Failure.CONNECTION_CLOSED)
    return b"".join(parts)


def _failure_of(error: BaseException) -> Failure | None:
    """The failure that an error of the network layer stands for; None where it is not one of those."""
    if isinstance(error, TimeoutError):
        return Failure.TOO_SLOW
    if isinstance(error, ssl.SSLError):
        return Failure.TLS_FAILED
    if isinstance(error, (http.client.IncompleteRead, http.client.RemoteDisconnected, OSError)):
        return Failure.CONNECTION_CLOSED
    if isinstance(error, (http.client.HTTPException, ValueError)):
        return Failure.NOT_HTTP
    return None

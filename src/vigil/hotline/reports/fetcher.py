"""The one door through which a page is fetched: GET, through the configured proxy, within limits.

The proxy is the only machine this module ever connects to. Names are never resolved here and addresses never
dialled directly, so what may be reached is decided in one place that the operator controls. Each redirect
goes through the proxy again. No cookie, referrer or other trace of the person who asked is sent. What is
asked for is the address as a browser reads it, not its canonical form: folding may name another resource.
RFC 9110, RFC 9112.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol
from urllib.parse import urljoin, urlsplit

from vigil.base.errors import InputError
from vigil.base.limits import URL_BYTES, Limit
from vigil.match.urls.parse import clean, parse

PAGE_BYTES: Final = Limit(8 * 1024 * 1024, "bytes", "a page without end must not fill the worker's memory")
PICTURE_BYTES: Final = Limit(32 * 1024 * 1024, "bytes", "a picture is held in memory while it is hashed")
FETCH_SECONDS: Final = Limit(20, "seconds", "a server that drips bytes must not hold the worker")
REDIRECTS: Final = Limit(5, "redirects", "a loop of redirects must end")

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK: Final = 64 * 1024
_AGENT: Final = "Mozilla/5.0"


class Failure(StrEnum):
    """Why a fetch failed: stable codes, shown to analysts in words (``WORDS``)."""

    ADDRESS_REFUSED = "address_refused"
    PROXY_UNREACHABLE = "proxy_unreachable"
    CONNECTION_CLOSED = "connection_closed"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    REDIRECT_REFUSED = "redirect_refused"
    NOT_HTTP = "not_http"
    TLS_FAILED = "tls_failed"
    ENCODING_REFUSED = "encoding_refused"
    WORKER_LOST = "worker_lost"


WORDS: Final = {
    Failure.ADDRESS_REFUSED: "The address is not one that can be fetched.",
    Failure.PROXY_UNREACHABLE: "The capture proxy did not answer.",
    Failure.CONNECTION_CLOSED: "The connection was closed before the answer was whole.",
    Failure.TOO_SLOW: "The answer took longer than the limit.",
    Failure.TOO_LARGE: "The answer was larger than the limit.",
    Failure.TOO_MANY_REDIRECTS: "The page led on from one address to the next without end.",
    Failure.REDIRECT_REFUSED: "The page led on to an address that is not fetched.",
    Failure.NOT_HTTP: "The answer was not proper HTTP.",
    Failure.TLS_FAILED: "The server's certificate was not accepted.",
    Failure.ENCODING_REFUSED: "The answer was packed, although plain bytes were asked for.",
    Failure.WORKER_LOST: "The capture was interrupted several times.",
}


class FetchError(Exception):
    """A fetch that did not bring an answer; ``failure`` says why. Holds no address."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """An address as a browser asks for it. ``host`` has brackets around IPv6; ``port`` None is the default.

    User name, password and fragment are gone. Printing shows nothing of it; only :meth:`text` does.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    query: str | None

    @property
    def authority(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def resource(self) -> str:
        """Path and query."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    def text(self) -> str:
        return f"{self.scheme}://{self.authority}{self.resource}"

    def __str__(self) -> str:
        return "Address(<sealed>)"

    __repr__ = __str__


@dataclass(frozen=True, slots=True, repr=False)
class Fetched:
    """An answer: HTTP status, media type as declared, bytes, and the address that gave it in the end."""

    status: int
    declared_type: str
    body: bytes
    url: Address


class Fetcher(Protocol):
    """What a capture needs to reach the world; the proxy in service, a pretended world in tests."""

    def fetch(self, url: Address, limit: Limit) -> Fetched: ...


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, ``http://host:port``, as the operator configured it."""

    host: str
    port: int

    @classmethod
    def at(cls, address: str) -> Proxy:
        """The proxy at ``address``; InputError ``proxy_malformed`` for anything but ``http://host:port``."""
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        extra = parts.path not in ("", "/") or parts.query or parts.username or parts.password
        if parts.scheme != "http" or not parts.hostname or port is None or extra:
            raise InputError(
                "proxy_malformed",
                "The capture proxy is not written as http://host:port.",
                where="capture.proxy",
                mend="Give host and port, without user name, path or query.",
            )
        return cls(parts.hostname, port)


class ProxyFetcher:
    """Fetches through a proxy. ``seconds`` bounds one address, its redirects included."""

    def __init__(self, proxy: Proxy, *, seconds: float = FETCH_SECONDS.value) -> None:
        self._proxy = proxy
        self._seconds = seconds

    def fetch(self, url: Address, limit: Limit) -> Fetched:
        """The answer at ``url``, at most ``limit`` bytes of body; raises FetchError."""
        deadline = time.monotonic() + self._seconds
        for _ in range(REDIRECTS.value + 1):
            answer, location = self._visit(url, limit, deadline)
            if location is None:
                return answer
            url = _redirected(url, location)
        raise FetchError(Failure.TOO_MANY_REDIRECTS)

    def _visit(self, url: Address, limit: Limit, deadline: float) -> tuple[Fetched, str | None]:
        with _Connection(self._proxy, url, deadline) as connection:
            response = connection.get()
            location = response.getheader("Location") if response.status in _REDIRECTS else None
            if location is not None:
                return Fetched(response.status, "", b"", url), location
            if response.getheader("Content-Encoding", "identity").strip().lower() != "identity":
                raise FetchError(Failure.ENCODING_REFUSED)
            body = _read(response, limit, deadline)
            return Fetched(response.status, response.getheader("Content-Type", ""), body, url), None


class _Connection:
    """One connection to the proxy, cut when the deadline passes, whatever the other side does."""

    def __init__(self, proxy: Proxy, url: Address, deadline: float) -> None:
        self._url = url
        self._remaining = deadline - time.monotonic()
        self._late = threading.Event()
        self._timer = threading.Timer(max(self._remaining, 0), self._cut)
        self._timer.daemon = True
        self._http = _http_connection(proxy, url, max(self._remaining, 0.001))
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
            raise FetchError(Failure.PROXY_UNREACHABLE) from error
        self._http.putrequest("GET", _target(self._url), skip_host=True, skip_accept_encoding=True)
        for name, value in _headers(self._url).items():
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


def _http_connection(proxy: Proxy, url: Address, seconds: float) -> http.client.HTTPConnection:
    if url.scheme == "http":
        return http.client.HTTPConnection(proxy.host, proxy.port, timeout=seconds)
    connection = http.client.HTTPSConnection(
        proxy.host, proxy.port, timeout=seconds, context=ssl.create_default_context()
    )
    connection.set_tunnel(url.host, url.port or 443)
    return connection


def _target(url: Address) -> str:
    """Absolute form for plain HTTP through a proxy, origin form inside a tunnel (RFC 9112, 3.2)."""
    if url.scheme == "http":
        return url.text()
    return url.resource


def _headers(url: Address) -> dict[str, str]:
    return {
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


def fetchable(address: str) -> Address:
    """The address as it will be asked for; FetchError ``address_refused`` unless it is http or https."""
    try:
        if len(address.encode()) > URL_BYTES.value:
            raise FetchError(Failure.ADDRESS_REFUSED)
        parts = parse(clean(address))
    except (InputError, UnicodeError) as error:
        raise FetchError(Failure.ADDRESS_REFUSED) from error
    if parts.scheme not in ("http", "https"):
        raise FetchError(Failure.ADDRESS_REFUSED)
    return Address(parts.scheme, parts.host, parts.port, parts.path, parts.query)


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

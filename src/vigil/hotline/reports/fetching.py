"""What a fetch is made of: addresses, limits, answers, and the ways it can fail. Touches no network."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol
from urllib.parse import urlsplit

from vigil.base.errors import InputError
from vigil.base.limits import URL_BYTES, Limit
from vigil.match.urls.parse import clean, parse

PAGE_BYTES: Final = Limit(8 * 1024 * 1024, "bytes", "a page without end must not fill the worker's memory")
PICTURE_BYTES: Final = Limit(32 * 1024 * 1024, "bytes", "a picture is held in memory while it is hashed")
FETCH_SECONDS: Final = Limit(20, "seconds", "a server that drips bytes must not hold the worker")
REDIRECTS: Final = Limit(5, "redirects", "a loop of redirects must end")


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
    PRIVATE_ADDRESS = "private_address"
    NAME_UNKNOWN = "name_unknown"
    FETCHER_LOST = "fetcher_lost"


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
    Failure.PRIVATE_ADDRESS: "The address leads into a private network and was not asked.",
    Failure.NAME_UNKNOWN: "The name of the host has no address.",
    Failure.FETCHER_LOST: "The fetching process ended before it had an answer.",
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
    """An answer: HTTP status, media type as declared, bytes, and the address that gave it in the end.

    ``headers``   names and values as they came. ``certificate`` SHA-256 (hex) of the server's, "" without TLS or unknown.
    ``ip``        the address connected to, where we resolved ourselves. ``chain`` the addresses that led on, in order.
    """

    status: int
    declared_type: str
    body: bytes
    url: Address
    headers: tuple[tuple[str, str], ...] = ()
    certificate: str = ""
    ip: str = ""
    chain: tuple[Address, ...] = ()


class Fetcher(Protocol):
    """What a capture needs to reach the world; the process in service, a pretended world in tests.

    ``referrer`` is sent along where it is not empty.
    """

    def fetch(self, url: Address, limit: Limit, referrer: str = "") -> Fetched: ...


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

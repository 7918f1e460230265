"""The one door through which sources are asked: HTTP(S) to the address that the operator configured, and no other.

What it guarantees, whatever the other side does: credentials go to that origin only and never in clear over a network; a
redirect or a link to another origin is refused; a gap, a trickle or a stalled answer ends after a bounded time; lengths that
lie, packed answers that explode and endless answers are refused; a request that fails in a way that may pass is repeated a
few times, slower each time, and not more often than the source allows.
"""

from __future__ import annotations

import gzip
import http.client
import io
import ipaddress
import socket
import ssl
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

from vigil.base.errors import InputError, UnavailableError
from vigil.base.limits import Limit
from vigil.editions.fetch import PacedStream, Patience
from vigil.hotline.access.clock import now
from vigil.hotline.partners.sources.limits import (
    ANSWER_BYTES,
    ATTEMPTS,
    LONGEST_WAIT,
    REDIRECTS,
    UNPACKED_BYTES,
    UNPACKED_RATIO,
)

_PASSING: Final = frozenset({429, 500, 502, 503, 504})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK: Final = 1 << 18
_SMALL: Final = 1 << 20  # what unpacks to less is no bomb, whatever its ratio
_AGENT: Final = "vigil"


class FetchError(UnavailableError):
    """The source gave no usable answer. ``retry_after`` seconds, where it said so; ``status`` where it answered."""

    def __init__(self, code: str, what: str, *, mend: str = "", retry_after: float | None = None, status: int = 0) -> None:
        super().__init__(code, what, mend=mend)
        self.retry_after = retry_after
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the source: ``body`` is unpacked."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Pacer:
    """Keeps requests apart, so that there are never more than ``a_minute``."""

    def __init__(
        self, a_minute: int, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._gap = 60.0 / a_minute if a_minute else 0.0
        self._monotonic = monotonic
        self._sleep = sleep
        self._free = 0.0

    def wait(self) -> None:
        """Return when the next request may go out."""
        moment = self._monotonic()
        if moment < self._free:
            self._sleep(self._free - moment)
        self._free = max(moment, self._free) + self._gap


class Line:
    """The line to one source. ``headers`` go with every request: they hold the credentials."""

    def __init__(
        self,
        address: str,
        headers: dict[str, str] | None = None,
        *,
        pacer: Pacer | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        secret_in_query: bool = False,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._base = checked_address(address, secret=bool(headers) or secret_in_query)
        self._headers = dict(headers or {})
        self._pacer = pacer or Pacer(0)
        self._patience = patience or Patience(connect=10, gap=30, grace=60)
        self._sleep = sleep
        self._monotonic = monotonic
        self._context = context
        self._connection: http.client.HTTPConnection | None = None

    @property
    def path(self) -> str:
        """The path of the configured address, without a slash at its end."""
        return self._base.path.rstrip("/")

    def turn(self) -> None:
        """Return when the next request may go out: for what is fetched from this source by other means than this line."""
        self._pacer.wait()

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, target: str, *, accept: str = "*/*", limit: Limit = ANSWER_BYTES) -> Answer:
        """GET of a path and query (with the base path in it) on the configured origin; repeated where that may help."""
        return self._repeated("GET", target, None, {"Accept": accept}, limit)

    def post(self, target: str, body: bytes, kind: str, *, accept: str = "*/*", repeat: bool = False) -> Answer:
        """POST; only repeated where the caller says that it does no harm."""
        headers = {"Content-Type": kind, "Accept": accept}
        if repeat:
            return self._repeated("POST", target, body, headers, ANSWER_BYTES)
        return _judged(self._once("POST", target, body, headers, ANSWER_BYTES))

    def put(self, target: str, body: bytes, kind: str) -> Answer:
        """PUT, which may be repeated by its meaning."""
        return self._repeated("PUT", target, body, {"Content-Type": kind}, ANSWER_BYTES)

    def local(self, address: str) -> str:
        """The path and query of an absolute link, refused where it leads to another origin."""
        parts = urlsplit(urljoin(self._base.geturl(), address))
        if _origin(parts) != _origin(self._base):
            raise FetchError("source_elsewhere", "The source leads on to another machine, which is not followed.")
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def _repeated(self, method: str, target: str, body: bytes | None, headers: dict[str, str], limit: Limit) -> Answer:
        for attempt in range(1, ATTEMPTS.value + 1):
            try:
                return _judged(self._followed(method, target, body, headers, limit))
            except FetchError as error:
                wait = error.retry_after if error.retry_after is not None else 0.5 * 2**attempt
                if not _may_pass(error) or attempt == ATTEMPTS.value or wait > LONGEST_WAIT.value:
                    raise
                self._sleep(wait)
        raise AssertionError("unreachable")  # pragma: no cover - the loop returns or raises

    def _followed(self, method: str, target: str, body: bytes | None, headers: dict[str, str], limit: Limit) -> Answer:
        for _ in range(REDIRECTS.value + 1):
            answer = self._once(method, target, body, headers, limit)
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return answer
            target = self.local(urljoin(f"{self._base.scheme}://{self._base.netloc}{target}", answer.headers["location"]))
        raise FetchError("source_redirects", "The source leads on from one address to the next without end.")

    def _once(self, method: str, target: str, body: bytes | None, headers: dict[str, str], limit: Limit) -> Answer:
        self._pacer.wait()
        whole = False
        try:
            connection = self._connected()
            sent = {**self._headers, **headers, "Accept-Encoding": "gzip", "User-Agent": _AGENT}
            connection.request(method, target, body=body, headers=sent)
            response = connection.getresponse()
            packed = _read(response, limit)
            response.close()  # an empty answer is not closed by reading it, and would block the connection
            whole = True
        except FetchError:
            raise
        except TimeoutError as error:
            raise FetchError("source_slow", "The source stopped answering in the middle.") from error
        except ssl.SSLError as error:
            raise FetchError("source_tls", "The certificate of the source was not accepted.") from error
        except (ConnectionRefusedError, socket.gaierror) as error:
            raise FetchError("source_unreachable", "The source could not be reached.") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchError("source_broke_off", "The connection to the source broke before the answer was whole.") from error
        finally:
            if not whole:
                self.close()
        if response.will_close:
            self.close()
        shown = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, _unpacked(packed, shown.get("content-encoding", ""), UNPACKED_BYTES), shown)

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port, wait = self._base.hostname or "", self._base.port, self._patience.connect
            if self._base.scheme == "https":
                context = self._context or ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(host, port, timeout=wait, context=context)
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=wait)
            self._connection.response_class = self._paced  # type: ignore[assignment]
            self._connection.connect()
        return self._connection

    def _paced(self, sock: socket.socket, *arguments: Any, **options: Any) -> http.client.HTTPResponse:
        response = http.client.HTTPResponse(sock, *arguments, **options)
        plain = response.fp.detach()
        response.fp = io.BufferedReader(PacedStream(plain, sock, self._patience, self._monotonic))
        return response


def checked_address(address: str, *, secret: bool) -> SplitResult:
    """The address in parts. Raises InputError where it is none, or a secret would travel in clear over a network."""
    parts = urlsplit(address)
    try:
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise InputError(
            "source_address", "The address of the source cannot be used.", where="address",
            mend="Write it as https://HOST[:PORT]/PATH, without a user name, query or fragment.",
        )  # fmt: skip
    if secret and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise InputError(
            "source_in_clear", "The credentials would travel in clear over a network.", where="address",
            mend="Use an https:// address; http:// is for this machine only.",
        )  # fmt: skip
    return parts


def is_loopback(host: str) -> bool:
    """True for this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def unpacked(data: bytes, limit: Limit) -> bytes:
    """A gzip member as it is, within ``limit`` and a sane ratio. Raises FetchError ``source_bomb``, ``source_packing``."""
    return _unpacked(data, "gzip", limit)


def _unpacked(data: bytes, encoding: str, limit: Limit) -> bytes:
    kind = encoding.strip().lower()
    if kind in ("", "identity"):
        return data
    if kind not in ("gzip", "x-gzip"):
        raise FetchError("source_packing", "The source packs its answers in a way that was not asked for.")
    return _gunzipped(data, limit)


def _gunzipped(data: bytes, limit: Limit) -> bytes:
    most = min(limit.value, max(_SMALL, len(data) * UNPACKED_RATIO.value))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            plain = stream.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FetchError("source_packing", "A packed answer of the source is damaged.") from error
    if len(plain) > most:
        what = f"A packed answer of {len(data)} bytes unpacks into more than {most} bytes, which is the limit for it."
        raise FetchError("source_bomb", what)
    return plain


def _read(response: http.client.HTTPResponse, limit: Limit) -> bytes:
    declared = response.length
    if declared is not None and declared > limit.value:
        what = f"The source announces an answer of {declared} bytes; the limit is {limit.value} {limit.unit}."
        raise FetchError("source_too_large", what)
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK):
        size += len(part)
        if size > limit.value:
            what = f"The answer of the source did not end after {size} bytes; the limit is {limit.value} {limit.unit}."
            raise FetchError("source_too_large", what)
        parts.append(part)
    if response.length:
        raise FetchError("source_broke_off", "The answer of the source is shorter than it said.")
    return b"".join(parts)


def _judged(answer: Answer) -> Answer:
    """The answer, unless its status says that there is none."""
    status = answer.status
    if 200 <= status < 300:
        return answer
    if status in (401, 403):
        raise FetchError(
            "source_credentials", "The source does not accept our credentials.", status=status,
            mend="Ask the source for new ones and set them: vigil hotline source change NAME --credentials FILE.",
        )  # fmt: skip
    after = retry_after(answer.headers.get("retry-after", ""))
    if status == 429:
        raise FetchError("source_busy", "The source asks us to come back later.", retry_after=after, status=status)
    raise FetchError("source_status", f"The source answered with status {status}.", retry_after=after, status=status)


def retry_after(text: str) -> float | None:
    """The seconds that a Retry-After header asks for; None where it says nothing usable."""
    if text.isascii() and text.strip().isdigit():
        return float(text)
    try:
        return max((parsedate_to_datetime(text) - now()).total_seconds(), 0.0) if text else None
    except (ValueError, TypeError):
        return None


def _may_pass(error: FetchError) -> bool:
    if error.status:
        return error.status in _PASSING
    return error.code in {"source_slow", "source_broke_off", "source_unreachable"}


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}.get(parts.scheme)

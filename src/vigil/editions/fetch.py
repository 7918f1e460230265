"""The one door through which editions come in: HTTP(S), an S3 store or a local folder, behind python-tuf's fetcher interface.

What it guarantees, whatever the other side does: no redirect is followed; a gap, a trickle or a stalled answer ends
after a bounded time; the bearer token goes to the named host only, and never in clear over a network; answers are
taken as they are (no unpacking). The bounds on bytes are python-tuf's: signed lengths, and limits per role.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import SplitResult, urlsplit

from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

from vigil.base.clock import require_utc
from vigil.base.errors import InputError

CHUNK_BYTES: Final = 1 << 18
_NOT_FOUND: Final = 404
_FORBIDDEN: Final = 403


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a host may take. All in seconds, but ``bytes_per_second``.

    ``connect``           until a connection stands
    ``gap``               without a single byte
    ``grace``             in all, plus one second for each ``bytes_per_second`` that arrived: against trickles
    """

    connect: float = 5.0
    gap: float = 10.0
    grace: float = 20.0
    bytes_per_second: int = 32 * 1024


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificates in PEM: ``ca`` that the host's must lead to (None: the system's); ours with its key, for hosts that ask."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Checks names and chains always. Raises InputError ``certificate_unreadable``."""
        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ValueError) as error:
            raise InputError(
                "certificate_unreadable",
                "A certificate or its key cannot be read.",
                where=str(self.certificate or self.ca),
                mend="Give PEM files; the key belongs to the certificate and is not encrypted.",
            ) from error
        return context


class FolderFetcher(FetcherInterface):
    """Files of a local folder, as if it were a host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server_time: datetime | None = None
        self.retry_after = ""

    def close(self) -> None:
        """Nothing is kept open between two files."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = self._folder / url
        try:
            stream = path.open("rb")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DownloadHTTPError("no such file", _NOT_FOUND) from error
        return _read_file(stream)


def _read_file(stream: Any) -> Iterator[bytes]:
    try:
        with stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise DownloadError("the folder could not be read") from error


class HttpFetcher(FetcherInterface):
    """Files below an ``http://`` or ``https://`` address.

    ``token``      sent as ``Authorization: Bearer``
    ``patience``   time limits
    ``monotonic``  a clock for durations, in seconds
    ``tls``        certificates other than the system's, and one of ours
    ``turn``       returns when the next request may go out

    ``retry_after`` is what the last answer said in the header of that name; empty where it said nothing.
    """

    def __init__(
        self,
        source: str,
        token: str | None = None,
        patience: Patience | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        tls: TlsFiles | None = None,
        turn: Callable[[], None] | None = None,
    ) -> None:
        self._base = checked_source(source, token)
        self._tls = (tls or TlsFiles()).context() if self._base.scheme == "https" else None
        self._token = token
        self._patience = patience or Patience()
        self._monotonic = monotonic
        self._turn = turn
        self.retry_after = ""
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._most: int | None = None
        self.server_time: datetime | None = None

    def close(self) -> None:
        """Let the connection go, and with it an answer that was not read to its end."""
        response, connection = self._response, self._connection
        self._response = self._connection = None
        if response is not None:
            response.close()
        if connection is not None:
            connection.close()

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """As python-tuf's; an answer that announces more than ``max_length`` is refused before any of it is read."""
        self._most = max_length
        with super().download_file(url, max_length) as file:
            yield file

    def _fetch(self, url: str) -> Iterator[bytes]:
        """The answer for a path relative to the source. A kept connection that was closed meanwhile is opened once more."""
        kept = self._connection is not None
        try:
            return self._answer(url)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not kept:
                raise
            self.close()
            return self._answer(url)

    def _answer(self, url: str) -> Iterator[bytes]:
        if self._turn is not None:
            self._turn()
        try:
            connection = self._connected()
            connection.request("GET", f"{self._base.path.rstrip('/')}/{url}", headers=self._headers())
            self._response = response = connection.getresponse()
        except TimeoutError as error:
            self.close()
            raise SlowRetrievalError from error
        except BaseException:
            self.close()
            raise
        self.server_time = _instant(response.headers.get("Date"))
        self.retry_after = response.headers.get("Retry-After", "")
        if response.status != http.client.OK:
            self.close()
            raise DownloadHTTPError(f"HTTP status {response.status}", response.status)
        if self._most is not None and response.length is not None and response.length > self._most:
            announced = response.length
            self.close()
            raise DownloadLengthMismatchError(f"It announces {announced} bytes; the limit is {self._most} bytes")
        return self._chunks(response)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity", "User-Agent": "vigil"}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _chunks(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        whole = False
        try:
            while chunk := response.read(CHUNK_BYTES):
                yield chunk
            if response.length:
                raise DownloadError("the answer ended early")
            whole = True
        except TimeoutError as error:
            raise SlowRetrievalError from error
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError("the connection broke") from error
        finally:
            # What was not read to its end cannot be used for another answer.
            if not whole:
                self.close()

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port, wait = self._base.hostname or "", self._base.port, self._patience.connect
            if self._tls is not None:
                self._connection = http.client.HTTPSConnection(host, port, timeout=wait, context=self._tls)
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=wait)
            self._connection.response_class = self._paced  # type: ignore[assignment]
            self._connection.connect()
        return self._connection

    def _paced(self, sock: socket.socket, *arguments: Any, **options: Any) -> http.client.HTTPResponse:
        """An answer that is read, headers included, through a :class:`PacedStream`."""
        response = http.client.HTTPResponse(sock, *arguments, **options)
        plain = response.fp.detach()
        response.fp = io.BufferedReader(PacedStream(plain, sock, self._patience, self._monotonic))
        return response


class PacedStream(io.RawIOBase):
    """Bytes of a socket, as long as they keep coming: each wait is bounded, and so is the whole."""

    def __init__(
        self, plain: io.RawIOBase, sock: socket.socket, patience: Patience, monotonic: Callable[[], float]
    ) -> None:
        self._plain = plain
        self._socket = sock
        self._patience = patience
        self._monotonic = monotonic
        self._start = monotonic()
        self._received = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there. Raises TimeoutError when the patience is used up."""
        allowed = self._patience.grace + self._received / self._patience.bytes_per_second
        left = allowed - (self._monotonic() - self._start)
        if left <= 0:
            raise TimeoutError("too slow")
        self._socket.settimeout(min(self._patience.gap, left))
        count = self._plain.readinto(buffer)
        self._received += count or 0
        return count

    def close(self) -> None:
        self._plain.close()
        super().close()


class StoreFetcher(FetcherInterface):
    """Objects below ``s3://BUCKET/PREFIX``, with the credentials and the endpoint of the usual AWS variables and files.

    A store whose objects anyone may read needs none of this: give its ``https://`` address.
    """

    def __init__(
        self, source: str, patience: Patience | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source.rstrip("/")
        self._patience = patience or Patience()
        self._monotonic = monotonic
        self._files: Any = None
        self.server_time: datetime | None = None
        self.retry_after = ""

    def close(self) -> None:
        """Connections are the library's; it keeps them."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            if self._files is None:
                self._files = store_of(self._patience)
            stream = self._files.open(f"{self._source}/{url}", "rb", cache_type="readahead", block_size=CHUNK_BYTES)
        except FileNotFoundError as error:
            raise DownloadHTTPError("no such object", _NOT_FOUND) from error
        except PermissionError as error:
            raise DownloadHTTPError("the store refuses", _FORBIDDEN) from error
        except store_errors() as error:
            raise DownloadError("the store could not be reached") from error
        return self._chunks(stream)

    def _chunks(self, stream: Any) -> Iterator[bytes]:
        start, received = self._monotonic(), 0
        pieces = _read_file(stream)
        while chunk := _piece(pieces):
            received += len(chunk)
            allowed = self._patience.grace + received / self._patience.bytes_per_second
            if self._monotonic() - start > allowed:
                raise SlowRetrievalError
            yield chunk


def _piece(pieces: Iterator[bytes]) -> bytes:
    """The next piece of an object; empty at its end."""
    try:
        return next(pieces, b"")
    except DownloadError:
        raise
    except store_errors() as error:
        raise DownloadError("the store broke off") from error


def store_of(patience: Patience) -> Any:
    """The file system of an S3 store. Raises InputError where its library is not installed."""
    try:
        import s3fs
    except ImportError as error:
        raise InputError(
            "store_support_missing", "Reading from an S3 store needs the library s3fs.", mend="Install: pip install 'vigil[scan]'"
        ) from error
    times = {"connect_timeout": patience.connect, "read_timeout": patience.gap, "retries": {"max_attempts": 2}}
    return s3fs.S3FileSystem(config_kwargs=times, use_listings_cache=False, skip_instance_cache=True)


def store_errors() -> tuple[type[Exception], ...]:
    """What using a store raises. Its library hands on some errors from below as they came: that of missing credentials, and that

    of an answer which ends before it is whole.
    """
    try:
        from aiohttp import ClientError
        from botocore.exceptions import BotoCoreError
    except ImportError:
        return (OSError,)
    return (OSError, BotoCoreError, ClientError)


Fetcher = HttpFetcher | FolderFetcher | StoreFetcher


def fetcher_for(
    source: str, token: str | None = None, tls: TlsFiles | None = None, turn: Callable[[], None] | None = None
) -> Fetcher:
    """The fetcher for an address, a store or a local folder. Raises InputError where it is none of them."""
    if source.startswith("s3://"):
        return StoreFetcher(source)
    if "://" in source:
        return HttpFetcher(source, token, tls=tls, turn=turn)
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(
            "source_unknown",
            "The source of editions is neither an address nor a folder.",
            mend="Give https://HOST/PATH, s3://BUCKET/PREFIX, or a folder that is there.",
        )
    return FolderFetcher(folder)


def checked_source(source: str, token: str | None) -> SplitResult:
    parts = urlsplit(source)
    try:
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise InputError(
            "source_malformed",
            "The address of the editions cannot be used.",
            mend="Write it as https://HOST[:PORT]/PATH, without a user name, query or fragment.",
        )
    if token is not None:
        _check_token(token, parts)
    return parts


def _check_token(token: str, parts: SplitResult) -> None:
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise InputError("token_malformed", "The token for fetching editions has characters that no token has.")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise InputError(
            "token_in_clear",
            "The token would travel in clear over a network.",
            mend="Use an https:// address; http:// is for this machine only.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _instant(text: str | None) -> datetime | None:
    """The time that the other side believes it is; None where it does not say."""
    try:
        return require_utc(parsedate_to_datetime(text)) if text else None
    except (ValueError, TypeError, InputError):
        return None

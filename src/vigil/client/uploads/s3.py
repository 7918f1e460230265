"""An S3-compatible store: read, copy, delete, list; signed with Signature Version 4. No more of the protocol is needed here.

Copies name the version that was read (its ETag): an object that changed in between is not published unread.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from vigil.base.errors import InputError, UnavailableError

SECONDS: Final = 30.0
EMPTY: Final = hashlib.sha256(b"").hexdigest()
ANSWER_BYTES: Final = 1024 * 1024
COPIED: Final = re.compile(rb"<ETag>(?:&quot;|&#34;|\")?([0-9a-f]{32})(?:&quot;|&#34;|\")?</ETag>")
PLAIN_ETAG: Final = re.compile(r"[0-9a-f]{32}")
ERROR: Final = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")


class ObjectGoneError(UnavailableError):
    """The object is not there any more, or another one stands in its place."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs; the secret shows nowhere."""

    key: str
    secret: str = field(repr=False)
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True)
class Read:
    """An object's bytes, and the version they are of."""

    data: bytes = field(repr=False)
    etag: str


class S3Store:
    """One store. ``now`` gives the time that requests are signed with."""

    def __init__(self, endpoint: str, credentials: Credentials, now: Callable[[], datetime]) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in ("", "/"):
            raise InputError("store_address", "This is not the address of a store.", mend="Give one such as https://s3.example.")
        self._url, self._credentials, self._now = parts, credentials, now

    def read(self, bucket: str, key: str, most: int) -> Read | None:
        """The object; None for one of more than ``most`` bytes. Raises ObjectGoneError."""
        status, headers, data = self._request("GET", bucket, key, most=most + 1)
        if status == 404:
            raise ObjectGoneError("object_gone", "The object is not there any more.")
        self._require(status, data)
        return None if len(data) > most else Read(data, headers.get("etag", ""))

    def copy(self, source: str, target: str, key: str, etag: str) -> None:
        """Copy the version ``etag`` of an object to another bucket, under the same key. Raises ObjectGoneError."""
        more = {"x-amz-copy-source": quote(f"/{source}/{key}"), "x-amz-copy-source-if-match": etag}
        status, _, data = self._request("PUT", target, key, more)
        if status in (404, 412):
            raise ObjectGoneError("object_gone", "The object is not there any more, or has changed.")
        self._require(status, data)
        if ERROR.search(data):  # a copy may fail after its 200 was sent
            raise UnavailableError("store_refused", "The store did not copy the object.")
        made = COPIED.search(data)
        if made is not None and PLAIN_ETAG.fullmatch(etag.strip('"')) and made[1].decode() != etag.strip('"'):
            self.delete(target, key)  # a store that does not know the condition copied something else
            raise ObjectGoneError("object_gone", "The object has changed.")

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; one that is gone already is no error."""
        status, _, data = self._request("DELETE", bucket, key)
        if status != 404:
            self._require(status, data)

    def _require(self, status: int, data: bytes) -> None:
        if not 200 <= status < 300:
            code = ERROR.search(data)
            where = code[1].decode() if code else f"status {status}"
            raise UnavailableError("store_refused", "The store refused a request.", where=where, mend="Check bucket and rights.")

    def _request(
        self, method: str, bucket: str, key: str, more: dict[str, str] | None = None, most: int = ANSWER_BYTES
    ) -> tuple[int, dict[str, str], bytes]:
        path = quote(f"/{bucket}/{key}")
        headers = self._signed(method, path, more or {})
        try:
            connection = connect(self._url, SECONDS)
            try:
                connection.request(method, path, headers=headers)
                answer = connection.getresponse()
                return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read(most)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError("store_unreachable", "The store does not answer.") from error

    def _signed(self, method: str, path: str, more: dict[str, str]) -> dict[str, str]:
        stamp = self._now().strftime("%Y%m%dT%H%M%SZ")
        headers = {"host": self._url.netloc, "x-amz-content-sha256": EMPTY, "x-amz-date": stamp, **more}
        return {**headers, "authorization": authorization(method, path, headers, self._credentials)}


def connect(url: SplitResult, seconds: float) -> http.client.HTTPConnection:
    """A connection to an address that the operator named, certificates checked."""
    host = url.hostname or ""
    if url.scheme == "https":
        return http.client.HTTPSConnection(host, url.port, timeout=seconds, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, url.port, timeout=seconds)


def authorization(method: str, path: str, headers: dict[str, str], who: Credentials) -> str:
    """The ``Authorization`` header of a request without body and query (AWS Signature Version 4)."""
    stamp = headers["x-amz-date"]
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{headers['x-amz-content-sha256']}"
    scope = f"{stamp[:8]}/{who.region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{who.secret}".encode()
    for part in (stamp[:8], who.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={who.key}/{scope}, SignedHeaders={names}, Signature={signature}"

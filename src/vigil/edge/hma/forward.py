"""Passing ``/c/`` on to the hotline's partner door, so that one base address serves hashing, matching and curation."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from vigil.edge.delivery import connect
from vigil.edge.hma.requests import bad
from vigil.edge.http.replies import NO_STORE, Headers, Reply

PASSED: Final = (b"authorization", b"content-type", b"accept")
SHOWN: Final = ("content-type", "allow", "www-authenticate")
ANSWER_BYTES: Final = 16 * 1024 * 1024
SECONDS: Final = 60.0


class Forwarder:
    """Blocking; called in a thread. One connection for each request: curation is rare."""

    def __init__(self, base: str) -> None:
        self._base = urlsplit(base)

    def pass_on(self, method: str, path: str, query: bytes, headers: Mapping[bytes, bytes], body: bytes) -> Reply:
        """The partner door's answer; 503 where it gives none."""
        target = self._base.path.rstrip("/") + path + (f"?{query.decode('latin-1')}" if query else "")
        sent = {name.decode(): headers[name].decode("latin-1") for name in PASSED if name in headers}
        sent |= {"x-forwarded-proto": "https", "user-agent": "vigil-edge"}
        connection = _connection(self._base)
        try:
            connection.request(method, target, body or None, sent)
            answer = connection.getresponse()
            data = answer.read(ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException, UnicodeError):
            raise bad("curation_unavailable", "The hotline does not answer.", status=503) from None
        finally:
            connection.close()
        shown: Headers = tuple((name.encode(), value.encode("latin-1")) for name in SHOWN if (value := answer.getheader(name)))
        return Reply(answer.status, (*shown, NO_STORE), data)


def _connection(base: SplitResult) -> http.client.HTTPConnection:
    connection = connect(base)
    connection.timeout = SECONDS
    return connection

"""Answers as values, and the problem documents (RFC 9457) that refusals become."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import msgspec

from vigil.base.errors import InputError, VigilError

Headers = tuple[tuple[bytes, bytes], ...]
NO_STORE: Final = (b"cache-control", b"no-store")
NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
JSON: Final = (b"content-type", b"application/json")
PROBLEM: Final = (b"content-type", b"application/problem+json")
CLOSE: Final = (b"connection", b"close")
_encoder: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers without the length, and body; or ``parts`` of a body that is sent as it comes."""

    status: int
    headers: Headers
    body: bytes = b""
    parts: AsyncIterator[bytes] | None = None


class RequestRefused(InputError):  # noqa: N818  named as the other refusals are
    """A request that is answered with ``status`` and a problem document. ``close`` ends the connection afterwards."""

    exit_status: ClassVar[int] = 2

    def __init__(
        self,
        status: int,
        code: str,
        what: str,
        *,
        where: str = "",
        mend: str = "",
        headers: Headers = (),
        close: bool = False,
    ) -> None:
        super().__init__(code, what, where=where, mend=mend)
        self.status = status
        self.headers = (*headers, CLOSE) if close else headers


def json_reply(document: Any, status: int = 200) -> Reply:
    """A JSON answer that nobody stores."""
    return Reply(status, (JSON, NO_STORE, NOSNIFF), _encoder.encode(document))


def problem_reply(error: VigilError, status: int | None = None) -> Reply:
    """The problem document of an error."""
    if isinstance(error, RequestRefused):
        status, headers = error.status, error.headers
    else:
        status, headers = status or error.http_status, ()
    return Reply(status, (PROBLEM, NO_STORE, NOSNIFF, *headers), _encoder.encode(error.problem(status)))


def fault_reply() -> Reply:
    """For a mistake of ours: no detail, which might quote the request; the log has type and place."""
    document = {"type": "about:blank", "title": "The node made a mistake.", "status": 500, "code": "fault"}
    return Reply(500, (PROBLEM, NO_STORE, NOSNIFF), _encoder.encode(document))


def without_length(headers: Headers) -> Headers:
    """The headers of a finished page: the HTTP door writes the length itself, and two would be one too many."""
    return tuple(row for row in headers if row[0] != b"content-length")

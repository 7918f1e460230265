"""The trusted channel to the hotline: reports to its partner door, by hashes, each once.

No file and no name of a user is sent.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from vigil.base.errors import InputError, UnavailableError
from vigil.client.uploads.s3 import connect
from vigil.media import ImageHashes, Unhashable

SECONDS: Final = 20.0
ANSWER_BYTES: Final = 64 * 1024


class Reported(msgspec.Struct, frozen=True):
    """What the hotline answered: its reference."""

    ref: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Hotline:
    """The partner door at ``address``; ``service`` names the platform in its reports."""

    address: str
    token: str = field(repr=False)
    service: str

    def report(self, found: ImageHashes | Unhashable, *, reference: str, observed_at: str, words: str = "") -> Reported:
        """Report a file by its hashes; the same ``reference`` again is the same report. Raises UnavailableError, InputError."""
        document: dict[str, Any] = {
            "service": self.service,
            "theme": "csam",
            "sha256": found.sha256.hex(),
            "sha1": found.sha1.hex(),
            "md5": found.md5.hex(),
            "partner_ref": reference,
            "observed_at": observed_at,
        }
        if isinstance(found, ImageHashes):
            document |= {"pdq": found.pdq.hex(), "pdq_quality": found.pdq_quality}
        if words:
            document["words"] = words
        status, body = self._post(msgspec.json.encode(document), reference)
        if status in (200, 201):
            return _reported(body)
        if status in (400, 409, 413, 415, 422):
            raise InputError("report_refused", "The hotline will not take this report.", where=f"status {status}")
        raise UnavailableError("hotline_refused", "The hotline does not take reports now.", where=f"status {status}")

    def _post(self, body: bytes, reference: str) -> tuple[int, bytes]:
        url = urlsplit(self.address)
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {self.token}",
            "idempotency-key": reference,
            "user-agent": "vigil-uploads",
        }
        connection = connect(url, SECONDS)
        try:
            connection.request("POST", url.path.rstrip("/") + "/v1/reports", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError("hotline_unreachable", "The hotline does not answer.") from error
        finally:
            connection.close()


def _reported(body: bytes) -> Reported:
    """The reference. A proxy in between may say 200 to anything: that is no receipt, and the report is made again."""
    try:
        return msgspec.json.decode(body, type=Reported)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError("hotline_unreadable", "What answers is no hotline, or its answer was cut off.") from error

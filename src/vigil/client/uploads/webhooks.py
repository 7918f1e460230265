"""Notices to an application of the operator's own: signed, sent until they are taken, in order, kept on disk meanwhile.

A notice carries ``Vigil-Webhook: t=<unix seconds>,v1=<HMAC-SHA256 of "t.body">``; the receiver compares in constant time and
refuses old ones. The name of the file is the notice's identifier: one that comes twice is the same.
"""

from __future__ import annotations

import hmac
import http.client
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from vigil.base.errors import InputError
from vigil.base.files import write_atomically
from vigil.client.uploads.s3 import connect

HEADER: Final = "Vigil-Webhook"
ID: Final = "Vigil-Webhook-Id"
SECONDS: Final = 10.0
OLDEST_SECONDS: Final = 300
SECRET_LEAST: Final = 16
FINAL: Final = frozenset({400, 410, 413, 415, 422})
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0


def signature(secret: bytes, moment: int, body: bytes) -> str:
    """The header of a notice that is sent at ``moment`` (unix seconds)."""
    return f"t={moment},v1={hmac.digest(secret, b'%d.%s' % (moment, body), 'sha256').hex()}"


def is_genuine(header: str, secret: bytes, body: bytes, moment: int) -> bool:
    """For receivers: whether a notice was signed with ``secret`` less than five minutes before ``moment``."""
    stamp = header.partition(",")[0].removeprefix("t=")
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12 or abs(moment - int(stamp)) > OLDEST_SECONDS:
        return False
    return hmac.compare_digest(header.encode(), signature(secret, int(stamp), body).encode())


class Notices:
    """The notices of one address, in a folder. ``now`` gives the time of signing."""

    def __init__(self, folder: Path, address: str, secret: bytes, now: Callable[[], datetime]) -> None:
        if len(secret) < SECRET_LEAST:
            raise InputError("webhook_secret", f"A secret has at least {SECRET_LEAST} bytes.")
        self._folder, self._url, self._secret, self._now = folder, urlsplit(address), secret, now
        self._failures = self._last = 0
        for part in (folder, folder / "refused"):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)

    def post(self, document: dict[str, Any]) -> None:
        """Keep a notice until it is taken."""
        moment = max(int(self._now().timestamp() * 1_000_000), self._last + 1)
        self._last = moment
        write_atomically(self._folder / f"{moment:020d}.json", msgspec.json.encode(document), mode=0o600)

    def waiting(self) -> list[Path]:
        """Notices that were not taken yet, oldest first."""
        return sorted(self._folder.glob("*.json"))

    def round(self) -> float:
        """Send what waits; the seconds until it is worth trying again."""
        for path in self.waiting():
            status = self._send(path)
            if 200 <= status < 300:
                path.unlink(missing_ok=True)
            elif status in FINAL:
                path.replace(self._folder / "refused" / path.name)
            else:
                self._failures += 1
                return min(FIRST_PAUSE * float(2 ** min(self._failures - 1, 10)), LONGEST_PAUSE)
        self._failures = 0
        return FIRST_PAUSE

    def _send(self, path: Path) -> int:
        """The status; 0 where nobody answers."""
        body = path.read_bytes()
        signed = signature(self._secret, int(self._now().timestamp()), body)
        headers = {"content-type": "application/json", "user-agent": "vigil", HEADER: signed, ID: path.stem}
        connection = connect(self._url, SECONDS)
        try:
            connection.request("POST", self._url.path or "/", body, headers)
            answer = connection.getresponse()
            answer.read(4096)
            return answer.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

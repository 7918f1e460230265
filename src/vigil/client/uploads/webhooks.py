"""Notices to an application of the operator's own: signed, sent until they are taken, in order, kept on disk meanwhile.

With a secret of the form ``whsec_…`` a notice is one of Standard Webhooks (:mod:`vigil.base.webhooks`), which
:class:`vigil.client.webhooks.Receiver` and libraries of other languages check. With any other secret it has the older form, for
receivers that were written for it: ``Vigil-Webhook: t=<unix seconds>,v1=<HMAC-SHA256 of "t.body">``, which :func:`is_genuine`
checks. The name of the file is the notice's identifier: one that comes twice is the same.
"""

from __future__ import annotations

import hmac
import http.client
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from vigil.base import webhooks
from vigil.base.clock import text_of
from vigil.base.errors import InputError
from vigil.base.files import sync_folder, write_atomically
from vigil.client.uploads.s3 import connect

HEADER: Final = "Vigil-Webhook"
ID: Final = "Vigil-Webhook-Id"
SECONDS: Final = 10.0
OLDEST_SECONDS: Final = 300
SECRET_LEAST: Final = 16
TYPE: Final = "upload.decided"
MICROSECONDS: Final = 1_000_000
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
    return hmac.compare_digest(header.encode("utf-8", "surrogatepass"), signature(secret, int(stamp), body).encode())


class Notices:
    """The notices of one address, in a folder. ``now`` gives the time of signing."""

    def __init__(self, folder: Path, address: str, secret: bytes, now: Callable[[], datetime]) -> None:
        if len(secret) < SECRET_LEAST:
            raise InputError("webhook_secret", f"A secret has at least {SECRET_LEAST} bytes.")
        self._folder, self._url, self._secret, self._now = folder, urlsplit(address), secret, now
        self._standard = _standard(secret)
        self._failures = self._last = 0
        self._lock = threading.Lock()
        for part in (folder, folder / "refused"):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)

    def post(self, document: dict[str, Any]) -> None:
        """Keep a notice until it is taken."""
        written = self._folder / f".{token_hex(8)}"
        write_atomically(written, msgspec.json.encode(document), mode=0o600)
        try:
            self._name(written)
        finally:
            written.unlink()

    def _name(self, written: Path) -> None:
        """Give a notice a time of its own as its name: threads and other processes post into the same folder."""
        moment = int(self._now().timestamp() * MICROSECONDS)
        with self._lock:
            while True:
                moment = self._last = max(moment, self._last + 1)
                with suppress(FileExistsError):
                    os.link(written, self._folder / f"{moment:020d}.json")
                    return sync_folder(self._folder)

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

    def _signed(self, path: Path) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a notice that is sent now."""
        body, moment = path.read_bytes(), int(self._now().timestamp())
        if self._standard is None:
            return body, {HEADER: signature(self._secret, moment, body), ID: path.stem}
        data = {name: value for name, value in msgspec.json.decode(body).items() if name != "event"}
        told_at = datetime.fromtimestamp(int(path.stem) / MICROSECONDS, UTC)
        body = msgspec.json.encode({"type": TYPE, "timestamp": text_of(told_at), "data": data})
        return body, webhooks.headers(f"msg_{path.stem}", moment, body, (self._standard,))

    def _send(self, path: Path) -> int:
        """The status; 0 where nobody answers."""
        body, signed = self._signed(path)
        headers = {"content-type": "application/json", "user-agent": "vigil", **signed}
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


def _standard(secret: bytes) -> bytes | None:
    """The key within a secret of the standard's form; None for another one. Raises InputError for one that is cut short."""
    if not secret.startswith(webhooks.PREFIX.encode()):
        return None
    found = webhooks.secret_of(secret.decode("ascii", "replace"))
    if found is None:
        raise InputError(
            "webhook_secret", f"whsec_ is followed by the base64 of at least {webhooks.SECRET_LEAST} random bytes."
        )
    return found

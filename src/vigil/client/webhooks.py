"""For receivers of notices of a node or an upload gate: is this one genuine, fresh and new?

    receiver = Receiver(["whsec_…"])
    notice = receiver.read(request.headers, request.body, datetime.now(UTC))
    if notice is not None: …     # None: it came before; answer 2xx all the same

The form is that of Standard Webhooks, so that its libraries in other languages do the same. Pure: bytes and time are handed in.
"""

from __future__ import annotations

import hmac
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from vigil.base.errors import InputError, RefusedError
from vigil.base.redaction import Sealed
from vigil.base.webhooks import ID, PREFIX, SIGNATURE, TIMESTAMP, secret_of, signature

TOLERANCE: Final = timedelta(minutes=5)
BODY_BYTES: Final = 64 * 1024
REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Notice:
    """What was told. ``type``: ``media.verdict``, ``edition.in_force`` or ``entries.withdrawn`` by a node, ``upload.decided`` by

    an upload gate; others may come.
    """

    id: str
    type: str
    sent_at: datetime
    data: Mapping[str, Any] = field(repr=False)


class _Body(msgspec.Struct, frozen=True):
    type: str
    timestamp: str
    data: dict[str, Any]


class Receiver:
    """Checks notices. ``secrets``: those that count now; two while one is being changed.

    Remembers the identifiers of the last ten minutes, a hundred thousand at most; threads may share one. Where several processes
    receive, what was done already must be kept in a place that they share, under :attr:`Notice.id`.
    """

    def __init__(self, secrets: Sequence[str], tolerance: timedelta = TOLERANCE) -> None:
        self._secrets = tuple(Sealed(_bytes_of(secret)) for secret in secrets)
        if not self._secrets:
            raise InputError("webhook_secret", "A receiver needs a secret.")
        self._tolerance = tolerance
        self._seen: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice | None:
        """The notice; None where it came before. RefusedError: forged or old. InputError: no notice."""
        named = {name.lower(): value for name, value in headers.items()}
        identifier, stamp = named.get(ID, ""), named.get(TIMESTAMP, "")
        if len(body) > BODY_BYTES or not identifier.isascii() or not 0 < len(identifier) <= 200:
            raise InputError("webhook_malformed", "This is not a notice of a node.")
        sent_at = self._sent_at(stamp, now)
        self._require_signed(named.get(SIGNATURE, ""), f"{identifier}.{stamp}.".encode("ascii") + body)
        try:
            found = msgspec.json.decode(body, type=_Body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError("webhook_malformed", "This is not a notice of a node.") from error
        return Notice(identifier, found.type, sent_at, found.data) if self._is_new(identifier, now) else None

    def forget(self, notice: Notice) -> None:
        """Call where handling failed, and answer 5xx: the notice will come again, and is then new."""
        with self._lock:
            self._seen.pop(notice.id, None)

    def _sent_at(self, stamp: str, now: datetime) -> datetime:
        if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 11:
            raise InputError("webhook_malformed", "The notice does not say when it was sent.", where=TIMESTAMP)
        sent_at = datetime.fromtimestamp(int(stamp), UTC)
        if abs(now - sent_at) > self._tolerance:
            raise RefusedError(
                "webhook_old", "The notice was sent too long ago, or the clocks differ.", where=TIMESTAMP
            )
        return sent_at

    def _require_signed(self, header: str, signed: bytes) -> None:
        """One of the signatures is by one of the secrets; every pair is compared, in constant time."""
        parts = (part for part in header.split(" ")[:8] if part.startswith("v1,"))
        given = [part.partition(",")[2].encode("utf-8", "surrogatepass") for part in parts]
        right = [signature(signed, secret.open()).encode() for secret in self._secrets]
        if sum(hmac.compare_digest(one, other) for one in given for other in right) == 0:
            raise RefusedError("webhook_forged", "The notice is not signed with the secret.", where=SIGNATURE)

    def _is_new(self, identifier: str, now: datetime) -> bool:
        """A signature is good for as long as its time is: what came within that time is remembered."""
        with self._lock:
            before = self._seen.pop(identifier, None)
            fresh = before is None or now - before > 2 * self._tolerance
            while len(self._seen) >= REMEMBERED:
                self._seen.popitem(last=False)
            self._seen[identifier] = now if fresh or before is None else before
        return fresh


def _bytes_of(secret: str) -> bytes:
    found = secret_of(secret)
    if found is None:
        raise InputError("webhook_secret", "This is not the secret of a webhook.", mend=f"It begins with {PREFIX}.")
    return found

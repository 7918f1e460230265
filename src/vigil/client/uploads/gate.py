"""The steps of the gate: read, ask, then publish, hold or refuse; tell the hotline and the application. Over parts handed in.

An object stays in the incoming bucket, which nobody outside reads, until a node has answered. ``not_listed`` copies it to the
published bucket; ``listed`` copies it to quarantine and reports it; ``unknown`` that can pass is asked again, any other is held
for a person. Every step may run twice: events come twice, and a gate may be stopped between two steps. A file is removed from
the incoming bucket last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from vigil.base.clock import Clock, text_of
from vigil.base.errors import InputError, UnavailableError
from vigil.client.results import Listed, NotListed, Unknown, Verdict
from vigil.client.uploads.events import Uploaded
from vigil.client.uploads.hotline import Reported
from vigil.client.uploads.s3 import ObjectGoneError, Read
from vigil.media import ImageHashes, Unhashable

TOO_LARGE: Final = "too_large"


class Outcome(StrEnum):
    """What became of an upload."""

    RELEASED = "released"
    QUARANTINED = "quarantined"
    HELD = "held"
    LATER = "later"
    GONE = "gone"


class Store(Protocol):
    """Where uploads are; see :class:`vigil.client.uploads.s3.S3Store`."""

    def read(self, bucket: str, key: str, most: int) -> Read | None: ...
    def copy(self, source: str, target: str, key: str, etag: str) -> None: ...
    def delete(self, bucket: str, key: str) -> None: ...


class Reporter(Protocol):
    """The hotline; see :class:`vigil.client.uploads.hotline.Hotline`."""

    def report(
        self, found: ImageHashes | Unhashable, *, reference: str, observed_at: str, words: str = ""
    ) -> Reported: ...


@dataclass(frozen=True, slots=True)
class Buckets:
    """``incoming`` is private; ``published`` is what visitors see; ``quarantine`` is for few people; ``held`` waits for a

    person.
    """

    incoming: str
    published: str
    quarantine: str
    held: str


@dataclass(frozen=True, slots=True)
class UploadGate:
    """One platform's gate. ``ask`` answers for the bytes of a file; ``tell`` takes a notice for the application."""

    store: Store
    buckets: Buckets
    ask: Callable[[bytes], Verdict]
    hashes: Callable[[bytes], ImageHashes | Unhashable]
    clock: Clock
    tell: Callable[[dict[str, Any]], None]
    reporter: Reporter | None = None
    most_bytes: int = 64 * 1024 * 1024

    def handle(self, upload: Uploaded) -> Outcome:
        """Take one upload as far as it goes now. Raises UnavailableError where the store or the hotline does not answer."""
        if upload.bucket != self.buckets.incoming:
            return Outcome.GONE
        try:
            return self._handle(upload)
        except ObjectGoneError:
            return Outcome.GONE

    def _handle(self, upload: Uploaded) -> Outcome:
        read = self.store.read(upload.bucket, upload.key, self.most_bytes)
        if read is None:
            return self._hold_unread(upload)
        verdict = self.ask(read.data)
        if isinstance(verdict, NotListed):
            return self._move(upload, read, self.buckets.published, Outcome.RELEASED, verdict)
        if isinstance(verdict, Listed):
            self._report(read.data)
            return self._move(upload, read, self.buckets.quarantine, Outcome.QUARANTINED, verdict)
        if isinstance(verdict, Unknown) and verdict.passing:
            return Outcome.LATER
        return self._move(upload, read, self.buckets.held, Outcome.HELD, verdict)

    def refer(self, key: str, words: str = "") -> Reported:
        """A person of the platform hands in what no list knows: the hotline gets the hashes, quarantine the file."""
        if self.reporter is None:
            raise InputError("no_hotline", "No hotline is configured.", mend="Set hotline.address.")
        read = self.store.read(self.buckets.held, key, self.most_bytes)
        if read is None:
            raise InputError("object_too_large", "The object is too large.")
        reported = self._report(read.data, words)
        self.store.copy(self.buckets.held, self.buckets.quarantine, key, read.etag)
        self.store.delete(self.buckets.held, key)
        if reported is None:
            raise UnavailableError("hotline_refused", "The hotline gave no reference.")
        return reported

    def release(self, key: str) -> None:
        """A person has looked at a held object and finds it fit to be published."""
        read = self.store.read(self.buckets.held, key, self.most_bytes)
        if read is None:
            raise InputError("object_too_large", "The object is too large.")
        self.store.copy(self.buckets.held, self.buckets.published, key, read.etag)
        self.tell({"event": "upload", "key": key, "outcome": Outcome.RELEASED, "by": "person"})
        self.store.delete(self.buckets.held, key)

    def _report(self, data: bytes, words: str = "") -> Reported | None:
        """The reference is the file's digest: the same file is one report, however often it is uploaded."""
        if self.reporter is None:
            return None
        digest = hashlib.sha256(data).hexdigest()
        observed = text_of(self.clock.now())
        return self.reporter.report(self.hashes(data), reference=f"upload-{digest[:40]}", observed_at=observed, words=words)

    def _move(self, upload: Uploaded, read: Read, target: str, outcome: Outcome, verdict: Verdict) -> Outcome:
        self.store.copy(upload.bucket, target, upload.key, read.etag)
        self.tell(notice_of(upload, outcome, verdict))
        self.store.delete(upload.bucket, upload.key)
        return outcome

    def _hold_unread(self, upload: Uploaded) -> Outcome:
        """A file that is too large to be looked at stays where it is: nobody but a person decides on it."""
        self.tell({"event": "upload", "key": upload.key, "outcome": Outcome.HELD, "reason": TOO_LARGE})
        return Outcome.HELD


def notice_of(upload: Uploaded, outcome: Outcome, verdict: Verdict) -> dict[str, Any]:
    """What the application is told: its own key, what was done, and the numbers of the entry."""
    notice: dict[str, Any] = {"event": "upload", "key": upload.key, "outcome": outcome, "edition": verdict.edition}
    if isinstance(verdict, Listed):
        notice |= {"list": verdict.list, "entry": verdict.entry}
    if isinstance(verdict, Unknown):
        notice["reason"] = verdict.reason
    return notice

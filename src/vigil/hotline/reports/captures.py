"""Captures: who may ask for one, how the worker takes, runs and settles it; and hashing a file that was handed in.

Off until the operator has configured a way out (a proxy, Tor, or directly) and recorded the legal basis, by a command that
leaves an audit row. A capture is claimed for a short time
that the run renews as it goes: when a worker is killed, its claim runs out and the next one starts afresh. What
was found is written in one transaction with the end of the capture, so nothing is ever half there.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, Protocol

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from vigil import __version__
from vigil.base.errors import InputError, RefusedError, UnavailableError, VigilError
from vigil.base.limits import MEDIA_BYTES
from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import new_id
from vigil.hotline.access.people import WORKER, Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.prepared import SAMPLE_ID, Prepared
from vigil.hotline.access.rows import insert_unless_there, insert_values, update
from vigil.hotline.audit.actions import record
from vigil.hotline.audit.codes import define
from vigil.hotline.reports.fetch_process import ProcessFetcher, setup_of
from vigil.hotline.reports.fetching import Address, Failure, Fetcher, FetchError, Proxy, fetchable
from vigil.hotline.reports.models import Report, Url
from vigil.hotline.reports.models.capture import (
    OPEN,
    Capture,
    CaptureBasis,
    CaptureStatus,
    Hash,
    Media,
    Sighting,
    SightingSource,
)
from vigil.hotline.reports.page import Hasher, Look, Picture, look_at
from vigil.hotline.reports.recipes import claimed_referrer, make_recipe, trail_of
from vigil.hotline.reports.warc import MIME, record_of
from vigil.hotline.vault.actions import do_put
from vigil.hotline.vault.models import EvidenceKind
from vigil.hotline.vault.queries import vault_on
from vigil.match.urls import UrlRefused, canonical
from vigil.media.model import ImageHashes, Unhashable

log = logging.getLogger(__name__)

CLAIM: Final = timedelta(seconds=45)
"""How long a run may be silent: longer than one fetch and one decoding together."""
ATTEMPTS: Final = 3

REQUESTED: Final = define("capture.requested", "A capture of a reported page was asked for.", "legal_basis")
DONE: Final = define("capture.done", "A capture ended.", "http_status", "pictures", "failed", "left_out")
FAILED: Final = define("capture.failed", "A capture failed.", "failure")
FILE_HASHED: Final = define("media.hashed", "A file was handed in, hashed and dropped.", "case", "new", "decoded")


ALLOWED: Final = define("capture.allowed", "Captures were allowed, on a legal basis.", "legal_basis")
FORBIDDEN: Final = define("capture.forbidden", "Captures were forbidden.")
BASIS_CHARACTERS: Final = 500


class CaptureSettings(Protocol):
    """The table ``[capture]`` of the configuration: exactly one way out, and the private networks that may be reached."""

    @property
    def proxy(self) -> str: ...

    @property
    def tor(self) -> str: ...

    @property
    def allow_networks(self) -> tuple[str, ...]: ...


class ClaimLost(Exception):  # noqa: N818 - not a failure: another run has the capture
    """This run was silent for too long and another one took over; it must leave everything as it is."""


# Of two rows of one instant the one without a basis comes first: forbidden wins.
_BASIS: Final = Prepared(CaptureBasis, lambda: CaptureBasis.objects.order_by("-created_at", "basis", "-pk")[:1])


def basis_in_force() -> CaptureBasis | None:
    """The legal basis that the operator recorded last; None where there is none, or captures were forbidden since."""
    return next((row for row in _BASIS.all() if row.basis), None)


def captures_on() -> bool:
    """True where the operator has configured a way out and recorded the legal basis."""
    return settings.CONFIG.capture is not None and basis_in_force() is not None


def check_allow_captures(person: Person, basis: str) -> None:
    """By the operator, in words that an auditor can follow."""
    must(person, Permission.CAPTURE_ALLOW)
    if not 10 <= len(basis.strip()) <= BASIS_CHARACTERS:
        raise InputError(
            "legal_basis_missing", f"Name the law or permit in 10 to {BASIS_CHARACTERS} characters.", where="legal_basis"
        )


def do_allow_captures(person: Person, basis: str) -> CaptureBasis:
    """Record the legal basis; captures are on from now, where a way out is configured."""
    check_allow_captures(person, basis)
    return _record_basis(person, basis.strip())


def do_forbid_captures(person: Person) -> CaptureBasis:
    """End it: what waits stays where it is, nothing more is fetched."""
    must(person, Permission.CAPTURE_ALLOW)
    return _record_basis(person, "")


def _record_basis(person: Person, basis: str) -> CaptureBasis:
    row = CaptureBasis(basis=basis, created_by=person.label)
    with transaction.atomic():
        row.save()
        if basis:
            record(person, ALLOWED, row, legal_basis=basis[:200])
        else:
            record(person, FORBIDDEN, row)
    return row


def _configured() -> tuple[CaptureSettings, str]:
    """The table and the legal basis in force; refused where captures are off."""
    configured: CaptureSettings | None = settings.CONFIG.capture
    basis = basis_in_force()
    if configured is None or basis is None:
        raise UnavailableError(
            "captures_off",
            "Captures are off: no way out is configured, or no legal basis is recorded.",
            mend="Ask your system administrator (`vigil hotline capture status`), or hash a file by hand.",
        )
    return configured, basis.basis


def via_of(configured: CaptureSettings) -> str:
    """The way out that the operator configured."""
    return "proxy" if configured.proxy else "tor" if configured.tor else "direct"


def fetcher_in_service() -> ProcessFetcher | None:
    """The fetcher that goes the configured way, in a process of its own; None where none is configured."""
    configured: CaptureSettings | None = settings.CONFIG.capture
    if configured is None:
        return None
    way = configured.proxy or configured.tor.replace("socks5h://", "http://", 1)
    proxy = Proxy.at(way) if way else Proxy("", 0)
    return ProcessFetcher(setup_of(via_of(configured), proxy.host, proxy.port, configured.allow_networks))


def address_of(url: Url) -> Address:
    """What to ask for: the address as it was given, which folding has not touched, wherever it can be read.

    Whatever is asked for has the canonical form of the case, so that what is seen is what would be listed.
    """
    raw, known = url.raw.open(), url.canonical.open()
    for text in (raw, f"{url.scheme}://{raw.strip()}"):
        try:
            address = fetchable(text)
            if canonical(address.text()).text() == known:
                return address
        except (FetchError, UrlRefused):
            continue
    return fetchable(known)


_UNDER_WAY: Final = Prepared(Capture, lambda url: Capture.objects.filter(url_id=url, status__in=OPEN), SAMPLE_ID)


def check_request_capture(person: Person, report: Report, url: Url) -> None:
    """Refuse where captures are off, the address is none that is fetched, or one is under way."""
    must(person, Permission.CAPTURE_REQUEST)
    _configured()
    try:
        address_of(url)
    except FetchError as error:
        raise RefusedError("address_not_fetched", "Only http and https pages are captured.") from error
    if _UNDER_WAY.exists(url.pk):
        raise RefusedError("capture_under_way", "A capture of this page is under way.", mend="Wait for its result.")


def do_request_capture(
    person: Person, report: Report, url: Url, *, before: tuple[str, ...] = (), referrer: str | None = None
) -> Capture:
    """Queue a capture of ``url`` for the worker. One open capture per address is a rule of the database.

    ``before``   pages to visit first. ``referrer`` to send; None means what the reporter said, else the last page before.
    """
    check_request_capture(person, report, url)
    configured, basis = _configured()
    sent = claimed_referrer(report) if referrer is None else referrer
    recipe = make_recipe(person, url, address_of(url), via_of(configured), before, sent)
    capture = Capture(
        url=url, report=report, legal_basis=basis, recipe=recipe, via=recipe.via, created_by=person.label
    )
    try:
        with transaction.atomic():
            recipe.save()
            capture.save(force_insert=True)
            record(person, REQUESTED, capture, legal_basis=basis[:200])
    except IntegrityError as error:
        raise RefusedError("capture_under_way", "A capture of this page is under way.") from error
    return capture


def claim_next() -> Capture | None:
    """The oldest capture that waits, or whose run has gone silent, claimed for this run; None where there is none.

    One that was taken ``ATTEMPTS`` times without an end is failed instead.
    """
    must(WORKER, Permission.CAPTURE_RUN)
    if not captures_on():
        return None
    with transaction.atomic():
        free = Q(status=CaptureStatus.REQUESTED) | Q(status=CaptureStatus.RUNNING, claimed_until__lt=now())
        capture = (
            Capture.objects.select_for_update(skip_locked=True).filter(free).order_by("created_at").first()
        )
        if capture is None:
            return None
        if capture.attempts >= ATTEMPTS:
            _fail(capture, Failure.WORKER_LOST)
            return None
        capture.status, capture.claim = CaptureStatus.RUNNING, uuid.uuid4()
        capture.claimed_until, capture.attempts = now() + CLAIM, capture.attempts + 1
        capture.save()
        return capture


def run(capture: Capture, fetcher: Fetcher, hash_image: Hasher, stopping: Callable[[], bool] = bool) -> None:
    """Visit the page, hash its pictures, write down what was found. Settles the capture in every case but two.

    A run that lost its claim, or that is asked to stop, leaves the capture to the next one.
    """

    def progress() -> None:
        if stopping() or not _mine(capture).update(claimed_until=now() + CLAIM):
            raise ClaimLost

    try:
        progress()
        look = look_at(address_of(capture.url), fetcher, hash_image, progress, trail_of(capture.recipe))
    except ClaimLost:
        return
    except FetchError as error:
        failure = error.failure
        _settle(capture, lambda held: _fail(held, failure))
        return
    _settle(capture, lambda held: _keep(held, look))


def _mine(capture: Capture) -> QuerySet[Capture]:
    return Capture.objects.filter(pk=capture.pk, claim=capture.claim, status=CaptureStatus.RUNNING)


def _settle(capture: Capture, write: Callable[[Capture], None]) -> None:
    """Write the end of the capture, unless another run has it by now."""
    with transaction.atomic():
        held = _mine(capture).select_for_update().first()
        if held is not None:
            write(held)


def _fail(capture: Capture, failure: Failure) -> None:
    _close(capture, CaptureStatus.FAILED)
    capture.failure = failure.value
    capture.save()
    record(WORKER, FAILED, capture, failure=failure.value)


def _keep(capture: Capture, look: Look) -> None:
    _close(capture, CaptureStatus.DONE)
    capture.http_status, capture.page_sha256, capture.page_bytes = look.status, look.sha256, look.size
    capture.pictures_found, capture.pictures_failed = look.found, look.failed
    capture.pictures_left_out = look.left_out
    _note_answer(capture, look)
    capture.warc_ref = _recorded(capture, look)
    capture.save()
    media, _ = _media_of(look.pictures, WORKER)
    insert_values(Sighting, [
        {"media_id": each.pk, "report_id": capture.report_id, "capture_id": capture.pk, "source": SightingSource.CAPTURE,
         "position": position, "created_by": WORKER.label}
        for position, each in enumerate(media, start=1)
    ])  # fmt: skip
    record(
        WORKER, DONE, capture, http_status=look.status, pictures=len(look.pictures),
        failed=look.failed, left_out=look.left_out,
    )  # fmt: skip


def _note_answer(capture: Capture, look: Look) -> None:
    """What the server said about itself, and the way there. Sealed: headers and addresses may name people."""
    if look.page is None:
        return
    capture.headers = json.dumps(look.page.headers)
    capture.chain = json.dumps([address.text() for address in (*look.page.chain, look.page.url)])
    capture.tls_fingerprint, capture.resolved_ip = look.page.certificate, look.page.ip or None


def _recorded(capture: Capture, look: Look) -> str:
    """The id of the page's record in the evidence vault; empty where no vault is on, or it cannot take it now."""
    if look.page is None or not vault_on():
        return ""
    key = new_id()
    record_bytes = record_of(look.page, now(), key, f"vigil {__version__}")
    try:
        made = do_put(
            WORKER, capture.report_id, EvidenceKind.WARC, record_bytes, mime=MIME, source=look.page.url.text()
        )  # fmt: skip
    except (VigilError, OSError) as error:
        # The capture's own rows are worth more than its record: they stay, without one, and the operator reads why.
        log.error("no record of a capture in the vault", extra={"fields": {"why": getattr(error, "code", type(error).__name__)}})
        return ""
    return str(made.pk)


def _close(capture: Capture, status: CaptureStatus) -> None:
    capture.status, capture.finished_at = status, now()
    capture.claim, capture.claimed_until = None, None
    capture.software_version = __version__


def keep_file(person: Person, report: Report, picture: Picture, position: int) -> Media:
    """Tie a file that came with a report to it: its hashes stay, its bytes are gone already. In the caller's transaction."""
    (media,), fresh = _media_of([picture], person)
    if not media.sightings.filter(report=report).exists():
        Sighting(
            media=media, report=report, source=SightingSource.MAIL, position=position, created_by=person.label
        ).save()
    record(person, FILE_HASHED, media, case=str(report.pk), new=media.pk in fresh, decoded=not media.unhashable)
    return media


def check_hash_file(person: Person, data: bytes) -> None:
    """Refuse where the person may not, or the file is empty or too large."""
    must(person, Permission.ASSESS)
    if not data:
        raise InputError("file_empty", "The file is empty.", mend="Choose the picture again.")
    if len(data) > MEDIA_BYTES.value:
        mebibytes = MEDIA_BYTES.value // 1024**2
        raise InputError("file_too_large", f"The file is larger than {mebibytes} MiB.", mend="Hash it elsewhere.")


def do_hash_file(person: Person, report: Report, data: bytes, hash_image: Hasher) -> Media:
    """Hash a picture that an analyst hands in, tie it to the case, and let its bytes go.

    A file that cannot be decoded keeps its exact digests; ``Media.unhashable`` says why.
    """
    check_hash_file(person, data)
    picture = Picture(hash_image(data), len(data), "")
    with transaction.atomic():
        (media,), fresh = _media_of([picture], person)
        if not media.sightings.filter(report=report).exists():
            Sighting(
                media=media, report=report, source=SightingSource.UPLOAD, created_by=person.label
            ).save()
        record(person, FILE_HASHED, media, case=str(report.pk), new=media.pk in fresh, decoded=not media.unhashable)
    return media


def _media_of(pictures: Sequence[Picture], person: Person) -> tuple[list[Media], set[uuid.UUID]]:
    """The row of each file, in the same order, made where it is new; and the keys of the new ones. All files share a few
    questions. They are added in the order of their digests, so that two captures of the same files cannot wait in a circle.
    A file that could not be decoded before may be now."""
    wanted = {picture.hashes.sha256.hex(): picture for picture in reversed(pictures)}
    fresh = insert_unless_there([_new_media(digest, wanted[digest], person) for digest in sorted(wanted)])
    rows = {media.sha256: media for media in Media.objects.filter(sha256__in=list(wanted))}
    _add_pdqs([(media, wanted[digest].hashes) for digest, media in sorted(rows.items())], person)
    return [rows[picture.hashes.sha256.hex()] for picture in pictures], fresh


def _new_media(digest: str, picture: Picture, person: Person) -> Media:
    hashes = picture.hashes
    return Media(
        sha256=digest,
        md5=hashes.md5.hex(),
        sha1=hashes.sha1.hex(),
        size=picture.size,
        mime=_mime(picture),
        unhashable="" if isinstance(hashes, ImageHashes) else hashes.reason.value,
        width=hashes.width if isinstance(hashes, ImageHashes) else None,
        height=hashes.height if isinstance(hashes, ImageHashes) else None,
        created_by=person.label,
    )


def _add_pdqs(files: Sequence[tuple[Media, ImageHashes | Unhashable]], person: Person) -> None:
    """Fingerprints of those files that were decoded and have none yet."""
    known = set(Hash.objects.filter(media__in=[media.pk for media, _ in files]).values_list("media", flat=True))
    decoded = [(media, hashes) for media, hashes in files if isinstance(hashes, ImageHashes) and media.pk not in known]
    late = [media for media, _ in decoded if media.unhashable]
    for media, hashes in decoded:
        media.width, media.height, media.unhashable = hashes.width, hashes.height, ""
    update(late, "width", "height", "unhashable")
    insert_unless_there([
        Hash(media=media, algorithm="pdq", value=hashes.pdq.hex(), bits=256, quality=hashes.pdq_quality,
             software_version=__version__, created_by=person.label)
        for media, hashes in decoded
    ])  # fmt: skip


def _mime(picture: Picture) -> str:
    """What the decoder found; what the server said only where nothing could be decoded."""
    if isinstance(picture.hashes, ImageHashes):
        return f"image/{picture.hashes.format.lower()}"[:60]
    return picture.declared_type[:60] or "application/octet-stream"

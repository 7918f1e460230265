"""Captures, and what they found: media known by digest, their hashes, and where they were seen. Never their bytes."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from vigil.hotline.access.entity import AppendOnly, Entity
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.reports.fetching import Failure


class CaptureStatus(models.TextChoices):
    REQUESTED = "requested", "Waiting for the worker"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


OPEN = (CaptureStatus.REQUESTED, CaptureStatus.RUNNING)


class CaptureBasis(AppendOnly):
    """Captures were allowed, with the legal basis in the operator's words, or forbidden again (``basis`` empty)."""

    basis = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at"]


class Via(models.TextChoices):
    DIRECT = "direct", "Directly"
    TOR = "tor", "Through Tor"
    PROXY = "proxy", "Through a proxy"


class AccessRecipe(AppendOnly):
    """How to reach the content again: the ordered steps that make it appear. A later check replays the same ones; a
    capture that is done has verified them.

    ``steps``     JSON list of {"address", "referrer"}: pages to visit first, the reported address last.
    ``referrer``  sent with the last step; empty means none.
    """

    url = models.ForeignKey("reports.Url", on_delete=models.PROTECT, related_name="recipes")
    steps = SealedTextField()
    referrer = SealedTextField(default="")
    via = models.CharField(max_length=10, choices=Via)


class Capture(Entity):
    """One visit to a reported address by the worker, through the configured proxy.

    ``claim``, ``claimed_until``   which run of the worker has it, and until when; a run that is killed leaves
    the capture to the next one. ``pictures_left_out`` counts what was beyond the limit or could not be asked for.
    ``page_sha256`` is of the page's bytes, to see a change without viewing.
    ``headers``     JSON list of name and value as the last server sent them; ``chain`` of the addresses visited on the way.
    ``tls_fingerprint`` SHA-256 of the server's certificate. ``resolved_ip`` is known only where we resolved ourselves.
    ``warc_ref``    names the record in the evidence vault; empty where there is no vault.
    """

    url = models.ForeignKey("reports.Url", on_delete=models.PROTECT, related_name="captures")
    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="captures")
    legal_basis = models.CharField(max_length=500)
    status = models.CharField(
        max_length=10, choices=CaptureStatus.choices, default=CaptureStatus.REQUESTED, db_index=True
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    claim = models.UUIDField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(max_length=30, blank=True, choices=[(code.value, code.value) for code in Failure])
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    page_sha256 = models.CharField(max_length=64, blank=True)
    page_bytes = models.PositiveIntegerField(null=True, blank=True)
    pictures_found = models.PositiveSmallIntegerField(default=0)
    pictures_failed = models.PositiveSmallIntegerField(default=0)
    pictures_left_out = models.PositiveIntegerField(default=0)
    software_version = models.CharField(max_length=40, blank=True)
    recipe = models.ForeignKey(
        AccessRecipe, on_delete=models.PROTECT, null=True, blank=True, related_name="captures"
    )
    via = models.CharField(max_length=10, blank=True, choices=Via)
    resolved_ip = models.GenericIPAddressField(null=True, blank=True)
    tls_fingerprint = models.CharField(max_length=64, blank=True)
    headers = SealedTextField(null=True, blank=True)
    chain = SealedTextField(null=True, blank=True)
    warc_ref = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["url"], condition=models.Q(status__in=OPEN), name="reports_one_open_capture_per_url"
            )
        ]


class MediaKind(models.TextChoices):
    IMAGE = "image", "Picture"
    VIDEO = "video", "Video"
    GIF = "gif", "GIF"
    LIVE_CAPTURE = "live_capture", "Captured live stream"
    AUDIO = "audio", "Sound"
    TEXT = "text", "Text"
    ARCHIVE = "archive", "Archive"


class Media(Entity):
    """One distinct file, known by digest. ``width`` and ``height`` are None where it could not be decoded;
    ``unhashable`` says why. Nothing of the file itself is kept (``stored`` is "none" by construction)."""

    sha256 = models.CharField(max_length=64)
    md5 = models.CharField(max_length=32)
    sha1 = models.CharField(max_length=40)
    size = models.PositiveBigIntegerField()
    mime = models.CharField(max_length=60)
    kind = models.CharField(max_length=12, choices=MediaKind.choices, default=MediaKind.IMAGE)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    unhashable = models.CharField(max_length=30, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["md5"], name="reports_media_md5"),
            models.Index(fields=["sha1"], name="reports_media_sha1"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["sha256"], name="reports_media_once")  # one index, as with addresses
        ]

    @property
    def label(self) -> str:
        """A short name for people: the start of the digest, which says nothing about the content."""
        return self.sha256[:12]


class Hash(Entity):
    """One perceptual fingerprint of a file; ``quality`` as its algorithm gives it, 0 to 100."""

    media = models.ForeignKey(Media, on_delete=models.PROTECT, related_name="hashes", db_index=False)  # its constraint has one
    algorithm = models.CharField(max_length=20)
    value = SealedTextField()
    bits = models.PositiveSmallIntegerField()
    quality = models.PositiveSmallIntegerField(null=True, blank=True)
    software_version = models.CharField(max_length=40)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["media", "algorithm"], name="reports_one_hash_per_algorithm")
        ]


class SightingSource(models.TextChoices):
    CAPTURE = "capture", "Seen by a capture"
    UPLOAD = "upload", "Handed in by an analyst"
    MAIL = "mail", "Came by e-mail"


class Sighting(AppendOnly):
    """A file was seen in a case: by a capture, at its ``position`` on the page, or handed in by an analyst."""

    media = models.ForeignKey(Media, on_delete=models.PROTECT, related_name="sightings")
    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="sightings")
    capture = models.ForeignKey(
        Capture, on_delete=models.PROTECT, null=True, blank=True, related_name="sightings"
    )
    source = models.CharField(max_length=10, choices=SightingSource.choices)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at", "position"]

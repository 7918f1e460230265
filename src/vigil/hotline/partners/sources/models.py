"""Rows of sources, their pages, entries, fingerprints, what was set aside, and opinions on their way back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import Entity, new_id
from vigil.hotline.access.sealing import SealedTextField

no_options = dict


class SourceKind(StrEnum):
    """Kinds of source; each has a module of its own in this folder."""

    NCMEC = "ncmec"
    STOPNCII = "stopncii"
    THREATEXCHANGE = "threatexchange"
    DELIMITED = "delimited"
    MISP_FEED = "misp_feed"
    MISP = "misp"
    TAXII = "taxii"
    EDITION = "edition"


def choices(values: type[StrEnum]) -> list[tuple[str, str]]:
    """Choices of a column from an enumeration."""
    return [(value.value, value.value.replace("_", " ")) for value in values]


class Source(Entity):
    """One source as the operator set it up, and how its last fetch went.

    ``credentials``   sealed JSON of names and secrets
    ``cursor``        sealed JSON: where the feed goes on
    ``filling``       number of the full fetch under way, 0 for none; ``generation`` that of the last whole one
    ``damaged``       something of the full fetch under way could not be read: what it did not show may have stood there
    ``held_back``     entries that vanished in a full fetch and wait for a person to agree, or for ``empty_hours``
    ``empty_since``   the first of the full fetches in a row that showed nothing of what is in force
    ``empty_hours``   so long has a source to go on showing nothing before that is believed; 0: at once
    ``failures``      runs in a row without success; ``stuck_at`` digest of the cursor at which they ended
    ``mirror``        digest over what is in force, as of ``mirror_at``
    """

    name = models.CharField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9.-]{0,59}$", "Use small letters, digits, dot and dash.")],
    )
    kind = models.CharField(max_length=20, choices=choices(SourceKind))
    address = models.CharField(max_length=500)
    options = models.JSONField(default=no_options, blank=True)
    credentials = SealedTextField(null=True, blank=True)
    every_minutes = models.PositiveIntegerField(default=15)
    requests_a_minute = models.PositiveIntegerField(default=120)
    reconcile_days = models.PositiveIntegerField(default=7)
    empty_hours = models.PositiveIntegerField(default=24)
    paused = models.BooleanField(default=False)

    cursor = SealedTextField(null=True, blank=True)
    generation = models.PositiveIntegerField(default=0)
    filling = models.PositiveIntegerField(default=0)
    damaged = models.BooleanField(default=False)
    held_back = models.PositiveIntegerField(default=0)
    empty_since = models.DateTimeField(null=True, blank=True)
    claim = models.UUIDField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    page_at = models.DateTimeField(null=True, blank=True)
    succeeded_at = models.DateTimeField(null=True, blank=True)
    whole_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    stuck_at = models.CharField(max_length=64, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_text = models.CharField(max_length=500, blank=True)
    next_try_at = models.DateTimeField(default=now, db_index=True)
    mirror = models.CharField(max_length=64, blank=True)
    mirror_entries = models.PositiveIntegerField(default=0)
    mirror_at = models.DateTimeField(null=True, blank=True)
    votes_failed = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name

    def is_running(self, moment: datetime) -> bool:
        """True while a worker has the source."""
        return self.claimed_until is not None and self.claimed_until > moment


class ImportedPage(models.Model):
    """Records that came together. ``content`` is their packed JSON, sealed; ``generation`` the last full fetch that saw it.

    ``records`` of them were taken from this page when it came; where entries still stand on all of them, the page is known
    and need not be read again.
    """

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="pages")
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64, blank=True)
    generation = models.PositiveIntegerField(default=0)
    records = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField(default=now)
    content = models.TextField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["source", "digest"], name="sources_page_digest")]


class ImportedEntry(models.Model):
    """One entry of a source. What it holds lies in its page, at ``position``; here is what is needed to find and count it.

    ``key``      the source's name of it, or a keyed digest where that name is confidential
    ``digest``   keyed, of everything that matters: equal digests need no work
    ``gone``     taken back by the source, or missing from a full fetch
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # The database does not check source and page of each of millions of rows: who keeps a page has locked its source and writes
    # page and entries in one transaction, and who removes a source has locked it too (decisions 0250 and 0421).
    source = models.ForeignKey(
        Source, on_delete=models.CASCADE, related_name="entries", db_index=False, db_constraint=False
    )
    key = models.CharField(max_length=200)
    media = models.CharField(max_length=10)
    member = models.CharField(max_length=120, blank=True)
    labels = models.CharField(max_length=400, blank=True)
    gone = models.BooleanField(default=False)
    changed_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    kept_at = models.DateTimeField()
    generation = models.PositiveIntegerField(default=0)
    page = models.ForeignKey(ImportedPage, on_delete=models.PROTECT, related_name="entries", db_constraint=False)
    position = models.PositiveIntegerField()
    digest = models.BinaryField(max_length=16)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["source", "key"], name="sources_entry_once")
        ]

    def __str__(self) -> str:
        return f"imported:{self.pk}"


class ImportedFingerprint(models.Model):
    """The keyed digest of one fingerprint of an entry in force."""

    id = models.BigAutoField(primary_key=True)
    # The database does not check the entry of each of millions of rows, which a page writes together with it (decision 0250).
    entry = models.ForeignKey(ImportedEntry, on_delete=models.CASCADE, related_name="fingerprints", db_constraint=False)
    algorithm = models.CharField(max_length=40)
    digest = models.BinaryField(max_length=16, db_index=True)


class QuarantinedRecord(models.Model):
    """A record, or a page, that is not in use, named so that it can be asked for at the source."""

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="quarantine")
    name = models.CharField(max_length=200)
    page = models.CharField(max_length=200, blank=True)
    flaw = models.CharField(max_length=20)
    digest = models.CharField(max_length=64)
    raw = SealedTextField(null=True, blank=True)
    first_seen_at = models.DateTimeField(default=now)
    last_seen_at = models.DateTimeField(default=now)
    times = models.PositiveIntegerField(default=1)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-last_seen_at", "-pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["source", "digest"], name="sources_quarantine_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["source", "last_seen_at"], condition=Q(settled_at=None), name="sources_quarantine_open")
        ]


class VoteState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    REFUSED = "refused"


class SourceVote(Entity):
    """An opinion of the hotline on one fingerprint of an imported entry, queued for the source."""

    entry = models.ForeignKey(ImportedEntry, on_delete=models.PROTECT, related_name="votes")
    algorithm = models.CharField(max_length=40)
    agrees = models.BooleanField()
    reason = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=10, choices=choices(VoteState), default=VoteState.QUEUED, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["entry", "algorithm"], condition=Q(state="queued"), name="sources_one_vote_queued"
            )
        ]


Rows = list[tuple[Any, ...]]

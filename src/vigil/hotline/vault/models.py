"""Objects in the vault, and their custody."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from vigil.hotline.access.entity import AppendOnly, Entity
from vigil.hotline.access.sealing import SealedTextField


class EvidenceKind(models.TextChoices):
    MEDIA = "media", "Picture or video"
    WARC = "warc", "Capture of a page (WARC)"
    DOCUMENT = "document", "Document"


class Purpose(models.TextChoices):
    """Why somebody may look. Nothing is decrypted without one."""

    ASSESSMENT = "assessment", "Assessment"
    REVIEW = "review", "Second look"
    APPEAL = "appeal", "Appeal"
    POLICE = "police", "Request of the police"
    VERIFICATION = "verification", "Check that it is whole"


class CustodyKind(models.TextChoices):
    ACQUIRED = "acquired", "Acquired"
    DERIVED = "derived", "Derived"
    ACCESSED = "accessed", "Accessed"
    TRANSFERRED = "transferred", "Transferred"
    EXPORTED = "exported", "Exported"
    DISPOSED = "disposed", "Disposed of"
    VERIFIED = "verified", "Verified"


class EvidenceObject(Entity):
    """One sealed object. Its bytes lie in the vault's folder; nothing of them is here but digests.

    ``case``            id of the case it belongs to.
    ``source``          where it comes from, sealed: an address, for example.
    ``sha256``, ``blake2b``  of the bytes before they were sealed: a second digest, should one be broken one day.
    ``key_id``, ``wrapped_key``  its own key, wrapped by the key of that id. Empty once disposed of.
    ``retention_until`` when it is to be deleted, unless ``legal_hold``.
    """

    case = models.UUIDField(db_index=True)
    kind = models.CharField(max_length=10, choices=EvidenceKind.choices)
    sha256 = models.CharField(max_length=64, db_index=True)
    blake2b = models.CharField(max_length=128)
    size = models.PositiveBigIntegerField()
    mime = models.CharField(max_length=80, blank=True)
    source = SealedTextField(null=True, blank=True)
    software = models.CharField(max_length=60, blank=True)
    legal_basis = models.CharField(max_length=500)
    key_id = models.CharField(max_length=20, blank=True)
    wrapped_key = models.CharField(max_length=120, blank=True)
    retention_until = models.DateTimeField()
    legal_hold = models.BooleanField(default=False)
    disposed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["case", "sha256"], condition=Q(disposed_at=None), name="vault_once_in_a_case"),
            models.CheckConstraint(
                condition=Q(disposed_at=None) & ~Q(wrapped_key="")
                | Q(disposed_at__isnull=False, wrapped_key="", legal_hold=False),
                name="vault_disposed_has_no_key",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["retention_until"], condition=Q(disposed_at=None), name="vault_due")
        ]

    @property
    def label(self) -> str:
        """A short name for people."""
        return self.sha256[:12]


class CustodyEvent(AppendOnly):
    """One step in the life of an object: who, why, how, to whom, on what basis. ``created_by`` is who."""

    object = models.ForeignKey(EvidenceObject, on_delete=models.PROTECT, related_name="custody")
    kind = models.CharField(max_length=12, choices=CustodyKind.choices)
    why = models.CharField(max_length=20)
    mode = models.CharField(max_length=12, blank=True)
    recipient = SealedTextField(null=True, blank=True)
    legal_basis = models.CharField(max_length=500, blank=True)
    receipt = models.CharField(max_length=120, blank=True)
    proof = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at"]

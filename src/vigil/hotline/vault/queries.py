"""Questions about the vault."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from vigil.hotline.access.clock import now
from vigil.hotline.vault.models import EvidenceObject


def vault_on() -> bool:
    """True where the operator has configured a vault, which takes a recorded legal basis."""
    return settings.CONFIG.vault is not None


def kept(case: UUID) -> QuerySet[EvidenceObject]:
    """What the vault holds of a case."""
    return EvidenceObject.objects.filter(case=case, disposed_at=None)


def kept_file(case: UUID, sha256: str) -> EvidenceObject | None:
    """The object of a case with this digest; None where there is none."""
    found: EvidenceObject | None = kept(case).filter(sha256=sha256).first()
    return found


def due() -> QuerySet[EvidenceObject]:
    """Objects whose time is over and that no legal hold keeps."""
    return EvidenceObject.objects.filter(disposed_at=None, legal_hold=False, retention_until__lte=now())


def under_hold() -> QuerySet[EvidenceObject]:
    """Objects that a legal hold of their own keeps beyond their date."""
    return EvidenceObject.objects.filter(disposed_at=None, legal_hold=True).order_by("retention_until", "pk")

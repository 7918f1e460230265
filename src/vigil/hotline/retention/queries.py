"""Questions about retention."""

from __future__ import annotations

from django.db.models import QuerySet

from vigil.hotline.retention.models import Disposal, LegalHold


def holds_in_force() -> QuerySet[LegalHold]:
    """Legal holds, the latest first."""
    return LegalHold.objects.filter(released_at=None).select_related("report", "partner").order_by("-created_at")


def latest_disposals(number: int = 100) -> list[Disposal]:
    """The latest proofs."""
    return list(Disposal.objects.order_by("-created_at", "-pk")[:number])

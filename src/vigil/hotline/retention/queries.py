"""Questions about retention."""

from __future__ import annotations

from django.db.models import QuerySet

from vigil.hotline.partners.models import Agreement, Partner
from vigil.hotline.reports.models import Report, ReporterContact
from vigil.hotline.retention.models import Disposal, LegalHold


def holds_in_force() -> QuerySet[LegalHold]:
    """Legal holds, the latest first."""
    return LegalHold.objects.filter(released_at=None).select_related("report", "partner").order_by("-created_at")


def latest_disposals(number: int = 100) -> list[Disposal]:
    """The latest proofs."""
    return list(Disposal.objects.order_by("-created_at", "-pk")[:number])


def gone_from(kept: Report | Partner) -> tuple[str, ...]:
    """What was disposed of before anybody could hold it, in words: a hold keeps what is there, and no more."""
    if isinstance(kept, Partner):
        gone = {"contacts": Agreement.objects.filter(partner=kept, people__isnull=True).exists()}
    else:
        gone = {
            "what was reported": Report.objects.filter(pk=kept.pk, reduced_at__isnull=False).exists(),
            "the reporter's contact": ReporterContact.objects.filter(report=kept, purged_at__isnull=False).exists(),
        }
    return tuple(name for name, is_gone in gone.items() if is_gone)

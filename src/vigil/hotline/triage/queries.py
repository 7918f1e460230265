"""Questions about triage: what waits, what was closed by rule and how well, which emergencies stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Count, F, Q, QuerySet

from vigil.hotline.access.prepared import SAMPLE_ID, Prepared
from vigil.hotline.reports.enumerations import Status
from vigil.hotline.reports.models import Capture, Report
from vigil.hotline.reports.models.capture import CaptureStatus
from vigil.hotline.triage.models import AutoClosing, ClosingKind, Cluster, Emergency, Member, Triage


def waiting_for_triage(limit: int) -> list[Report]:
    """Reports that were never sorted, and those whose capture ended after they were: the most urgent first."""
    fresh = Report.objects.filter(is_open=True, status=Status.NEW, triages=None).order_by("urgency", "received_at")[:limit]
    found = list(fresh)
    if len(found) < limit:
        ended = Capture.objects.filter(status=CaptureStatus.DONE, pictures_found__gt=0, report__is_open=True)
        again = ended.exclude(report__triages__created_at__gte=F("finished_at")).select_related("report")
        found += [capture.report for capture in again.order_by("finished_at")[: limit - len(found)]]
    return found


_LATEST: Final = Prepared(
    Triage, lambda report: Triage.objects.filter(report_id=report).order_by("-created_at", "-pk")[:1], SAMPLE_ID
)


def latest_triage(report: Report) -> Triage | None:
    """The last sorting of a report."""
    return next(iter(_LATEST.all(report.pk)), None)


def closings_to_check() -> QuerySet[AutoClosing]:
    """The sample that a person checks, the oldest first."""
    return AutoClosing.objects.filter(sampled=True, right=None).select_related("report").order_by("created_at")


def closing_of(report: Report) -> AutoClosing | None:
    """The closing by rule that stands for a report, where there is one."""
    return AutoClosing.objects.filter(report=report).order_by("-created_at").first()


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a kind of rule closes: how many it closed, how many a person checked, how many of those were wrong."""

    kind: str
    closed: int
    checked: int
    wrong: int

    @property
    def share_wrong(self) -> float | None:
        """Wrong among checked; None while nothing is checked."""
        return self.wrong / self.checked if self.checked else None


def quality() -> list[Quality]:
    """One line for each kind of rule, over all time."""
    counts = {
        row["kind"]: row
        for row in AutoClosing.objects.values("kind").annotate(
            closed=Count("pk"), checked=Count("pk", filter=Q(right__isnull=False)), wrong=Count("pk", filter=Q(right=False))
        )
    }
    none = {"closed": 0, "checked": 0, "wrong": 0}
    return [
        Quality(str(kind.label), *(int(counts.get(kind.value, none)[name]) for name in ("closed", "checked", "wrong")))
        for kind in ClosingKind
    ]


def emergencies() -> QuerySet[Emergency]:
    """Emergencies that nobody has passed on to the police: those that nobody took up first."""
    open_ones = Emergency.objects.filter(passed_on_at=None, report__is_open=True)
    return open_ones.select_related("report").order_by(F("seen_at").asc(nulls_first=True), "created_at")


def unseen_emergencies() -> QuerySet[Emergency]:
    """Those that stand on everybody's pages."""
    return Emergency.objects.filter(seen_at=None, report__is_open=True)


def others_in(cluster: Cluster, cases: QuerySet[Report]) -> QuerySet[Member]:
    """Those of ``cases`` that are in a cluster, the newest first."""
    found: QuerySet[Member] = Member.objects.filter(cluster=cluster, report__in=cases).select_related("report")
    return found.order_by("-created_at")


_CLUSTERS: Final = Prepared(
    Member,
    lambda report: Member.objects.filter(report_id=report).select_related("cluster").order_by("cluster__kind"),
    SAMPLE_ID,
)


def clusters_of(report: Report) -> list[Member]:
    """The clusters a case is in."""
    return _CLUSTERS.all(report.pk)

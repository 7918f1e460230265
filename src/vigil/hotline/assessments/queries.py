"""Questions about assessments."""

from __future__ import annotations

from typing import Final

from vigil.hotline.access.prepared import SAMPLE_ID, Prepared
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.assessments.scheme import Stage
from vigil.hotline.reports.models import Report


def in_force(report: Report) -> Assessment | None:
    """The assessment that counts for this case: the latest that is no quality sample."""
    counted = report.assessments.exclude(stage=Stage.QA.value)
    return counted.select_related("assessor").order_by("-number").first()


_HISTORY: Final = Prepared(
    Assessment,
    lambda report: Assessment.objects.filter(report_id=report).select_related("assessor").order_by("-number"),
    SAMPLE_ID,
)


def history(report: Report) -> list[Assessment]:
    """All assessments of this case, the latest first."""
    return _HISTORY.all(report.pk)


def assessors_of(report: Report) -> frozenset[str]:
    """Labels of everybody who ever assessed this case: none of them may decide on its listing or on an appeal."""
    return frozenset(report.assessments.values_list("created_by", flat=True))

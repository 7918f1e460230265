"""Questions about assessed files, and the roll-up of a page from them."""

from __future__ import annotations

from typing import Final

from vigil.hotline.assessments.models import MediaAssessment
from vigil.hotline.assessments.rollup import Graded, RollUp, roll_up
from vigil.hotline.assessments.scheme import Stage
from vigil.hotline.reports.models import Media, Report

SEVERITY: Final = "uk_severity"


def in_force_of(media: Media) -> MediaAssessment | None:
    """The assessment of a file that counts: the latest."""
    found: MediaAssessment | None = (
        MediaAssessment.objects.filter(media=media).exclude(stage=Stage.QA.value).order_by("-number").first()
    )
    return found


def grades_of(report: Report) -> list[MediaAssessment]:
    """The assessments in force of the files seen in a case, with children and results loaded."""
    rows = (
        MediaAssessment.objects.filter(media__sightings__report=report).exclude(stage=Stage.QA.value).distinct()
        .select_related("media", "assessor").prefetch_related("depictions", "legality").order_by("number")
    )  # fmt: skip
    latest = {row.media_id: row for row in rows}
    return list(latest.values())


def severity_of(row: MediaAssessment) -> str:
    """``uk_severity`` by the latest mapping."""
    values = [result.value for result in row.legality.all() if result.axis == SEVERITY]
    return values[-1] if values else "undetermined"


def rolled_up(report: Report) -> RollUp | None:
    """The page's values computed from its files; None where no file was assessed."""
    return roll_up(
        Graded(
            row.media.label, severity_of(row), tuple(child.age_band for child in row.depictions.all()),
            tuple(child.sex for child in row.depictions.all()),
        )
        for row in grades_of(report)
    )  # fmt: skip

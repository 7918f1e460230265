"""What the case page reads of a case: the questions that every opening of it asks, each prepared.

Most cases have no row of most kinds. One question says of which kinds there are some; only those are asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, Q, QuerySet

from vigil.hotline.access.prepared import SAMPLE_ID, Prepared
from vigil.hotline.assessments.models import Assessment, MediaAssessment
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.holds.gate import reaching
from vigil.hotline.lists.models import Decision
from vigil.hotline.reports.models import Capture, Report, Submission, Url
from vigil.hotline.retention.contacts import held_of
from vigil.hotline.triage.models import Likeness, Member, Triage

HISTORY_ROWS: Final = 100
HOST_CASES: Final = 100
"""Other cases of one host that are counted. A host of a hundred thousand cases would be read for seconds otherwise."""


@dataclass(frozen=True, slots=True)
class There:
    """Of which kinds a case has rows."""

    assessments: bool
    holds: bool
    contact: bool
    captures: bool
    decisions: bool
    duplicates: bool
    triages: bool
    clusters: bool
    likenesses: bool
    grades: bool


def _kinds(case: UUID) -> QuerySet[Report, Any]:
    rows: list[QuerySet[Any]] = [
        Assessment.objects.filter(report_id=case),
        reaching(case),
        held_of(case),
        Capture.objects.filter(report_id=case),
        Decision.objects.filter(report_id=case),
        Report.objects.filter(dedupe_of_id=case),
        Triage.objects.filter(report_id=case),
        Member.objects.filter(report_id=case),
        Likeness.objects.filter(Q(report_id=case) | Q(other_id=case)),
        MediaAssessment.objects.filter(media__sightings__report_id=case),
    ]
    return Report.objects.filter(pk=case).values_list(*(Exists(each) for each in rows))


_THERE: Final = Prepared(Report, _kinds, SAMPLE_ID)
_REPORT: Final = Prepared(Report, lambda case: Report.objects.filter(pk=case).select_related("taken_by", "dedupe_of"), SAMPLE_ID)
_ADDRESS: Final = Prepared(
    Submission,
    lambda case: Submission.objects.filter(report_id=case, url__isnull=False).select_related("url").order_by("order", "pk")[:1],
    SAMPLE_ID,
)
_CAPTURES: Final = Prepared(Capture, lambda case: Capture.objects.filter(report_id=case).order_by("-created_at"), SAMPLE_ID)
_DECISIONS: Final = Prepared(Decision, lambda case: Decision.objects.filter(report_id=case).order_by("-created_at"), SAMPLE_ID)
_EVENTS: Final = Prepared(
    AuditEvent,
    lambda subjects: AuditEvent.objects.filter(subject__in=subjects).order_by("-seq")[:HISTORY_ROWS],
    ["subject of an event"],
)


def _same_host() -> Prepared[Report]:
    def build(host: str, case: UUID) -> QuerySet[Report, Any]:
        others = Report.objects.filter(submissions__url__host=host, dedupe_of=None).exclude(pk=case)
        return others.values_list("pk", "status").distinct()[: HOST_CASES + 1]

    return Prepared(Report, build, "host of an address", SAMPLE_ID)


_SAME_HOST: Final = _same_host()


def there(case: UUID) -> There:
    """Of which kinds the case has rows; none for no case."""
    found = _THERE.tuples(case)
    return There(*(bool(each) for each in found[0])) if found else There(*[False] * len(There.__slots__))


def report_with(case: UUID) -> Report | None:
    """The case, with who holds it and the case it counts on."""
    return next(iter(_REPORT.all(case)), None)


def address_of_case(case: UUID) -> Url | None:
    """The first address that the case names in a form that can be compared."""
    found = _ADDRESS.all(case)
    return found[0].url if found else None


def captures_of(case: UUID) -> list[Capture]:
    """Captures, the latest first."""
    return _CAPTURES.all(case)


def decisions_of(case: UUID) -> list[Decision]:
    """Listing decisions, the latest first."""
    return _DECISIONS.all(case)


def events_about(subjects: list[str]) -> list[AuditEvent]:
    """What the audit log says about rows so named, the latest first."""
    return _EVENTS.all(subjects)


def stand_at_host(host: str, case: UUID) -> list[str]:
    """The status of each other case at ``host`` that is no duplicate, in the order of their names. One more than ``HOST_CASES``
    where there are more: which of them is not said then."""
    return sorted(status for _, status in _SAME_HOST.tuples(host, case))

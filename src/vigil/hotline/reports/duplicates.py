"""The duplicate rule, version 1 (see :data:`vigil.hotline.reports.lifecycle.DUPLICATE_RULE`)."""

from __future__ import annotations

from django.db.models import Q

from vigil.hotline.reports.enumerations import URGENCY, Priority
from vigil.hotline.reports.lifecycle import ACTIONED_OUTCOMES, REPEATS_TO_URGENT
from vigil.hotline.reports.models import Report, Url


def first_report_of(url: Url) -> Report | None:
    """The report of which another one naming ``url`` would be a duplicate, locked; None where there is none."""
    standing = Q(is_open=True) | Q(outcome__in=sorted(ACTIONED_OUTCOMES))
    return (
        Report.objects.select_for_update()
        .filter(standing, pk__in=url.submissions.values("report"), dedupe_of=None)
        .order_by("-received_at")
        .first()
    )


def raised(first: Report, claimed: Priority) -> Priority:
    """The priority of ``first`` after one more report: the higher of both, and urgent after enough repeats."""
    before = Priority(first.priority)
    after = min(before, claimed, key=URGENCY.__getitem__)
    if after is Priority.NORMAL and first.repeats >= REPEATS_TO_URGENT:
        return Priority.URGENT
    return after

"""The duplicate rule in force (see :data:`vigil.hotline.reports.lifecycle.DUPLICATE_RULES`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import Q

from vigil.hotline.reports.enumerations import URGENCY, Channel, Priority
from vigil.hotline.reports.lifecycle import ACTIONED_OUTCOMES, REPEATS_TO_URGENT
from vigil.hotline.reports.models import Report, Submission, Url


def first_reports(urls: Iterable[Url], digests: Collection[str]) -> dict[str, Report]:
    """For each address (by ``url_digest``) and each file (by ``digest``) the report that stands for it, locked.

    That is the latest one which is no duplicate itself and is open or was actioned. Things without one are left out.
    """
    by_row = {url.pk: url.url_digest for url in urls}
    named = Q(url__in=list(by_row)) | Q(digest__in=[digest for digest in digests if digest])
    standing = Q(report__is_open=True) | Q(report__outcome__in=sorted(ACTIONED_OUTCOMES))
    found = (
        Submission.objects.filter(named, standing, report__dedupe_of=None)
        .exclude(report__channel=Channel.CHILD_SELF_REPORT)
        .order_by("report__received_at")
        .values_list("url", "digest", "report")
    )
    rows = list(found)
    keys = {key for _, _, key in rows}
    reports = {each.pk: each for each in Report.objects.select_for_update().filter(pk__in=keys).order_by("pk")} if keys else {}
    firsts: dict[str, Report] = {}
    for url, digest, key in rows:
        report = reports[key]
        if report.is_open or report.outcome in ACTIONED_OUTCOMES:  # as it is now that it is locked
            firsts[by_row.get(url, digest)] = report
    return firsts


def first_report_of(url: Url) -> Report | None:
    """The report of which another one naming only ``url`` would be a duplicate, locked; None where there is none."""
    return first_reports([url], ()).get(url.url_digest)


def raised(first: Report, claimed: Priority) -> Priority:
    """The priority of ``first`` after one more report: the higher of both, and urgent after enough repeats."""
    before = Priority(first.priority)
    after = min(before, claimed, key=URGENCY.__getitem__)
    if after is Priority.NORMAL and first.repeats >= REPEATS_TO_URGENT:
        return Priority.URGENT
    return after

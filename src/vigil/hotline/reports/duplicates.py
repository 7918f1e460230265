"""The duplicate rule in force (see :data:`vigil.hotline.reports.lifecycle.DUPLICATE_RULES`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q

from vigil.hotline.reports.enumerations import URGENCY, Channel, Priority
from vigil.hotline.reports.lifecycle import ACTIONED_OUTCOMES, REPEATS_TO_URGENT
from vigil.hotline.reports.models import Report, Submission


def first_reports(urls: Mapping[UUID, str], digests: Collection[str]) -> dict[str, Report]:
    """For each address (row to ``url_digest``) and each file (by ``digest``) the report that stands for it, locked.

    That is the latest one which is no duplicate itself and is open or was actioned. Things without one are left out.
    """
    rows = _naming({"url__in": list(urls)}) + _naming({"digest__in": [digest for digest in digests if digest]})
    reports = _standing({key for _, _, key in rows})
    firsts: dict[str, Report] = {}
    for url, digest, key in sorted((row for row in rows if row[2] in reports), key=lambda row: reports[row[2]].received_at):
        report = reports[key]
        if report.is_open or report.outcome in ACTIONED_OUTCOMES:  # as it is now that it is locked
            firsts[digest if url is None else urls.get(url, digest)] = report
    return firsts


def _naming(things: dict[str, list[Any]]) -> list[tuple[UUID | None, str, UUID]]:
    """Address, file and report of all submissions that name one of ``things``: one look into one index, joined with nothing."""
    if not any(things.values()):
        return []
    return list(Submission.objects.filter(**things).values_list("url", "digest", "report"))


def _standing(keys: set[UUID]) -> dict[UUID, Report]:
    """Those of the reports on which others may count, locked in one order, so that batches cannot wait in a circle."""
    if not keys:
        return {}
    standing = Q(is_open=True) | Q(outcome__in=sorted(ACTIONED_OUTCOMES))
    found = Report.objects.filter(standing, pk__in=keys, dedupe_of=None).exclude(channel=Channel.CHILD_SELF_REPORT)
    return {each.pk: each for each in found.select_for_update(no_key=True).order_by("pk")}


def raised(first: Report, claimed: Priority) -> Priority:
    """The priority of ``first`` after one more report: the higher of both, and urgent after enough repeats."""
    before = Priority(first.priority)
    after = min(before, claimed, key=URGENCY.__getitem__)
    if after is Priority.NORMAL and first.repeats >= REPEATS_TO_URGENT:
        return Priority.URGENT
    return after

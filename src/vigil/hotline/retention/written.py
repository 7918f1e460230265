"""Data classes of what staff wrote down, sealed: why a second person was asked, why a session was elevated, who answers at a
partner. Only the text goes; that it happened, who did it and when, stays with the audit log.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.db.models import Q, QuerySet

from vigil.hotline.access.models import Elevation
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.holds.models import Hold
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.partners.models import Agreement
from vigil.hotline.reports.models import Report, ReporterContact
from vigil.hotline.retention.classes import GONE, DataClass
from vigil.hotline.retention.models import LegalHold
from vigil.hotline.vault.models import EvidenceObject

TO_CASE: Final[dict[str, tuple[type[models.Model], str]]] = {
    "report": (Report, "pk"),
    "reportercontact": (ReporterContact, "report"),
    "legalhold": (LegalHold, "report"),
    "hold": (Hold, "report"),
    "evidenceobject": (EvidenceObject, "case"),
    "entry": (ListEntry, "decision__report"),
}
"""How a subject of the audit log (kind and id) leads to its case. Subjects of other kinds belong to none."""


def cases_named(subjects: Iterable[str]) -> dict[str, UUID]:
    """The case that each subject is about, for those that are about one."""
    by_kind: dict[str, list[str]] = {}
    for subject in set(subjects):
        kind, _, key = subject.partition(":")
        if kind in TO_CASE:
            by_kind.setdefault(kind, []).append(key)
    found: dict[str, UUID] = {}
    for kind, keys in by_kind.items():
        model, path = TO_CASE[kind]
        rows = QuerySet[Any](model).filter(pk__in=keys).values_list("pk", path)
        found |= {f"{kind}:{key}": case for key, case in rows if case is not None}
    return found


def _cases_of(model: type[models.Model], keys: list[UUID]) -> dict[UUID, UUID]:
    subjects = dict(QuerySet[Any](model).filter(pk__in=keys).values_list("pk", "subject"))
    cases = cases_named(subjects.values())
    return {key: cases[subject] for key, subject in subjects.items() if subject in cases}


def _approvals(before: datetime) -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.filter(reason__isnull=False, expires_at__lt=before)


def _elevations(before: datetime) -> QuerySet[Elevation]:
    return Elevation.objects.filter(reason__isnull=False, ends_at__lt=before)


def _forget(model: type[models.Model], keys: list[UUID]) -> None:
    QuerySet[Any](model).filter(pk__in=keys).update(reason=None)


def _agreements(before: datetime) -> QuerySet[Agreement]:
    return Agreement.objects.filter(Q(ends_at__lt=before) | Q(ended_at__lt=before), people__isnull=False)


def _forget_people(keys: list[UUID]) -> None:
    """Contacts go, and with them why they were once held."""
    Agreement.objects.filter(pk__in=keys).update(people=None)
    over = LegalHold.objects.filter(partner__agreements__in=keys, released_at__isnull=False)
    LegalHold.objects.filter(pk__in=list(over.values_list("pk", flat=True))).update(reason=GONE)


WRITTEN: Final = (
    DataClass(
        "approval_reason", _approvals, lambda keys: _forget(ApprovalRequest, keys), "",
        cases=lambda keys: _cases_of(ApprovalRequest, keys),
    ),
    DataClass(
        "elevation_reason", _elevations, lambda keys: _forget(Elevation, keys), "", cases=lambda keys: _cases_of(Elevation, keys)
    ),
    DataClass("partner_contact", _agreements, _forget_people, "partner"),
)  # fmt: skip

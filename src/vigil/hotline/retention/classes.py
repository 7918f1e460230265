"""Data classes: how rows past their time are found, and what disposing of them means.

Reducing a report leaves what statistics and the duplicate rule need: kinds, times, digests, the host. The reporter's words,
what was handed over, and the address go; an address only when no report that still needs it names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from vigil.hotline.access.clock import now
from vigil.hotline.assessments.models import Assessment, MediaAssessment
from vigil.hotline.holds.models import ClearanceNote, Hold
from vigil.hotline.reports.enumerations import Channel, Outcome
from vigil.hotline.reports.lifecycle import ACTIONED_OUTCOMES
from vigil.hotline.reports.models import (
    AccessRecipe,
    Capture,
    ChildCase,
    IdempotencyKey,
    ImportedMail,
    Report,
    ReporterContact,
    Submission,
    Url,
)
from vigil.hotline.retention.models import LegalHold
from vigil.hotline.triage.models import Emergency, Triage

GONE: Final = ""
SPAM: Final = (Outcome.SPAM.value, Outcome.OUT_OF_REMIT.value)


@dataclass(frozen=True, slots=True)
class DataClass:
    """``find`` gives rows whose period began before the instant it is handed; ``case`` the path from a row to its report (or
    its partner), by which holds are looked up ("" where a row belongs to nothing that can be held); ``cases`` finds the cases of
    rows from which no path leads there; ``dispose`` is handed ids; ``fixed`` where it is kept by
    every policy, because it proves what the hotline did, or its own room disposes of it."""

    name: str
    find: Callable[[datetime], QuerySet[Any]]
    dispose: Callable[[list[UUID]], None]
    case: str = "report"
    fixed: bool = False
    cases: Callable[[list[UUID]], dict[UUID, UUID]] | None = None


def _concluded(before: datetime, *outcomes: str) -> QuerySet[Report]:
    found = Report.objects.filter(is_open=False, concluded_at__lt=before, reduced_at=None)
    return found.filter(outcome__in=outcomes).exclude(channel=Channel.CHILD_SELF_REPORT)


def _not_actioned() -> list[str]:
    return sorted(set(Outcome) - ACTIONED_OUTCOMES - set(SPAM))


def reduce_reports(keys: list[UUID]) -> None:
    """Take the words, the things handed over and the addresses out of reports, and what staff wrote down about them."""
    Report.objects.filter(pk__in=keys).update(free_text=None, access_notes=None, partner_ref="", reduced_at=now())
    # Of rows that are never changed by anybody: taking the words out is not a change but their end.
    QuerySet(Assessment).filter(report__in=keys).update(notes=None)
    QuerySet(MediaAssessment).filter(report__in=keys).update(notes=None)
    QuerySet(Triage).filter(report__in=keys).update(words_digest="")
    Emergency.objects.filter(report__in=keys).update(passed_on_to=None)
    Hold.objects.filter(report__in=keys).update(reference=None)
    QuerySet(ClearanceNote).filter(report__in=keys).update(reference=None)
    LegalHold.objects.filter(report__in=keys).update(reason=GONE)
    Submission.objects.filter(report__in=keys).update(raw=GONE)
    named = Url.objects.filter(submissions__report__in=keys)
    needed = Url.objects.filter(submissions__report__reduced_at=None, submissions__report__isnull=False)
    idle = named.exclude(pk__in=needed.values("pk")).distinct()
    Url.objects.filter(pk__in=list(idle.values_list("pk", flat=True))).update(canonical=GONE, raw=GONE)


def _reduce_children(keys: list[UUID]) -> None:
    cases = ChildCase.objects.filter(pk__in=keys)
    reduce_reports([key for key in cases.values_list("report", flat=True) if key is not None])
    for case in cases:
        case.case_number, case.code_digest = f"gone-{case.pk}", ""
        case.save(update_fields=["case_number", "code_digest"])


def _reduce_captures(keys: list[UUID]) -> None:
    recipes = list(Capture.objects.filter(pk__in=keys, recipe__isnull=False).values_list("recipe", flat=True))
    Capture.objects.filter(pk__in=keys).update(headers=None, chain=None, resolved_ip=None, recipe=None)
    # A recipe is never changed by anybody; disposing of it is not a change but its end.
    QuerySet(AccessRecipe).filter(pk__in=recipes, captures=None).delete()


def _contacts(before: datetime) -> QuerySet[ReporterContact]:
    over = Q(report__is_open=False, report__concluded_at__lt=before) | Q(purge_at__lt=now())
    return ReporterContact.objects.filter(over, purged_at=None)


def _forget_contacts(keys: list[UUID]) -> None:
    ReporterContact.objects.filter(pk__in=keys).update(fields=None, purged_at=now())


def _captures(before: datetime) -> QuerySet[Capture]:
    ended = Capture.objects.filter(report__is_open=False, report__concluded_at__lt=before)
    return ended.filter(Q(headers__isnull=False) | Q(chain__isnull=False) | Q(recipe__isnull=False))


_classes: dict[str, DataClass] = {}


def register(data_class: DataClass) -> None:
    """Add a data class; the policy then needs a rule for it."""
    _classes[data_class.name] = data_class


def known() -> dict[str, DataClass]:
    """All data classes by name."""
    return dict(_classes)


def fixed() -> frozenset[str]:
    """The classes that every policy keeps."""
    return frozenset(each.name for each in _classes.values() if each.fixed)


for _each in (
    DataClass("reporter_contact", _contacts, _forget_contacts),
    DataClass(
        "child_case",
        lambda before: ChildCase.objects.filter(returned_at__lt=before, report__reduced_at=None, report__is_open=False),
        _reduce_children,
    ),
    DataClass("spam_report", lambda before: _concluded(before, *SPAM), reduce_reports, "pk"),
    DataClass("not_actioned_report", lambda before: _concluded(before, *_not_actioned()), reduce_reports, "pk"),
    DataClass("actioned_report", lambda before: _concluded(before, *sorted(ACTIONED_OUTCOMES)), reduce_reports, "pk"),
    DataClass("capture_record", _captures, _reduce_captures),
    DataClass(
        "idempotency_key",
        lambda before: IdempotencyKey.objects.filter(created_at__lt=before),
        lambda keys: _delete(IdempotencyKey.objects.filter(pk__in=keys)),
        "",
    ),
    DataClass(
        "imported_mail",
        lambda before: ImportedMail.objects.filter(created_at__lt=before),
        lambda keys: _delete(ImportedMail.objects.filter(pk__in=keys)),
    ),
):
    register(_each)


def _delete(rows: QuerySet[Any]) -> None:
    rows.delete()


Holds = Callable[[Iterable[UUID]], set[UUID]]
"""Which of these cases are under a hold that keeps them."""

_holds: list[Holds] = []


def register_holds(find: Holds) -> None:
    """Let another room keep cases from being disposed of."""
    _holds.append(find)


def held(cases: Iterable[UUID]) -> set[UUID]:
    """The cases that some room holds."""
    keys = list(cases)
    return set().union(*(find(keys) for find in _holds)) if keys else set()

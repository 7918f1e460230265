"""Data classes of people who did not report: appellants, staff; and what is left of unfinished reports.

What proves something about the hotline's own acts is kept (``fixed``): a policy may not say otherwise. Rows of the welfare ledger
are kept while a person works here, because the ledger is theirs; they go a year after, once the account is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import models
from django.db.models import Q, QuerySet

from vigil.hotline.desks.models import BulkRun, KeptFilter
from vigil.hotline.lists.models import Appeal
from vigil.hotline.reports.models import Draft
from vigil.hotline.retention.classes import DataClass
from vigil.hotline.reviews.models import CalibrationAnswer
from vigil.hotline.welfare.models import (
    Break,
    BuddyRequest,
    ExposureEnd,
    ExposureEvent,
    Preferences,
    SeverityNote,
    Swap,
    WellbeingCheck,
)

APPELLANT: Final = ("address", "reasons", "standing", "contact", "notes")


def _appeals(before: datetime) -> QuerySet[Appeal]:
    given = Q()
    for name in APPELLANT:
        given |= Q(**{f"{name}__isnull": False})
    return Appeal.objects.filter(given, decided_at__lt=before)


def _reduce_appeals(keys: list[UUID]) -> None:
    Appeal.objects.filter(pk__in=keys).update(**dict.fromkeys(APPELLANT))


def _delete(model: type[models.Model]) -> Callable[[list[UUID]], None]:
    """Rows of ``model`` end; also of those that nobody may change: disposing of one is not a change."""
    return lambda keys: _gone(QuerySet(model).filter(pk__in=keys))


def _gone(rows: QuerySet[Any]) -> None:
    rows.delete()


def _delete_looks(keys: list[UUID]) -> None:
    _gone(QuerySet(ExposureEnd).filter(event__in=keys))
    _gone(QuerySet(ExposureEvent).filter(pk__in=keys))


def _of_who_left(name: str, model: type[models.Model], who: str) -> DataClass:
    """Rows about a person, ``who``, whose account is closed."""
    dispose = _delete_looks if model is ExposureEvent else _delete(model)
    return DataClass(
        name, lambda before: QuerySet(model).filter(created_at__lt=before, **{f"{who}__is_active": False}), dispose, ""
    )


def _fixed(name: str) -> DataClass:
    """Kept by every policy."""
    return DataClass(name, lambda before: QuerySet(Draft).none(), lambda keys: None, "", fixed=True)


OTHERS: Final = (
    DataClass("unfinished_report", lambda before: Draft.objects.filter(created_at__lt=before), _delete(Draft), ""),
    DataClass("appeal", _appeals, _reduce_appeals, ""),
    DataClass("session", lambda before: Session.objects.filter(expire_date__lt=before), _delete(Session), ""),
    DataClass("bulk_run", lambda before: BulkRun.objects.filter(created_at__lt=before), _delete(BulkRun), ""),
    _of_who_left("kept_filter", KeptFilter, "owner"),
    _of_who_left("calibration_answer", CalibrationAnswer, "person"),
    _of_who_left("exposure_look", ExposureEvent, "analyst"),
    _of_who_left("exposure_severity", SeverityNote, "analyst"),
    _of_who_left("welfare_break", Break, "analyst"),
    _of_who_left("welfare_swap", Swap, "analyst"),
    _of_who_left("welfare_buddy", BuddyRequest, "analyst"),
    _of_who_left("welfare_check", WellbeingCheck, "analyst"),
    _of_who_left("welfare_choice", Preferences, "analyst"),
    _fixed("staff_account"),
    _fixed("oversight_record"),
    _fixed("evidence"),
    _fixed("partner_record"),
)

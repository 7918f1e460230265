"""Opening a reporter's sealed contact: asked for by one person, approved by another, opened once."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from vigil.base.errors import InputError
from vigil.hotline.access.people import Person
from vigil.hotline.approvals.actions import spend
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.audit.actions import record
from vigil.hotline.reports.models import Report, ReporterContact
from vigil.hotline.retention import codes


def held_of(report: UUID) -> QuerySet[ReporterContact]:
    """The contact that is held for a report: at most one."""
    return ReporterContact.objects.filter(report_id=report, purged_at=None)


def contact_of(report: Report) -> ReporterContact | None:
    """The contact that is held for a report; None where there is none, or it was disposed of."""
    return held_of(report.pk).first()


def do_open_contact(person: Person, contact: ReporterContact) -> str:
    """The contact, once a second person approved (``reporter_identity_release`` on it). Each opening needs both anew."""
    with transaction.atomic():
        fresh = ReporterContact.objects.select_for_update().get(pk=contact.pk)
        if fresh.fields is None:
            raise InputError("contact_gone", "The contact was disposed of when its time was over.")
        spend(person, TwoPersonAct.REPORTER_IDENTITY_RELEASE, fresh)
        record(person, codes.CONTACT_RELEASED, fresh.report)
        text: str = fresh.fields.open()
        return text

"""What is held about somebody who reported, for themselves: found by the reference that only they were given."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from vigil.base.clock import text_of
from vigil.base.errors import InputError
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.reports.models import Report
from vigil.hotline.reports.queries import report_by_reference
from vigil.hotline.reports.references import read_reference
from vigil.hotline.retention import codes
from vigil.hotline.retention.contacts import contact_of


def check_export_subject(person: Person, purpose: str) -> None:
    """By the data protection lead, with the purpose: whose request, of which day."""
    must(person, Permission.SUBJECT_EXPORT)
    if not 0 < len(purpose.strip()) <= 200:
        raise InputError("purpose_missing", "Say whose request this answers.", where="purpose")


def do_export_subject(person: Person, reference: str, purpose: str) -> dict[str, Any]:
    """Everything that came from the reporter with this reference. The contact is named, not opened: that takes two people."""
    check_export_subject(person, purpose)
    report = report_by_reference(read_reference(reference))
    with transaction.atomic():
        record(person, codes.SUBJECT_EXPORTED, report, purpose=purpose.strip())
    return held_about(report)


def held_about(report: Report) -> dict[str, Any]:
    """The export: what the reporter gave us, and what was made of it that is about them."""
    contact = contact_of(report)
    return {
        "reference": report.ref,
        "received_at": text_of(report.received_at),
        "came_in_by": report.channel,
        "language": report.language,
        "said_to_be": report.theme_claimed,
        "words": report.free_text.open() if report.free_text is not None else "",
        "handed_over": [{"kind": each.type, "as_received": each.raw.open()} for each in report.submissions.all()],
        "contact": "held, sealed; two people open it" if contact else "none held",
        "contact_kept_until": text_of(contact.purge_at) if contact else "",
        "reduced_at": text_of(report.reduced_at) if report.reduced_at else "",
        "not_held": ["name", "internet address", "browser or device"],
    }

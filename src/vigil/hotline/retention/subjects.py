"""What is held about somebody who reported or appealed, for themselves: found by the reference that only they were given."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction

from vigil.base.clock import text_of
from vigil.base.errors import InputError
from vigil.base.redaction import Sealed
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record, subject_of
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.models import Appeal
from vigil.hotline.reports.enumerations import Status
from vigil.hotline.reports.models import ChildCase, Report
from vigil.hotline.reports.notes import read_notes
from vigil.hotline.reports.queries import public_state_of, report_by_reference
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
    wanted = read_reference(reference)
    appeal = Appeal.objects.filter(ref=wanted).first()
    subject = appeal or report_by_reference(wanted)
    with transaction.atomic():
        record(person, codes.SUBJECT_EXPORTED, subject, purpose=purpose.strip())
    return held_about_appeal(subject) if isinstance(subject, Appeal) else held_about(subject)


def _text(sealed: Sealed[str] | None) -> str:
    return sealed.open() if sealed is not None else ""


def _moment(at: datetime | None) -> str:
    return text_of(at) if at else ""


def held_about_appeal(appeal: Appeal) -> dict[str, Any]:
    """The export of an appeal: all that the appellant gave us, and what was decided about it."""
    return {
        "reference": appeal.ref,
        "received_at": text_of(appeal.created_at),
        "appeals_as": appeal.appellant_type,
        "address": _text(appeal.address),
        "reasons": _text(appeal.reasons),
        "why_they_may_appeal": _text(appeal.standing),
        "contact": _text(appeal.contact),
        "number_on_the_block_page": appeal.block_reference,
        "number_of_the_notice": appeal.notice_serial,
        "may_appeal": appeal.standing_accepted,
        "laid_before_the_police_at": _moment(appeal.police_asked_at),
        "outcome": appeal.outcome,
        "decided_at": _moment(appeal.decided_at),
        "reasons_of_the_decision": _text(appeal.notes),
        "not_held": ["internet address", "browser or device"],
    }


def held_about(report: Report) -> dict[str, Any]:
    """The export: what the reporter gave us, and what was made of it that is about them."""
    contact = contact_of(report)
    return {
        "reference": report.ref,
        "received_at": text_of(report.received_at),
        "came_in_by": report.channel,
        "language": report.language,
        "said_to_be": report.theme_claimed,
        "about_artificial_intelligence": [each.value for each in report.nexus],
        "seen_at": _moment(report.observed_at),
        "words": _text(report.free_text),
        "way_to_the_page": _said_of_the_way(report),
        "number_of_the_partner": report.partner_ref,
        "portal": report.portal,
        "handed_over": [{"kind": each.type, "as_received": each.raw.open()} for each in report.submissions.all()],
        "contact": "held, sealed; two people open it" if contact else "none held",
        "contact_kept_until": text_of(contact.purge_at) if contact else "",
        "contact_was_opened_at": _openings(report),
        **_about_a_child(report),
        "stands_at": public_state_of(Status(report.status)).value,
        "reduced_at": _moment(report.reduced_at),
        "not_held": ["name", "internet address", "browser or device"],
    }


def _said_of_the_way(report: Report) -> dict[str, str]:
    """How to get to the page, as the reporter said it."""
    return asdict(read_notes(_text(report.access_notes)))


def _openings(report: Report) -> list[str]:
    """When two people opened the contact; who they were is theirs, not the reporter's."""
    events = AuditEvent.objects.filter(subject=subject_of(report), code=codes.CONTACT_RELEASED.code).order_by("seq")
    return [text_of(each.at) for each in events]


def _about_a_child(report: Report) -> dict[str, Any]:
    """What the service said about a child that reports about itself; who it is stays with the service."""
    case = ChildCase.objects.filter(report=report).first()
    if case is None:
        return {}
    return {
        "child": {
            "number_of_the_service": case.case_number, "age_said": case.age_range_claimed, "age_known_by": case.age_assurance,
            "extortion": case.extortion_indicated, "told": case.child_outcome, "told_at": _moment(case.returned_at),
        }
    }  # fmt: skip

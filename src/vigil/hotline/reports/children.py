"""Children's own reports: a service partner hands over, the child says where it is, the outcome goes back.

The service keeps who the child is. Here are an age range, an opaque number, and what the child wants to be gone. The
cases have a queue and a permission of their own (:data:`Permission.CHILD_CASE_WORK`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.sealing import matching_digest
from vigil.hotline.audit.actions import record
from vigil.hotline.partners.models import Sender
from vigil.hotline.reports import codes
from vigil.hotline.reports.enumerations import (
    AgeAssurance,
    AgeRange,
    Channel,
    ChildOutcome,
    SourceClass,
    Theme,
    Tri,
)
from vigil.hotline.reports.intake import Arrival, check_submit, do_submit_reports
from vigil.hotline.reports.items import Item
from vigil.hotline.reports.models import ChildCase, Report
from vigil.hotline.reports.references import RANDOM_BYTES, read_reference, reference_of

CODE_LIFE: Final = timedelta(hours=48)
CODE_PURPOSE: Final = "child-code"


@dataclass(frozen=True, slots=True, repr=False)
class HandOver:
    """What a service partner hands over. Nothing in it says who the child is."""

    case_number: str
    age_range: AgeRange
    age_assurance: AgeAssurance
    extortion: Tri = Tri.UNKNOWN
    language: str = ""
    country: str = ""
    items: tuple[Item, ...] = ()


def check_hand_over(service: Sender, hand_over: HandOver) -> None:
    """Only a child service hands over; a child of 13 or more needs the age to be looked at by the service."""
    must(service, Permission.CHILD_HAND_OVER)
    if service.source_class != SourceClass.CHILD_SERVICE:
        raise RefusedError("not_a_child_service", "Only a child service hands over children's cases.")
    if hand_over.age_assurance is AgeAssurance.FAILED:
        raise RefusedError("age_not_assured", "This person was found to be an adult.", mend="Use the ordinary report.")


def do_hand_over(service: Sender, hand_over: HandOver) -> tuple[ChildCase, str]:
    """Open the case. With items it becomes a report at once; without, the child gets a code for our page (else empty)."""
    check_hand_over(service, hand_over)
    code = "" if hand_over.items else reference_of(secrets.token_bytes(RANDOM_BYTES))
    case = ChildCase(
        service=service, case_number=hand_over.case_number, age_range_claimed=hand_over.age_range,
        age_assurance=hand_over.age_assurance, extortion_indicated=hand_over.extortion, created_by=service.label,
        code_digest=matching_digest(CODE_PURPOSE, code) if code else "", code_until=now() + CODE_LIFE if code else None,
    )  # fmt: skip
    try:
        with transaction.atomic():
            if hand_over.items:
                case.report = _report(service, case, hand_over.items, hand_over.language, hand_over.country)
            case.save(force_insert=True)
            record(service, codes.CHILD_CASE_OPENED, case, with_items=bool(hand_over.items), extortion=hand_over.extortion.value)
    except IntegrityError as error:
        raise InputError("case_number_taken", "This case number was handed over before.", where="case_number") from error
    return case, code


def case_for_code(typed: str) -> ChildCase | None:
    """The case that waits for a child who typed its code; None for any other text, and once the code is used or old."""
    try:
        code = read_reference(typed)
    except InputError:
        return None
    return ChildCase.objects.filter(code_digest=matching_digest(CODE_PURPOSE, code), code_until__gt=now()).first()


def do_answer_child(person: Person, case: ChildCase, items: tuple[Item, ...], extortion: Tri, language: str) -> Report:
    """Take in what the child said. A second press finds the first one's report."""
    must(person, Permission.REPORT_SUBMIT)
    with transaction.atomic():
        locked = ChildCase.objects.select_for_update(of=("self",)).get(pk=case.pk)
        if locked.report is not None:
            return locked.report
        if extortion is not Tri.UNKNOWN:
            locked.extortion_indicated = extortion
        locked.report = _report(person, locked, items, language, "")
        locked.save()
        record(person, codes.CHILD_CASE_ANSWERED, locked, items=len(items))
        return locked.report


def _report(person: Person, case: ChildCase, items: tuple[Item, ...], language: str, country: str) -> Report:
    threatened = case.extortion_indicated == Tri.YES
    arrival = Arrival(
        theme=Theme.SEXTORTION if threatened else Theme.CSAM,
        channel=Channel.CHILD_SELF_REPORT,
        source_class=SourceClass.CHILD_SERVICE,
        items=items,
        at_risk=threatened,
        sender=case.service,
        country=country,
        language=language,
    )
    return do_submit_reports(person, [check_submit(person, arrival)])[0]


def child_cases(person: Person) -> QuerySet[ChildCase]:
    """The queue of children's cases that have a report: open ones first, the most urgent and then the oldest first."""
    must(person, Permission.CHILD_CASE_WORK)
    return (
        ChildCase.objects.exclude(report=None)
        .select_related("report", "report__taken_by", "service")
        .order_by("-report__is_open", "report__urgency", "report__received_at", "pk")
    )


def open_child_cases(person: Person) -> QuerySet[ChildCase]:
    """Those of them that are open."""
    return child_cases(person).filter(report__is_open=True)


def check_set_child_outcome(person: Person, case: ChildCase) -> None:
    """By who works on children's cases, before the service has read one."""
    must(person, Permission.CHILD_CASE_WORK)
    if case.returned_at is not None:
        raise RefusedError("outcome_returned", "The service has read the outcome already.", mend="Call the service.")


def do_set_child_outcome(person: Person, case: ChildCase, outcome: ChildOutcome) -> ChildCase:
    """Choose what the child is told."""
    with transaction.atomic():
        locked = ChildCase.objects.select_for_update(of=("self",)).get(pk=case.pk)
        check_set_child_outcome(person, locked)
        locked.child_outcome, locked.outcome_at = outcome, now()
        locked.save(update_fields=["child_outcome", "outcome_at"])
        record(person, codes.CHILD_OUTCOME_SET, locked, outcome=outcome.value)
    return locked


def do_read_outcome(service: Sender, case_number: str) -> ChildCase:
    """The service's own case; the first reading of an outcome is noted and starts its retention period."""
    must(service, Permission.CHILD_OUTCOME_READ)
    with transaction.atomic():
        case = ChildCase.objects.select_for_update(of=("self",)).filter(service=service, case_number=case_number).first()
        if case is None:
            raise InputError("no_such_case", "There is no such case.", mend="Check the case number.")
        if case.child_outcome and case.returned_at is None:
            case.returned_at = now()
            case.save(update_fields=["returned_at"])
            record(service, codes.CHILD_OUTCOME_READ, case, outcome=case.child_outcome)
    return case

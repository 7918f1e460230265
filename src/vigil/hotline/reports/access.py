"""Who may see a case. All that decides it stands here."""

from __future__ import annotations

from django.db.models import QuerySet

from vigil.base.errors import RefusedError
from vigil.hotline.access.people import Person
from vigil.hotline.access.permissions import Permission
from vigil.hotline.compartments.access import hidden_from
from vigil.hotline.reports.enumerations import Channel
from vigil.hotline.reports.models import Report


def access_case(person: Person, report: Report) -> bool:
    """True where ``person`` may see ``report``: what a child reported about itself, only the child desk."""
    if report.channel == Channel.CHILD_SELF_REPORT:
        return person.may(Permission.CHILD_CASE_WORK)
    return person.may(Permission.CASE_READ)


def visible_to(person: Person, found: QuerySet[Report]) -> QuerySet[Report]:
    """Those of ``found`` that may be in a list for ``person``: no restricted case of others, no child's for other desks."""
    shown = found.exclude(pk__in=hidden_from(person))
    if person.may(Permission.CHILD_CASE_WORK):
        return shown
    return shown.exclude(channel=Channel.CHILD_SELF_REPORT)


def require_access(person: Person, report: Report) -> None:
    """Refuse who may not see the case."""
    if not access_case(person, report):
        raise RefusedError("case_not_open_to_you", "This case is open to the child desk only.")

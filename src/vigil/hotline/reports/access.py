"""Who may see a case. All that decides it stands here."""

from __future__ import annotations

from vigil.base.errors import RefusedError
from vigil.hotline.access.people import Person
from vigil.hotline.access.permissions import Permission
from vigil.hotline.reports.enumerations import Channel
from vigil.hotline.reports.models import Report


def access_case(person: Person, report: Report) -> bool:
    """True where ``person`` may see ``report``: what a child reported about itself, only the child desk."""
    if report.channel == Channel.CHILD_SELF_REPORT:
        return person.may(Permission.CHILD_CASE_WORK)
    return person.may(Permission.CASE_READ)


def require_access(person: Person, report: Report) -> None:
    """Refuse who may not see the case."""
    if not access_case(person, report):
        raise RefusedError("case_not_open_to_you", "This case is open to the child desk only.")

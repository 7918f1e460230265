"""Who may open a restricted case. All of it, one condition a line."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from vigil.base.errors import RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person
from vigil.hotline.access.prepared import SAMPLE_ID, Prepared
from vigil.hotline.audit.elevation import is_elevated
from vigil.hotline.compartments.models import Compartment


def case_subject(case: UUID) -> str:
    """How the audit log and an elevation name a case."""
    return f"report:{case}"


_IN_FORCE: Final = Prepared(Compartment, lambda case: Compartment.objects.filter(case=case, lifted_at=None), SAMPLE_ID)


def in_force(case: UUID) -> Compartment | None:
    """The compartment around a case, if there is one."""
    return _IN_FORCE.first(case)


def may_open(person: Person, case: UUID) -> bool:
    """Whether ``person`` may open the case as far as need-to-know goes; permissions are asked elsewhere."""
    if in_force(case) is None:
        return True
    if not isinstance(person, User):
        return False
    if is_inside(person, case):
        return True
    return is_elevated(person, case_subject(case))


def is_inside(person: User, case: UUID) -> bool:
    """Whether ``person`` is named in the compartment in force around the case."""
    named = Compartment.objects.filter(case=case, lifted_at=None, members__user=person, members__removed_at=None)
    return named.exists()


def require_inside(person: Person, case: UUID) -> None:
    """Refuse who may not open the case. The refusal says nothing about the case but that it is restricted."""
    if not may_open(person, case):
        raise RefusedError(
            "case_restricted",
            "This case is restricted to named people.",
            mend="Ask a supervisor to name you, or ask for an elevated session if you may.",
        )


def hidden_from(person: Person) -> QuerySet[Compartment, UUID]:
    """Ids of the restricted cases that ``person`` is not named in: to be left out of every list."""
    restricted = Compartment.objects.filter(lifted_at=None)
    if isinstance(person, User):
        restricted = restricted.exclude(pk__in=Compartment.objects.filter(members__user=person, members__removed_at=None))
    return restricted.values_list("case", flat=True)

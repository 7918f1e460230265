"""The acting persons. Every action is handed one: a user, a system or a node; never a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from django.http import HttpRequest

from vigil.base.errors import RefusedError
from vigil.hotline.access.permissions import SYSTEMS, Permission
from vigil.hotline.access.roles import Role


class Person(Protocol):
    """Somebody or something that acts. ``label`` is what the audit log keeps."""

    @property
    def label(self) -> str: ...

    @property
    def roles(self) -> frozenset[Role]: ...

    def may(self, permission: Permission) -> bool:
        """True where the one permission table allows it."""
        ...


@dataclass(frozen=True, slots=True)
class System:
    """A part of Vigil that acts by itself: ``public``, ``worker``, ``office``, ``operator`` (the command line)."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in SYSTEMS:
            raise ValueError(f"no system is called {self.name!r}; see access/permissions.py")

    @property
    def label(self) -> str:
        return f"system:{self.name}"

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset()

    def may(self, permission: Permission) -> bool:
        return permission in SYSTEMS[self.name]


PUBLIC = System("public")
WORKER = System("worker")
OFFICE = System("office")
OPERATOR = System("operator")


def must(person: Person, permission: Permission) -> None:
    """Refuse unless ``person`` has ``permission``."""
    if not person.may(permission):
        raise RefusedError(
            "not_permitted", "You may not do this.", where=str(permission), mend="Ask a supervisor for the role that may."
        )


def must_differ(person: Person, others: frozenset[str] | set[str], what: str) -> None:
    """The two-person rule: refuse where ``person`` is among ``others`` (labels) who acted before."""
    if person.label in others:
        raise RefusedError("second_person_needed", f"{what} needs a second person.", mend="Ask a colleague to do this step.")


def nobody(request: HttpRequest) -> Person | None:
    """At doors where nobody signs in."""
    return None


def signed_in(request: HttpRequest) -> Person | None:
    """The active user of a session."""
    user = request.user
    return user if user.is_authenticated and user.is_active else None

"""Questions about people."""

from __future__ import annotations

from typing import Final

from django.db.models import Prefetch, QuerySet

from vigil.base.errors import InputError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import Elevation, RoleGrant, User
from vigil.hotline.access.people import Person
from vigil.hotline.access.prepared import SAMPLE_ID, SAMPLE_MOMENT, Prepared


def user_named(username: str) -> User:
    """The user of that name."""
    try:
        return User.objects.get(username=username.lower())
    except User.DoesNotExist as error:
        raise InputError("no_such_user", "There is no user of that name.", mend="See `vigil hotline user list`.") from error


def users_with_grants() -> QuerySet[User]:
    """All users by name, with their grants in force loaded."""
    in_force = RoleGrant.objects.filter(revoked_at=None).order_by("role")
    return User.objects.order_by("username").prefetch_related(Prefetch("grants", queryset=in_force))


_ELEVATED: Final = Prepared(
    Elevation,
    lambda user, subject, moment: Elevation.objects.filter(
        user_id=user, subject=subject, ends_at__gt=moment, ended_at=None
    ),
    SAMPLE_ID,
    "subject of an elevation",
    SAMPLE_MOMENT,
)


def has_elevation(person: Person, subject: str = "") -> bool:
    """Whether ``person`` is in an elevated session now: for ``subject``, or for pages that always ask for one."""
    if not isinstance(person, User):
        return False
    return _ELEVATED.exists(person.pk, subject, now())


def elevations() -> QuerySet[Elevation]:
    """All elevated sessions, the newest first."""
    return Elevation.objects.select_related("user").order_by("-created_at")

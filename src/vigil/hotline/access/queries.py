"""Questions about people."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from vigil.base.errors import InputError
from vigil.hotline.access.models import RoleGrant, User


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

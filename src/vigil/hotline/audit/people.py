"""Adding people, giving and taking roles: acts on the room below that leave an audit row."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import RoleGrant, User
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.roles import Role
from vigil.hotline.access.second_factor import enrol, forget
from vigil.hotline.audit import codes
from vigil.hotline.audit.actions import record


def new_password() -> str:
    """A random password of 120 bits, printed once and kept by nobody."""
    return secrets.token_urlsafe(15)


def check_add_user(person: Person, username: str, display_name: str) -> User:
    """The user that would be added; refused for a name that is taken or malformed."""
    must(person, Permission.PEOPLE_MANAGE)
    user = User(username=username.lower(), display_name=display_name or username, password="!")  # noqa: S106 - unusable
    try:
        user.full_clean()
    except ValidationError as error:
        raise InputError(
            "user_refused", "The user cannot be added: " + " ".join(error.messages), where=", ".join(error.message_dict)
        ) from error
    return user


def do_add_user(
    person: Person, username: str, *, display_name: str = "", password: str, roles: Iterable[Role] = ()
) -> User:
    """Add a user with roles, in one transaction with the audit rows."""
    user = check_add_user(person, username, display_name)
    user.set_password(password)
    with transaction.atomic():
        user.save(force_insert=True)
        record(person, codes.PERSON_ADDED, user)
        for role in roles:
            _grant(person, user, role)
    return user


def do_set_roles(person: Person, user: User, roles: Iterable[Role]) -> None:
    """Make ``roles`` exactly the roles in force of ``user``."""
    must(person, Permission.PEOPLE_MANAGE)
    wanted = set(roles)
    with transaction.atomic():
        in_force = RoleGrant.objects.select_for_update().filter(user=user, revoked_at=None)
        held = {Role(grant.role): grant for grant in in_force}
        for role in sorted(wanted - held.keys()):
            _grant(person, user, role)
        for role in sorted(held.keys() - wanted):
            RoleGrant.objects.filter(pk=held[role].pk).update(revoked_at=now(), revoked_by=person.label)
            record(person, codes.ROLE_REVOKED, user, role=role.value)
    user.__dict__.pop("roles", None)


def do_reset_password(person: Person, user: User, password: str) -> None:
    """Set a password anew; the person's sessions end with it."""
    must(person, Permission.PEOPLE_MANAGE)
    user.set_password(password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        record(person, codes.PASSWORD_RESET, user)


def do_set_active(person: Person, user: User, *, active: bool) -> None:
    """Let a person sign in, or no longer. Their rows stay."""
    must(person, Permission.PEOPLE_MANAGE)
    user.is_active = active
    with transaction.atomic():
        user.save(update_fields=["is_active"])
        record(person, codes.PERSON_OPENED if active else codes.PERSON_CLOSED, user)


def do_set_second_factor(person: Person, user: User, secret: str) -> None:
    """Give ``user`` a known one-time code secret: for demonstrations only; people enrol in the console."""
    must(person, Permission.PEOPLE_MANAGE)
    with transaction.atomic():
        enrol(user, secret)
        record(person, codes.SECOND_FACTOR_SET, user)


def do_remove_second_factor(person: Person, user: User) -> None:
    """For a lost phone: the person sets up a new second factor before they reach anything."""
    must(person, Permission.PEOPLE_MANAGE)
    with transaction.atomic():
        forget(user)
        record(person, codes.SECOND_FACTOR_REMOVED, user)


def do_link_identity(person: Person, user: User, provider: str, subject: str) -> None:
    """Let ``user`` sign in with the identity ``subject`` of the provider. One identity belongs to one person."""
    must(person, Permission.PEOPLE_MANAGE)
    from allauth.socialaccount.models import SocialAccount  # only the console has the app

    subject = subject.strip()
    if not 0 < len(subject) <= 190:
        raise InputError("identity_malformed", "The subject of the identity is missing or too long.", where="subject")
    with transaction.atomic():
        taken = SocialAccount.objects.filter(provider=provider, uid=subject).exclude(user=user).exists()
        if taken:
            raise RefusedError("identity_taken", "This identity is linked to somebody else.", mend="Take it from them first.")
        SocialAccount.objects.get_or_create(provider=provider, uid=subject, user=user)
        record(person, codes.IDENTITY_LINKED, user, provider=provider)


def do_unlink_identity(person: Person, user: User, provider: str) -> int:
    """Take every identity of the provider from ``user``; how many there were."""
    must(person, Permission.PEOPLE_MANAGE)
    from allauth.socialaccount.models import SocialAccount  # only the console has the app

    with transaction.atomic():
        gone, _ = SocialAccount.objects.filter(provider=provider, user=user).delete()
        if gone:
            record(person, codes.IDENTITY_UNLINKED, user, provider=provider)
    return int(gone)


def _grant(person: Person, user: User, role: Role) -> None:
    RoleGrant.objects.create(user=user, role=role.value, granted_by=person.label)
    record(person, codes.ROLE_GRANTED, user, role=role.value)

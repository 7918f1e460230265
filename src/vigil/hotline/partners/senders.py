"""Enrolling and revoking senders: partners that report, each with a token of its own and no more scopes than it needs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from vigil.base.clock import text_of
from vigil.base.errors import InputError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import SCOPES, Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.partners import codes
from vigil.hotline.partners.actions import LONGEST_DAYS, TOKEN_DAYS
from vigil.hotline.partners.models import Sender
from vigil.hotline.partners.tokens import SENDER_PREFIX, digest_of, new_token


def check_enrol_sender(person: Person, name: str, source_class: str, scopes: Iterable[str], days: int) -> Sender:
    """The sender that would be enrolled; refused for a taken or malformed name, unknown scopes, too long a life."""
    must(person, Permission.NODE_MANAGE)
    if not 0 < days <= LONGEST_DAYS:
        raise InputError("token_lifetime", f"A token lives 1 to {LONGEST_DAYS} days.", where="days")
    wanted = sorted(set(scopes))
    if not wanted or set(wanted) - SCOPES.keys():
        raise InputError(
            "scope_unknown", "A sender needs at least one scope, and only known ones.", where="scopes",
            mend=f"Choose among {', '.join(SCOPES)}.",
        )  # fmt: skip
    sender = Sender(
        name=name, source_class=source_class, scopes=wanted, token_digest="?", created_by=person.label,  # noqa: S106 - no token
        expires_at=now() + timedelta(days=days),
    )  # fmt: skip
    try:
        sender.full_clean()
    except ValidationError as error:
        raise InputError("sender_refused", "The sender cannot be enrolled: " + " ".join(error.messages), where="name") from error
    return sender


def do_enrol_sender(
    person: Person, name: str, source_class: str, scopes: Iterable[str], days: int = TOKEN_DAYS
) -> tuple[Sender, str]:
    """Enrol a sender; gives the token too, which nobody can show again."""
    sender = check_enrol_sender(person, name, source_class, scopes, days)
    token = new_token(SENDER_PREFIX)
    sender.token_digest = digest_of(token)
    with transaction.atomic():
        sender.save(force_insert=True)
        record(
            person, codes.SENDER_ENROLLED, sender, name=name, scopes=" ".join(sender.scopes), expires=text_of(sender.expires_at)
        )
    return sender, token


def do_revoke_sender(person: Person, sender: Sender) -> None:
    """End a token at once. Revoking twice changes nothing."""
    must(person, Permission.NODE_MANAGE)
    with transaction.atomic():
        locked = Sender.objects.select_for_update().get(pk=sender.pk)
        if locked.revoked_at is not None:
            return
        locked.revoked_at, locked.revoked_by = now(), person.label
        locked.save(update_fields=["revoked_at", "revoked_by"])
        record(person, codes.SENDER_REVOKED, locked, name=locked.name)


def sender_named(name: str) -> Sender:
    """The sender of that name."""
    try:
        return Sender.objects.get(name=name)
    except Sender.DoesNotExist as error:
        raise InputError("no_such_sender", "There is no sender of that name.", mend="See `vigil hotline sender list`.") from error


def senders() -> QuerySet[Sender]:
    """All senders by name."""
    return Sender.objects.order_by("name")

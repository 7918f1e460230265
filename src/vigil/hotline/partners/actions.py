"""Enrolling and revoking nodes; noting what they fetched."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction

from vigil.base.clock import text_of
from vigil.base.errors import InputError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.partners import codes
from vigil.hotline.partners.agreements import require_agreement
from vigil.hotline.partners.models import Delivery, Node
from vigil.hotline.partners.tokens import digest_of, new_token

TOKEN_DAYS: Final = 365
LONGEST_DAYS: Final = 1100


def check_enrol_node(person: Person, name: str, days: int = TOKEN_DAYS, partner: str = "") -> None:
    """Refuse a node whose name is taken or malformed, a token that would live too long, and a partner without agreement."""
    must(person, Permission.NODE_MANAGE)
    if partner:
        require_agreement(partner)
    if not 0 < days <= LONGEST_DAYS:
        raise InputError("token_lifetime", f"A token lives 1 to {LONGEST_DAYS} days.", where="days")
    try:
        Node(name=name, token_digest="?", expires_at=now(), created_by=person.label).full_clean()  # noqa: S106 - no token
    except ValidationError as error:
        raise InputError("node_refused", "The node cannot be enrolled: " + " ".join(error.messages), where="name") from error


def do_enrol_node(person: Person, name: str, days: int = TOKEN_DAYS, partner: str = "") -> tuple[Node, str]:
    """Enrol a node, of the ``partner`` with that code or of the hotline; gives the token too, which nobody can show again."""
    check_enrol_node(person, name, days, partner)
    token = new_token()
    with transaction.atomic():
        node = Node.objects.create(
            name=name, token_digest=digest_of(token), expires_at=now() + timedelta(days=days), created_by=person.label,
            partner=partner,
        )  # fmt: skip
        record(person, codes.NODE_ENROLLED, node, name=name, expires=text_of(node.expires_at), partner=partner)
    return node, token


def do_revoke_node(person: Person, node: Node) -> None:
    """End a token at once. Revoking twice changes nothing."""
    must(person, Permission.NODE_MANAGE)
    with transaction.atomic():
        locked = Node.objects.select_for_update().get(pk=node.pk)
        if locked.revoked_at is not None:
            return
        locked.revoked_at, locked.revoked_by = now(), person.label
        locked.save(update_fields=["revoked_at", "revoked_by"])
        record(person, codes.NODE_REVOKED, locked, name=locked.name)


def do_note_delivery(node: Node, edition: int) -> None:
    """Note that ``node`` fetched ``edition``; only the first time leaves a row."""
    must(node, Permission.EDITION_FETCH)
    if Delivery.objects.filter(node=node, edition=edition).exists():
        return
    with transaction.atomic():
        _, fresh = Delivery.objects.get_or_create(node=node, edition=edition, defaults={"created_by": node.label})
        if fresh:
            record(node, codes.EDITION_DELIVERED, node, edition=edition)

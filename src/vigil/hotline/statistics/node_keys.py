"""Keys of enforcement nodes: who enrolled which, and whether what a node sent was signed by one of them.

A node without an enrolled key is believed on its token alone; from the first key on, nothing unsigned is taken from it.
"""

from __future__ import annotations

import re
from typing import Final

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.editions.node_signatures import is_signed
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.partners.models import Node
from vigil.hotline.statistics import codes
from vigil.hotline.statistics.models import NodeKey

KEY: Final = re.compile(r"[0-9a-f]{64}")
SIGNATURE: Final = re.compile(r"([0-9a-f]{64}) ([0-9a-f]{128})")


class SignatureRefusedError(RefusedError):
    """What came was not signed by a key of this node."""

    http_status = 403


def keys_of(node: Node) -> list[str]:
    """Public keys of the node that are in force, in hexadecimal."""
    return list(NodeKey.objects.filter(node=node, revoked_at=None).values_list("public_key", flat=True))


def do_enrol_key(person: Person, node: Node, public_key: str) -> NodeKey:
    """Believe this key for ``node`` from now on. Raises InputError for what is no key, or one that is known."""
    must(person, Permission.NODE_MANAGE)
    key = public_key.strip().lower()
    if KEY.fullmatch(key) is None:
        raise InputError("node_key_malformed", "This is not the public key of a node.", mend="Copy what 'vigil edge key' prints.")
    with transaction.atomic():
        if NodeKey.objects.filter(public_key=key).exists():
            raise InputError("node_key_known", "This key is enrolled already.", mend="Make a new key for each node.")
        made = NodeKey.objects.create(node=node, public_key=key, created_by=person.label)
        record(person, codes.NODE_KEY_ENROLLED, made, node=node.name, key=key[:16])
    return made


def do_revoke_keys(person: Person, node: Node) -> int:
    """Believe none of the keys of ``node`` any more; the number that ended."""
    must(person, Permission.NODE_MANAGE)
    with transaction.atomic():
        keys = list(NodeKey.objects.select_for_update().filter(node=node, revoked_at=None))
        for key in keys:
            key.revoked_at = now()
            key.save(update_fields=["revoked_at"])
            record(person, codes.NODE_KEY_REVOKED, key, node=node.name, key=key.public_key[:16])
    return len(keys)


def check_signature(node: Node, header: str, purpose: bytes, document: bytes) -> bool:
    """True where a key of ``node`` signed ``document``; False where it has none. Raises SignatureRefusedError otherwise."""
    keys = keys_of(node)
    if not keys:
        return False
    found = SIGNATURE.fullmatch(header.strip())
    if found is None or found[1] not in keys or not is_signed(found[1], purpose, document, found[2]):
        raise SignatureRefusedError(
            "signature_refused", "This is not signed by a key of the node.", mend="Enrol the key that 'vigil edge key' prints."
        )
    return True

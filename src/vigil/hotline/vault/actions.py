"""Putting evidence in, opening it for a purpose, exporting it by two people, disposing of it.

Every act writes its CustodyEvent and its audit row in one transaction, before a byte is decrypted or handed out.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction

from vigil import __version__
from vigil.base.errors import InputError, RefusedError, UnavailableError
from vigil.base.limits import MEDIA_BYTES
from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import new_id
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.approvals.actions import do_request, spend
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.audit.actions import record
from vigil.hotline.vault import codes, store
from vigil.hotline.vault.envelope import KEY_BYTES, NONCE_BYTES, KeyRing, load, seal, unseal
from vigil.hotline.vault.models import CustodyEvent, CustodyKind, EvidenceKind, EvidenceObject, Purpose
from vigil.hotline.vault.queries import due, kept_file

RULE: Final = "retention date"


class VaultSettings(Protocol):
    """The table ``[vault]``: ``folder`` of sealed objects, ``keys`` as a file kept apart, ``legal_basis``, ``retention_days``."""

    @property
    def folder(self) -> str: ...

    @property
    def keys(self) -> str: ...

    @property
    def legal_basis(self) -> str: ...

    @property
    def retention_days(self) -> int: ...


def configured() -> VaultSettings:
    """The vault's settings; UnavailableError where there is no vault."""
    found: VaultSettings | None = settings.CONFIG.vault
    if found is None:
        raise UnavailableError(
            "vault_off", "There is no evidence vault here.", mend="An operator switches it on, with a recorded legal basis."
        )
    return found


@cache
def _ring(path: str) -> KeyRing:
    return load(Path(path))


def check_put(person: Person, data: bytes) -> None:
    """A vault, the right to use it or only to add to it, and bytes of a size that is kept."""
    configured()
    if not person.may(Permission.VAULT_ADD):
        must(person, Permission.VAULT_USE)
    if not 0 < len(data) <= MEDIA_BYTES.value:
        raise InputError("evidence_size", f"An object has 1 byte to {MEDIA_BYTES.value // 1024**2} MiB.", where="data")


def do_put(
    person: Person, case: UUID, kind: EvidenceKind, data: bytes, *, mime: str = "", source: str = "", software: str = ""
) -> EvidenceObject:
    """Seal ``data`` and keep it; what the case has already is given as it is. The file is there before its row."""
    check_put(person, data)
    vault, digest = configured(), hashlib.sha256(data).hexdigest()
    there = kept_file(case, digest)
    if there is not None:
        return there
    key, name = secrets.token_bytes(KEY_BYTES), new_id()
    key_id, wrapped = _ring(vault.keys).wrap(key)
    store.write(Path(vault.folder), name, seal(data, name.bytes, key, secrets.token_bytes(NONCE_BYTES)))
    with transaction.atomic():
        made = EvidenceObject.objects.create(
            id=name,
            case=case,
            kind=kind.value,
            sha256=digest,
            blake2b=hashlib.blake2b(data).hexdigest(),
            size=len(data),
            mime=mime[:80],
            source=source or None,
            software=(software or f"vigil {__version__}")[:60],
            legal_basis=vault.legal_basis,
            key_id=key_id,
            wrapped_key=wrapped.hex(),
            retention_until=now() + timedelta(days=vault.retention_days),
            created_by=person.label,
        )
        _custody(person, made, CustodyKind.ACQUIRED, "casework", legal_basis=vault.legal_basis)
        record(person, codes.PUT, made, case=str(case), kind=kind.value, size=len(data))
    return made


def do_open(person: Person, found: EvidenceObject, purpose: Purpose, *, mode: str = "") -> bytes:
    """The bytes of an object, for a purpose; the row is there before they are. They are not written anywhere."""
    must(person, Permission.VAULT_USE)
    configured()
    with transaction.atomic():
        fresh = _alive(found)
        _custody(person, fresh, CustodyKind.ACCESSED, purpose.value, mode=mode)
        record(person, codes.OPENED, fresh, purpose=purpose.value, case=str(fresh.case), why=purpose.value, mode=mode)
    return _bytes(fresh)


def _alive(found: EvidenceObject) -> EvidenceObject:
    fresh = EvidenceObject.objects.select_for_update().get(pk=found.pk)
    if fresh.disposed_at is not None:
        raise RefusedError("evidence_disposed", "This object was disposed of.")
    return fresh


def _bytes(found: EvidenceObject) -> bytes:
    """Decrypted and compared with both digests."""
    vault = configured()
    key = _ring(vault.keys).unwrap(found.key_id, bytes.fromhex(found.wrapped_key))
    data = unseal(store.read(Path(vault.folder), found.pk), found.pk.bytes, key)
    if hashlib.sha256(data).hexdigest() != found.sha256 or hashlib.blake2b(data).hexdigest() != found.blake2b:
        raise InputError("vault_object_damaged", "An object is not what its digests say.", where=str(found.pk))
    return data


def do_verify(person: Person, found: EvidenceObject) -> bool:
    """Whether an object can be opened and is what its digests say; written down either way."""
    must(person, Permission.VAULT_USE)
    try:
        _bytes(found)
        whole = True
    except (InputError, UnavailableError):
        whole = False
    with transaction.atomic():
        proof = found.sha256 if whole else "not whole"
        _custody(person, found, CustodyKind.VERIFIED, Purpose.VERIFICATION.value, proof=proof)
        record(person, codes.VERIFIED, found, case=str(found.case), whole=whole)
    return whole


def do_ask_export(person: Person, found: EvidenceObject, reason: str) -> ApprovalRequest:
    """Ask a second person to approve the export; the reason names the recipient and the basis."""
    must(person, Permission.VAULT_EXPORT)
    return do_request(person, TwoPersonAct.VAULT_EXPORT, found, reason, behind={found.created_by})


def do_export(person: Person, found: EvidenceObject, *, recipient: str, legal_basis: str) -> tuple[bytes, CustodyEvent]:
    """The bytes of an object whose export was approved, once, with the receipt to be signed by the recipient."""
    if not recipient.strip() or not legal_basis.strip():
        raise InputError("recipient_missing", "An export names its recipient and its legal basis.", where="recipient")
    configured()
    with transaction.atomic():
        fresh = _alive(found)
        spend(person, TwoPersonAct.VAULT_EXPORT, fresh)
        receipt = secrets.token_hex(8)
        event = _custody(
            person, fresh, CustodyKind.EXPORTED, Purpose.POLICE.value, recipient=recipient, legal_basis=legal_basis[:500],
            receipt=receipt, proof=fresh.sha256,
        )  # fmt: skip
        record(person, codes.EXPORTED, fresh, case=str(fresh.case), size=fresh.size)
    return _bytes(fresh), event


def do_set_legal_hold(person: Person, found: EvidenceObject, *, held: bool) -> EvidenceObject:
    """Keep an object beyond its date, or let its date count again. Lifting one takes the two people of a retention override."""
    must(person, Permission.HOLD_MANAGE if held else Permission.RETENTION_MANAGE)
    with transaction.atomic():
        fresh = _alive(found)
        if not held:
            spend(person, TwoPersonAct.RETENTION_OVERRIDE, fresh)
        fresh.legal_hold = held
        fresh.save(update_fields=["legal_hold"])
        record(person, codes.HOLD, fresh, case=str(fresh.case), held=held)
    return fresh


Held = Callable[[Iterable[UUID]], set[UUID]]
"""Which of these cases nothing may be deleted of."""


def do_dispose_due(person: Person, held: Held = lambda _: set()) -> int:
    """Delete what is past its date and under no legal hold, of its own or of its case: key first, then file. The number."""
    folder = Path(configured().folder)
    disposed = []
    with transaction.atomic():
        over = list(due().select_for_update())
        kept_cases = held({found.case for found in over})
        for found in over:
            if found.case in kept_cases:
                continue
            found.disposed_at, found.wrapped_key, found.key_id = now(), "", ""
            found.save(update_fields=["disposed_at", "wrapped_key", "key_id"])
            _custody(person, found, CustodyKind.DISPOSED, RULE, proof=f"key erased, {found.sha256[:16]}")
            record(person, codes.DISPOSED, found, case=str(found.case), rule=RULE)
            disposed.append(found.pk)
    for key in disposed:
        store.erase(folder, key)
    return len(disposed)


def _custody(person: Person, found: EvidenceObject, kind: CustodyKind, why: str, **more: str) -> CustodyEvent:
    event = CustodyEvent(object=found, kind=kind.value, why=why, created_by=person.label, **more)
    event.save(force_insert=True)
    return event

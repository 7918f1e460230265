"""The keys that are made for partners. Only the list office and the command line import this module.

In the key folder, for each partner ``partners/ID/`` (mode 0700):

    partner.json    (0600) whose public keys its copy is encrypted for, and the secret keys of its digests
    signing-N.pem   (0600) the key that signs what this partner gets, and nothing else

A key that is replaced stays valid for 48 hours, so that no node of the partner is left without one in between. A key of
digests is never forgotten: a copy that leaks years later is recognised by it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from vigil.base.clock import instant_of, require_utc, text_of
from vigil.base.errors import InputError, RefusedError
from vigil.base.files import sync_folder, write_atomically
from vigil.editions.cipher import DIGEST_KEY_BYTES, digest_key_id, encode_keys, require_recipient
from vigil.editions.keys import require_private, write_key
from vigil.editions.model import DigestKey, Secret
from vigil.editions.roles import PARTNER_PREFIX, branch_path

FOLDER: Final = "partners"
RECORD: Final = "partner.json"
OVERLAP: Final = timedelta(hours=48)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")


class Recipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public key of the partner; ``until`` is when it stops being used (None: no end)."""

    key: str
    until: str | None = None


class HeldKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key of digests: its public name, the secret in hexadecimal, and until when editions under it may be read."""

    id: str
    key: str
    until: str | None = None


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``partner.json``. The last of ``recipients`` and of ``digest_keys`` is the one in use."""

    partner: str
    signing: str
    recipients: tuple[Recipient, ...]
    digest_keys: tuple[HeldKey, ...]
    withdrawn: str | None = None


class PartnerKeys:
    """What is needed to make a partner's copy at one moment."""

    def __init__(self, record: Record, signer: CryptoSigner, now: datetime) -> None:
        self.partner = record.partner
        self.signer = signer
        self.recipients = tuple(each.key for each in record.recipients if _lasts(each.until, now))
        held = record.digest_keys[-1]
        self.digest_key = DigestKey(held.id, Secret(bytes.fromhex(held.key)))
        self._valid = {each.id: (bytes.fromhex(each.key), each.until) for each in record.digest_keys if _lasts(each.until, now)}

    def keys_file(self) -> bytes:
        """``keys.json``: the keys of digests that the partner may need now."""
        return encode_keys(self._valid)


def ensure_partner(
    keys: Path, partner: str, recipient: str, now: datetime, ended: Collection[str] = frozenset()
) -> PartnerKeys:
    """The keys of a partner, made where there are none. A new ``recipient`` takes over.

    The one before it lasts 48 hours more, unless it is among the ``ended``: for those nothing is encrypted any more.
    """
    now = require_utc(now)
    record = _read(keys, partner)
    if record is None or record.withdrawn is not None:
        record = _enrolled(keys, partner, recipient, record)
    else:
        kept = tuple(each for each in record.recipients if each.key != recipient and each.key not in ended)
        if record.recipients[-1].key != recipient:
            kept = _ending(kept, now)
        record = msgspec.structs.replace(record, recipients=(*kept, Recipient(require_recipient(recipient))))
    _write(keys, record)
    return _opened(keys, record, now)


def rotate_partner(keys: Path, partner: str, now: datetime) -> None:
    """New keys for a partner: the next edition is signed and digested under them; the old digest key lasts 48 hours more."""
    record = _known(keys, partner)
    ended = tuple(
        each if each.until is not None else msgspec.structs.replace(each, until=text_of(require_utc(now) + OVERLAP))
        for each in record.digest_keys
    )
    signing = _new_signing_key(keys, partner)
    _write(keys, msgspec.structs.replace(record, signing=signing, digest_keys=(*ended, _new_digest_key())))
    _drop_signing_keys(keys, partner, but=signing)


def drop_partner(keys: Path, partner: str, now: datetime) -> None:
    """Take a partner's keys out of use: the signing key is gone, the digest keys stay only to recognise leaks."""
    record = _known(keys, partner)
    moment = text_of(require_utc(now))
    ended = tuple(msgspec.structs.replace(each, until=moment) for each in record.digest_keys)
    _write(keys, msgspec.structs.replace(record, digest_keys=ended, withdrawn=moment))
    _drop_signing_keys(keys, partner, but=None)


def partners_of(keys: Path) -> tuple[str, ...]:
    """The partners that have keys in use."""
    names = sorted(path.parent.name for path in (keys / FOLDER).glob(f"*/{RECORD}"))
    return tuple(name for name in names if _known_record(keys, name).withdrawn is None)


def digest_keys_of(keys: Path, partner: str) -> dict[str, bytes]:
    """Every key of digests that a partner ever had, also a withdrawn one, by name: for tracing a leaked copy."""
    return {each.id: bytes.fromhex(each.key) for each in _known_record(keys, partner).digest_keys}


def all_digest_keys(keys: Path) -> dict[str, tuple[bytes, ...]]:
    """The same for every partner that ever had keys here, by partner. Raises InputError where ``keys`` is no key folder."""
    if not keys.is_dir():
        raise InputError("keys_missing", "There is no key folder.", where=str(keys), mend="Name that of the list office.")
    names = sorted(path.parent.name for path in (keys / FOLDER).glob(f"*/{RECORD}"))
    return {name: tuple(digest_keys_of(keys, name).values()) for name in names}


def partner_of_key(keys: Path, key_id: str) -> str | None:
    """Whose copies were digested under the key of that name; None for a stranger's."""
    for path in sorted((keys / FOLDER).glob(f"*/{RECORD}")):
        if key_id in digest_keys_of(keys, path.parent.name):
            return path.parent.name
    return None


def _enrolled(keys: Path, partner: str, recipient: str, before: Record | None) -> Record:
    """A first record, or a new one for a partner that was withdrawn: nothing of before is valid, but leaks stay traceable."""
    require_recipient(recipient)
    if not _NAME.match(partner):
        branch_path(PARTNER_PREFIX + "?")
    folder = keys / FOLDER / partner
    for each in (folder.parent, folder):
        each.mkdir(mode=0o700, exist_ok=True)
    held = before.digest_keys if before else ()
    return Record(partner, _new_signing_key(keys, partner), (Recipient(recipient),), (*held, _new_digest_key()))


def _new_digest_key() -> HeldKey:
    secret = secrets.token_bytes(DIGEST_KEY_BYTES)
    return HeldKey(digest_key_id(secret), secret.hex())


def _new_signing_key(keys: Path, partner: str) -> str:
    folder = keys / FOLDER / partner
    taken = [int(path.stem.removeprefix("signing-")) for path in folder.glob("signing-*.pem")]
    name = f"signing-{max(taken, default=0) + 1}.pem"
    write_key(folder / name, CryptoSigner.generate_ed25519())
    sync_folder(folder)
    return name


def _drop_signing_keys(keys: Path, partner: str, but: str | None) -> None:
    folder = keys / FOLDER / partner
    for path in folder.glob("signing-*.pem"):
        if path.name != but:
            path.unlink()
    sync_folder(folder)


def _ending(recipients: tuple[Recipient, ...], now: datetime) -> tuple[Recipient, ...]:
    """The recipients before a new one: those without an end get one, those past it go."""
    ended = (each if each.until else Recipient(each.key, text_of(now + OVERLAP)) for each in recipients)
    return tuple(each for each in ended if _lasts(each.until, now))


def _lasts(until: str | None, now: datetime) -> bool:
    return until is None or now < instant_of(until)


def _known(keys: Path, partner: str) -> Record:
    record = _known_record(keys, partner)
    if record.withdrawn is not None:
        raise RefusedError(
            "partner_withdrawn", "This partner was withdrawn.", where=partner, mend="Publish a share for it again."
        )
    return record


def _known_record(keys: Path, partner: str) -> Record:
    record = _read(keys, partner)
    if record is None:
        raise InputError("partner_unknown", "No keys were made for this partner.", where=partner, mend="See the key folder.")
    return record


def _read(keys: Path, partner: str) -> Record | None:
    path = keys / FOLDER / partner / RECORD
    if not _NAME.match(partner) or not path.exists():
        return None
    require_private(path.parent, folder=True)
    require_private(path, folder=False)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError("key_unreadable", "The keys of a partner cannot be read.", where=str(path)) from error


def _write(keys: Path, record: Record) -> None:
    content = msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=1) + b"\n"
    write_atomically(keys / FOLDER / record.partner / RECORD, content, mode=0o600)


def _opened(keys: Path, record: Record, now: datetime) -> PartnerKeys:
    path = keys / FOLDER / record.partner / record.signing
    require_private(path, folder=False)
    try:
        signer = CryptoSigner(load_pem_private_key(path.read_bytes(), None))
    except (OSError, ValueError, TypeError) as error:
        raise InputError("key_unreadable", "A signing key cannot be read or reached.", where=str(path)) from error
    return PartnerKeys(record, signer, now)

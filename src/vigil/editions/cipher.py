"""Confidentiality of a partner's copy: the age format, through the library pyrage. Signatures are TUF's business.

What is signed and what lies on disks is the cipher text. The keys of the digests travel to the partner in a file of
their own, encrypted like the rest, and are never part of an edition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import pyrage
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from vigil.base.errors import InputError
from vigil.editions.limits import DIGEST_KEYS
from vigil.editions.model import Secret
from vigil.editions.refusal import EditionRefused, Refusal

SUFFIX: Final = ".age"
KEYS_NAME: Final = "keys.json"
DIGEST_KEY_BYTES: Final = 32
IDENTITY_PREFIX: Final = "AGE-SECRET-KEY-"
BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"  # BIP 173
RECIPIENT_START: Final = len("age1")
RECIPIENT_LETTERS: Final = 52
OVERHEAD: Final = 64 * 1024  # bytes that a cipher text may be longer than the text, beside one in four thousand


class _Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key of digests: its public name, the secret in hexadecimal, and until when editions may use it (None: no end)."""

    id: str
    key: str
    until: str | None


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    keys: tuple[_Key, ...]


_FORMAT: Final = "vigil-keys-1"


class Identity:
    """A partner's secret identity (``AGE-SECRET-KEY-1…``), as ``age-keygen`` or :func:`new_identity` makes it."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        try:
            self._identities = [pyrage.x25519.Identity.from_str(line) for line in lines]
        except pyrage.IdentityError as error:
            raise _identity_malformed() from error
        if not self._identities:
            raise _identity_malformed()

    @property
    def recipient(self) -> str:
        """The public part of the first identity, for the hotline."""
        return str(self._identities[0].to_public())

    def decrypt(self, data: bytes, name: str) -> bytes:
        """The text. Raises EditionRefused ``key_missing`` where none of the identities fits, or the bytes were altered."""
        try:
            return bytes(pyrage.decrypt(data, self._identities))
        except pyrage.DecryptError as error:
            raise EditionRefused(
                Refusal.KEY_MISSING,
                "A file cannot be decrypted with this identity.",
                where=name,
                mend="Use the identity whose public key the hotline has.",
            ) from error

    def __repr__(self) -> str:
        return "<identity>"


def new_identity() -> str:
    """A new secret identity as text; its holder keeps it, the hotline gets the public part."""
    return str(pyrage.x25519.Identity.generate())


def encrypt(data: bytes, recipients: Sequence[str]) -> bytes:
    """The cipher text for all recipients, which were checked with :func:`require_recipient`."""
    return bytes(pyrage.encrypt(data, [pyrage.x25519.Recipient.from_str(each) for each in recipients]))


def require_recipient(text: str) -> str:
    """A partner's public key (``age1…``), or InputError ``recipient_malformed`` or ``recipient_secret``.

    Strict: the spelling that the library itself writes (small letters, checksum of Bech32, no stray bits), and no point of
    small order: to those the library encrypts nothing and ends the process in the middle of an edition.
    """
    if text.strip().upper().startswith(IDENTITY_PREFIX):
        raise InputError(
            "recipient_secret",
            "This is a secret identity, not a public key.",
            where="recipient",
            mend="Whoever has seen it can read the copy: the partner makes a new identity and hands over the line with age1.",
        )
    try:
        sound = str(pyrage.x25519.Recipient.from_str(text)) == text and _shares_secrets(text)
    except pyrage.RecipientError:
        sound = False
    if not sound:
        raise InputError(
            "recipient_malformed",
            "The public key of a partner cannot be used.",
            where="recipient",
            mend="Ask the partner for the line that begins with age1; vigil edition identity prints it.",
        )
    return text


def _shares_secrets(recipient: str) -> bool:
    """Whether a secret can be agreed on with this key, whose spelling was checked: not so with the points of small order."""
    bits = 0
    for letter in recipient[RECIPIENT_START : RECIPIENT_START + RECIPIENT_LETTERS]:
        bits = bits << 5 | BECH32.index(letter)
    point = (bits >> 4).to_bytes(32, "big")  # 52 letters hold 260 bits, of which the last four are nothing
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(point))
    except ValueError:
        return False
    return True


def sealed_bytes(size: int) -> int:
    """At most so many bytes of cipher text for so many of text."""
    return size + size // 4096 + OVERHEAD


def digest_key_id(secret: bytes) -> str:
    """The public name of a key of digests, as manifests have it: 16 hexadecimal digits."""
    return hashlib.sha256(b"vigil digest key" + secret).hexdigest()[:16]


def encode_keys(keys: Mapping[str, tuple[bytes, str | None]]) -> bytes:
    """``keys.json`` from keys by name, each with the text of its last moment (None: no end)."""
    members = tuple(_Key(name, secret.hex(), until) for name, (secret, until) in sorted(keys.items()))
    return msgspec.json.format(msgspec.json.encode(_Keys(_FORMAT, members), order="sorted"), indent=1) + b"\n"


def decode_keys(data: bytes) -> dict[str, Secret]:
    """The keys in ``keys.json`` by name. Raises EditionRefused ``key_missing``."""
    try:
        found = msgspec.json.decode(data, type=_Keys)
        keys = {each.id: Secret(bytes.fromhex(each.key)) for each in found.keys}
        sound = all(len(secret.open()) == DIGEST_KEY_BYTES for secret in keys.values())
        if found.format == _FORMAT and sound and len(found.keys) <= DIGEST_KEYS.value:
            return keys
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _keys_malformed() from error
    raise _keys_malformed()


def _keys_malformed() -> EditionRefused:
    return EditionRefused(Refusal.KEY_MISSING, "The file of keys cannot be used.", where=KEYS_NAME, mend="Tell the hotline.")


def _identity_malformed() -> InputError:
    return InputError(
        "identity_malformed",
        "The identity cannot be used.",
        mend="Make one with: vigil edition identity FILE; it begins with AGE-SECRET-KEY-1.",
    )

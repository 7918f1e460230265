"""Envelope encryption: AES-256-GCM with a key for each object, which a key-encryption key wraps (RFC 3394, AES key wrap).

The file of the vault's keys is apart from the database, from the sealed objects and from the other secrets: its place is
configured on its own. It holds one line a key, ``id hex``; the first one wraps, all of them unwrap. Pure but for ``load``;
randomness is handed in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from vigil.base.errors import InputError, UnavailableError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
MAGIC: Final = b"VGV1"
LINE: Final = re.compile(r"([a-z0-9-]{1,20}) ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Key-encryption keys by id; the first one is used for new objects."""

    keys: dict[str, bytes]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.keys)})"

    @property
    def current(self) -> str:
        return next(iter(self.keys))

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """(id of the wrapping key, the wrapped key)."""
        return self.current, aes_key_wrap(self.keys[self.current], key)

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """The key again; UnavailableError where the wrapping key is not there or does not fit."""
        if key_id not in self.keys:
            raise UnavailableError(
                "vault_key_missing", "The key of this object is not there.", where=key_id, mend="Put it back into the key file."
            )
        try:
            return aes_key_unwrap(self.keys[key_id], wrapped)
        except InvalidUnwrap as error:
            raise UnavailableError("vault_key_wrong", "The key of this object does not fit.", where=key_id) from error


def load(path: Path) -> KeyRing:
    """The keys in a file; refused where others may read it."""
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(
            "vault_key_unreadable", "The vault's keys cannot be read.", where=str(path), mend="See the guide on evidence."
        ) from error
    if mode & 0o077:
        raise UnavailableError("vault_key_open", "Others may read the vault's keys.", where=str(path), mend="chmod 600 it.")
    lines = [LINE.fullmatch(line) for line in text.splitlines() if line.strip()]
    if not lines or None in lines:
        raise InputError("vault_key_wrong", "The vault's key file holds something else.", where=str(path), mend="A line a key.")
    return KeyRing({found.group(1): bytes.fromhex(found.group(2)) for found in lines if found})


def seal(data: bytes, name: bytes, key: bytes, nonce: bytes) -> bytes:
    """``data`` sealed under ``key`` (32 bytes) with ``nonce`` (12 bytes, never used twice with a key), bound to ``name``."""
    return MAGIC + nonce + AESGCM(key).encrypt(nonce, data, MAGIC + name)


def unseal(sealed: bytes, name: bytes, key: bytes) -> bytes:
    """The data again; InputError where a byte was changed or it is another object's."""
    if sealed[:4] != MAGIC or len(sealed) < 4 + NONCE_BYTES + 16:
        raise InputError("vault_object_damaged", "This is no sealed object.")
    try:
        return AESGCM(key).decrypt(sealed[4 : 4 + NONCE_BYTES], sealed[4 + NONCE_BYTES :], MAGIC + name)
    except InvalidTag as error:
        raise InputError("vault_object_damaged", "A sealed object was changed, or is another one's.") from error

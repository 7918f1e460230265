"""Confidential fields: encrypted where they lie, shown to nobody by accident, comparable by keyed digests only.

Encryption is Fernet (AES-128-CBC with HMAC-SHA-256) with rotation: the first key of ``seal.key`` encrypts, all of them
decrypt. A sealed value comes out of the database as :class:`SealedText`, which prints as a mark and keeps the encrypted
form it came in: a row that is saved again seals only what was changed, and what an older key had sealed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from vigil.base.errors import UnavailableError
from vigil.base.redaction import Sealed

if TYPE_CHECKING:
    SealedBase = models.TextField[str | Sealed[str] | None, Any]
else:
    SealedBase = models.TextField


_BLOCK: Final = 64  # bytes that SHA-256 takes in at once


class _Ring:
    """The keys of this installation: the first one seals, any of them opens."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = [Fernet(key) for key in keys]

    def seal(self, text: str) -> str:
        return self._keys[0].encrypt(text.encode()).decode("ascii")

    def unseal(self, token: str) -> tuple[str, bool]:
        """The text, and whether the key that seals now had sealed it."""
        data = token.encode("ascii")
        for place, key in enumerate(self._keys):
            try:
                return key.decrypt(data).decode(), place == 0
            except InvalidToken:
                continue
        raise InvalidToken


@cache
def _ring_of(keys: tuple[str, ...]) -> _Ring:
    return _Ring(keys)


def _ring() -> _Ring:
    return _ring_of(tuple(settings.SEAL_KEYS))


def seal(text: str) -> str:
    """The text, encrypted, as ASCII."""
    return _ring().seal(text)


def unseal(token: str) -> str:
    """The text again; refused where no key of this installation fits."""
    return _opened(token).open()


class SealedText(Sealed[str]):
    """A confidential text with its encrypted form, which is made when it is first asked for and then stays the same."""

    __slots__ = ("_made_by", "_token")

    def __init__(self, value: str, token: str = "", made_by: _Ring | None = None) -> None:
        super().__init__(value)
        self._token, self._made_by = token, made_by

    def token(self) -> str:
        """The encrypted form under the key that seals now: made anew only where there is none yet, or one by an older key."""
        ring = _ring()
        if self._made_by is not ring:
            self._token, self._made_by = ring.seal(self.open()), ring
        return self._token


def _opened(token: str) -> SealedText:
    ring = _ring()
    try:
        text, newest = ring.unseal(token)
    except (InvalidToken, UnicodeError) as error:
        raise UnavailableError(
            "seal_broken", "A sealed value cannot be opened.", mend="Put the key it was sealed with back into seal.key."
        ) from error
    return SealedText(text, token, ring if newest else None)


def matching_digest(purpose: str, value: str | bytes) -> str:
    """Keyed digest (HMAC-SHA-256, hex) for "is it the same?" without revealing what it is.

    ``purpose`` keeps digests of different kinds apart, such as ``url`` and ``host``.
    """
    return matching_bytes(purpose, value).hex()


def matching_bytes(purpose: str, value: str | bytes) -> bytes:
    """The 32 bytes that :func:`matching_digest` writes out."""
    inner, outer = _begun(settings.DIGEST_KEY, purpose)
    first, second = inner.copy(), outer.copy()
    first.update(value.encode() if isinstance(value, str) else value)
    second.update(first.digest())
    digest: bytes = second.digest()
    return digest


def matching_all(purpose: str, values: Iterable[str]) -> list[bytes]:
    """:func:`matching_bytes` of each of ``values``, for pages of thousands."""
    inner, outer = _begun(settings.DIGEST_KEY, purpose)
    begin, end, found = inner.copy, outer.copy, []
    for value in values:
        first, second = begin(), end()
        first.update(value.encode())
        second.update(first.digest())
        found.append(second.digest())
    return found


@lru_cache(maxsize=64)
def _begun(key: bytes, purpose: str) -> tuple[Any, Any]:
    """Both hashes of HMAC (RFC 2104, section 2) with all that is the same for every value of ``purpose`` taken in already.

    Millions of fingerprints are digested one by one: setting up key and purpose each time takes four times as long as the rest.
    """
    block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    inner.update(len(purpose).to_bytes(2, "big") + purpose.encode())
    return inner, outer


class _SealingAttribute(DeferredAttribute):
    """Wraps whatever is assigned, so that no row ever holds the bare text. The text that is there already changes nothing."""

    def __set__(self, instance: Any, value: str | Sealed[str] | None) -> None:
        kept, name = instance.__dict__, self.field.attname
        if isinstance(value, str) and kept.get(name) != Sealed(value):
            value = SealedText(value)
        elif isinstance(value, str):
            return
        kept[name] = value


class SealedTextField(SealedBase):
    """Text that is encrypted in the database. Reading gives ``Sealed[str]`` (or None); it cannot be searched."""

    descriptor_class = _SealingAttribute

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Sealed[str] | None:
        return None if value is None else _opened(value)

    def to_python(self, value: Any) -> Any:
        return SealedText(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, SealedText):
            return value.token()
        return seal(value.open() if isinstance(value, Sealed) else str(value))

    def get_lookup(self, lookup_name: str) -> Any:
        """Only "is there one?" can be asked: two encryptions of the same text differ."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def value_to_string(self, obj: Any) -> str:
        raise TypeError("a sealed field is not exported")

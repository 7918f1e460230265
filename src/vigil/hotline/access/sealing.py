"""Confidential fields: encrypted where they lie, shown to nobody by accident, comparable by keyed digests only.

Encryption is Fernet (AES-128-CBC with HMAC-SHA-256) with rotation: the first key of ``seal.key`` encrypts, all of them
decrypt. A sealed value comes out of the database as :class:`vigil.base.redaction.Sealed`, which prints as a mark.
"""

from __future__ import annotations

import hmac
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from vigil.base.errors import UnavailableError
from vigil.base.redaction import Sealed

if TYPE_CHECKING:
    SealedBase = models.TextField[str | Sealed[str] | None, Any]
else:
    SealedBase = models.TextField


@cache
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def seal(text: str) -> str:
    """The text, encrypted, as ASCII."""
    return _ring(tuple(settings.SEAL_KEYS)).encrypt(text.encode()).decode("ascii")


def unseal(token: str) -> str:
    """The text again; refused where no key of this installation fits."""
    try:
        return _ring(tuple(settings.SEAL_KEYS)).decrypt(token.encode("ascii")).decode()
    except (InvalidToken, UnicodeError) as error:
        raise UnavailableError(
            "seal_broken", "A sealed value cannot be opened.", mend="Put the key it was sealed with back into seal.key."
        ) from error


def matching_digest(purpose: str, value: str | bytes) -> str:
    """Keyed digest (HMAC-SHA-256, hex) for "is it the same?" without revealing what it is.

    ``purpose`` keeps digests of different kinds apart, such as ``url`` and ``host``.
    """
    content = value.encode() if isinstance(value, str) else value
    message = len(purpose).to_bytes(2, "big") + purpose.encode() + content
    return hmac.digest(settings.DIGEST_KEY, message, "sha256").hex()


class _SealingAttribute(DeferredAttribute):
    """Wraps whatever is assigned, so that no row ever holds the bare text."""

    def __set__(self, instance: Any, value: str | Sealed[str] | None) -> None:
        instance.__dict__[self.field.attname] = Sealed(value) if isinstance(value, str) else value


class SealedTextField(SealedBase):
    """Text that is encrypted in the database. Reading gives ``Sealed[str]`` (or None); it cannot be searched."""

    descriptor_class = _SealingAttribute

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Sealed[str] | None:
        return None if value is None else Sealed(unseal(value))

    def to_python(self, value: Any) -> Any:
        return Sealed(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        return seal(value.open() if isinstance(value, Sealed) else str(value))

    def get_lookup(self, lookup_name: str) -> Any:
        """Only "is there one?" can be asked: two encryptions of the same text differ."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def value_to_string(self, obj: Any) -> str:
        raise TypeError("a sealed field is not exported")

"""The complaint reference on a block page: which edition, which ten minutes; no entry, no person, no address.

Nothing is stored: the reference *is* the edition number (32 bits) and the ten-minute slot since 2020 (24 bits),
with four check bits against typing errors, in Crockford's base 32, as three groups of four.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from vigil.base.errors import InputError

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
FIRST_SLOT: Final = datetime(2020, 1, 1, tzinfo=UTC)
SLOT: Final = timedelta(minutes=10)
LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class Reference:
    """``edition`` is None where none was loaded; ``slot`` is the start of the ten minutes."""

    edition: int | None
    slot: datetime


def slot_of(now: datetime) -> int:
    """Number of the ten-minute slot that ``now`` falls into."""
    return (now - FIRST_SLOT) // SLOT


def write(edition: int | None, now: datetime) -> str:
    """The reference to show on a page at ``now``."""
    payload = ((edition or 0) % 2**32) << 24 | slot_of(now) % 2**24
    number = payload << 4 | _check(payload)
    text = "".join(ALPHABET[number >> shift & 31] for shift in range(55, -5, -5))
    return "-".join(text[start : start + 4] for start in range(0, LENGTH, 4))


def read(text: str) -> Reference:
    """What a reference says; small letters, spaces, and O, I, L for digits are forgiven."""
    plain = text.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))
    if len(plain) != LENGTH or any(letter not in ALPHABET for letter in plain):
        raise _malformed()
    number = 0
    for letter in plain:
        number = number << 5 | ALPHABET.index(letter)
    payload = number >> 4
    if _check(payload) != number & 15:
        raise _malformed()
    return Reference(payload >> 24 or None, FIRST_SLOT + (payload % 2**24) * SLOT)


def _check(payload: int) -> int:
    return hashlib.blake2b(payload.to_bytes(7, "big"), digest_size=1, person=b"vigil-reference").digest()[0] >> 4


def _malformed() -> InputError:
    return InputError(
        "reference_malformed",
        "This is not a reference from a block page.",
        mend="Copy its twelve signs again.",
    )

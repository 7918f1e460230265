"""Entry numbers of a partner's copy: the hotline's numbers in an order of the partner's own.

A four-round Feistel network over 48 bits with keyed mixing. It hides which entries were made together, so that marks
do not stand out by their numbers, and makes the numbers of each copy its own. It hides order; it is no cipher.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil.base.errors import InputError

BITS: Final = 48
LARGEST: Final = 2**BITS - 1
_HALF: Final = np.uint64(BITS // 2)
_MASK: Final = np.uint64(2 ** (BITS // 2) - 1)
_ROUNDS: Final = 4
_MULTIPLIERS: Final = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))
_SHIFT: Final = np.uint64(33)

Numbers = npt.NDArray[np.uint64]


class OpaqueNumbers:
    """The numbers of one copy; ``key`` is the partner's and secret."""

    def __init__(self, key: bytes) -> None:
        stream = blake2b(key=key, digest_size=8 * _ROUNDS, person=b"vigil numbers").digest()
        self._keys = np.frombuffer(stream, np.uint64)

    def shown(self, numbers: npt.ArrayLike) -> Numbers:
        """The hotline's numbers, 0 … 2**48-1, as the partner sees them."""
        left, right = _halves(numbers)
        for key in self._keys:
            left, right = right, left ^ _mixed(right, key)
        return (left << _HALF) | right

    def meant(self, numbers: npt.ArrayLike) -> Numbers:
        """The way back."""
        left, right = _halves(numbers)
        for key in self._keys[::-1]:
            left, right = right ^ _mixed(left, key), left
        return (left << _HALF) | right


def _halves(numbers: npt.ArrayLike) -> tuple[Numbers, Numbers]:
    given = np.asarray(numbers, dtype=np.uint64)
    if given.size and int(given.max()) > LARGEST:
        raise InputError("number_range", f"The number of an entry is above {LARGEST}.", where="entry")
    return given >> _HALF, given & _MASK


def _mixed(half: Numbers, key: np.uint64) -> Numbers:
    """24 bits from a half: MurmurHash3's finaliser under a key. Products wrap, which is meant."""
    value = half ^ key
    for multiplier in _MULTIPLIERS:
        value = (value ^ (value >> _SHIFT)) * multiplier
    return (value ^ (value >> _SHIFT)) & _MASK

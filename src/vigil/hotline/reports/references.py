"""Case references: random, without meaning, easy to read out, and proof against a slip of the pen.

Twelve symbols of Crockford's base 32 (no I, L, O, U) in three groups of four, as ``7K2M-9QXD-41TZ``: eleven random ones
(55 bits) and a check symbol. The check is a code over the field GF(32): the sum of each symbol times a different power
of a generator is zero, so that every single wrong symbol and every swap of two symbols is noticed.
Source of the alphabet: Douglas Crockford, "Base 32"; its own check symbols ``*~$=U`` are hard to read out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from vigil.base.errors import InputError

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
VALUES: Final = {symbol: value for value, symbol in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
RANDOM_SYMBOLS: Final = 11
RANDOM_BYTES: Final = 7
LENGTH: Final = RANDOM_SYMBOLS + 1
LONGEST_TYPED: Final = 60

_POLYNOMIAL: Final = 0b100101  # x⁵ + x² + 1, irreducible over GF(2) and primitive


def _powers() -> tuple[int, ...]:
    """The powers 0 to 30 of the generator x in GF(32)."""
    powers = [1]
    while len(powers) < 31:
        doubled = powers[-1] << 1
        powers.append(doubled ^ _POLYNOMIAL if doubled & 0b100000 else doubled)
    return tuple(powers)


POWERS: Final = _powers()
LOGARITHMS: Final = {power: exponent for exponent, power in enumerate(POWERS)}


def _times(left: int, exponent: int) -> int:
    """``left`` times the generator to the ``exponent``, in GF(32)."""
    return 0 if left == 0 else POWERS[(LOGARITHMS[left] + exponent) % 31]


def _check(values: Sequence[int]) -> int:
    """The check symbol's value for the random ones."""
    total = 0
    for place, value in enumerate(values, start=1):
        total ^= _times(value, place)
    return total


def reference_of(randomness: bytes) -> str:
    """The reference made from seven bytes of ``randomness`` (the last bit is not used)."""
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"{RANDOM_BYTES} bytes of randomness are needed, not {len(randomness)}")
    number = int.from_bytes(randomness, "big") >> 1
    values = [number >> 5 * place & 31 for place in range(RANDOM_SYMBOLS)]
    return _grouped([*values, _check(values)])


def _grouped(values: Sequence[int]) -> str:
    symbols = "".join(ALPHABET[value] for value in values)
    return "-".join(symbols[start : start + 4] for start in range(0, LENGTH, 4))


def read_reference(typed: str) -> str:
    """The reference that somebody typed: any case, spaces and dashes, O for 0, I and L for 1, digits of any script.

    Raises InputError ``reference_malformed`` when it cannot be one of ours: wrong length, symbol or check.
    """
    values = [value for symbol in _bare(typed) if (value := _value(symbol)) is not None]
    if len(values) != LENGTH or len(_bare(typed)) != LENGTH or values[-1] != _check(values[:-1]):
        raise InputError(
            "reference_malformed", "This is not a reference of ours.", mend="Compare it with your note, sign by sign."
        )
    return _grouped(values)


def _bare(typed: str) -> str:
    folded = unicodedata.normalize("NFKC", typed[:LONGEST_TYPED]).upper()
    return "".join(sign for sign in folded if sign.isalnum())


def _value(symbol: str) -> int | None:
    digit = unicodedata.digit(symbol, None)
    return digit if digit is not None else VALUES.get(symbol)

"""Rice-delta coding of 256-bit hashes as Safe Browsing v5 has it.

The differences of sorted numbers: the part above ``parameter`` bits in unary, ones ended by a zero, then the lower bits,
least significant first; bits fill each byte from its least significant end.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from vigil.base.errors import InputError

BITS: Final = 256
SMALLEST_PARAMETER: Final = 227
LARGEST_PARAMETER: Final = 254


def parameter_for(count: int) -> int:
    """The parameter for ``count`` evenly spread numbers: just below the bits of their mean distance."""
    return max(SMALLEST_PARAMETER, min(LARGEST_PARAMETER, BITS - max(count, 1).bit_length()))


def encode(numbers: Sequence[int], parameter: int) -> bytes:
    """Differences between neighbours of a rising sequence; the first number itself is not in it."""
    out = bytearray()
    pending, filled = 0, 0
    for before, after in pairwise(numbers):
        quotient, remainder = divmod(after - before, 1 << parameter)
        # `quotient` ones, a zero, then the remainder.
        pending |= (((1 << quotient) - 1) | remainder << (quotient + 1)) << filled
        filled += quotient + 1 + parameter
        whole = filled // 8
        out += (pending & ((1 << whole * 8) - 1)).to_bytes(whole, "little")
        pending >>= whole * 8
        filled -= whole * 8
    return bytes(out) + (pending.to_bytes(1, "little") if filled else b"")


def decode(first: int, data: bytes, parameter: int, count: int) -> list[int]:
    """``first`` and the ``count`` numbers after it, as :func:`encode` wrote them. Raises InputError for anything else."""
    if count * (parameter + 1) > len(data) * 8:
        raise InputError("hash_list_malformed", "The numbers do not fit into the data.")
    numbers, at = [first], 0
    for _ in range(count):
        quotient, at = _unary(data, at)
        remainder, at = _bits(data, at, parameter), at + parameter
        numbers.append(numbers[-1] + (quotient << parameter | remainder) if at <= len(data) * 8 else 1 << BITS)
        if numbers[-1] >= 1 << BITS or numbers[-1] <= numbers[-2]:
            raise InputError("hash_list_malformed", "The numbers do not rise within their range.")
    if len(data) * 8 - at >= 8 or _bits(data, at, 8):
        raise InputError("hash_list_malformed", "There are bits behind the last number.")
    return numbers


def _unary(data: bytes, at: int) -> tuple[int, int]:
    """How many ones stand from bit ``at`` on, and where the bit behind their zero is; no quotient has more than 29 bits."""
    window = _bits(data, at, 32)
    ones = (~window & window + 1).bit_length() - 1
    return ones, at + ones + 1


def _bits(data: bytes, at: int, count: int) -> int:
    """``count`` bits from bit ``at`` on, least significant first; zeros behind the end."""
    piece = int.from_bytes(data[at // 8 : (at + count + 7) // 8], "little")
    return piece >> at % 8 & (1 << count) - 1

"""Rice-delta coding of 256-bit hashes as Safe Browsing v5 has it.

The differences of sorted numbers: the part above ``parameter`` bits in unary, ones ended by a zero, then the lower bits,
least significant first; bits fill each byte from its least significant end.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

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

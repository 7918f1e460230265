"""Made-up codes of 256 bits for the search benchmarks: uniform, and in families of near-duplicates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FAMILY = 1000
Codes = NDArray[np.uint8]


def flipped(codes: Codes, share: float, generator: np.random.Generator) -> Codes:
    """Each bit turned over with probability ``share``."""
    result = codes.copy()
    for start in range(0, len(codes), 100_000):
        part = slice(start, start + 100_000)
        chance = generator.random((len(codes[part]), 256), dtype=np.float32)
        result[part] ^= np.packbits(chance < share, axis=1)
    return result


def uniform(count: int, generator: np.random.Generator) -> Codes:
    """Independent fair bits."""
    return generator.integers(0, 256, (count, 32), dtype=np.uint8)


def clustered(count: int, generator: np.random.Generator) -> Codes:
    """Families of 1,000: members differ from the head of the family in 8 bits on average; shuffled."""
    heads = np.repeat(uniform(count // FAMILY, generator), FAMILY, axis=0)
    return flipped(heads, 8 / 256, generator)[generator.permutation(len(heads))]


def queries(codes: Codes, count: int, generator: np.random.Generator) -> Codes:
    """Half stored codes with 12 bits turned over on average, half unrelated codes, shuffled."""
    near = flipped(codes[generator.integers(0, len(codes), count // 2)], 12 / 256, generator)
    both = np.concatenate([near, uniform(count - count // 2, generator)])
    return both[generator.permutation(count)]

"""Made-up codes of 256 bits: random, near-duplicates, all equal, and biased bits that go together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
KINDS = ("random", "families", "equal", "biased")


def made(kind: str, count: int, generator: np.random.Generator) -> Codes:
    if kind == "equal":
        return np.repeat(made("random", 1, generator), count, axis=0)
    if kind == "families":
        heads = made("random", max(1, count // 40), generator)
        return flipped(heads[generator.integers(0, len(heads), count)], 0.03, generator)
    if kind == "biased":
        bits = generator.random((count, 256)) < np.linspace(0.02, 0.98, 256)
        bits[:, 1::2] = bits[:, ::2]
        return np.packbits(bits, axis=1)
    return generator.integers(0, 256, (count, 32), dtype=np.uint8)


def flipped(codes: Codes, share: float, generator: np.random.Generator) -> Codes:
    return codes ^ np.packbits(generator.random((len(codes), 256)) < share, axis=1)


def at_distance(codes: Codes, distance: int, generator: np.random.Generator) -> Codes:
    """Each code with exactly ``distance`` bits turned over."""
    masks = np.zeros((len(codes), 256), bool)
    for mask in masks:
        mask[generator.choice(256, distance, replace=False)] = True
    return codes ^ np.packbits(masks, axis=1)


def queries(codes: Codes, distance: int, generator: np.random.Generator) -> Codes:
    """Some at the distance, some one bit beyond it, some stored, some unrelated."""
    picked = codes[generator.integers(0, len(codes), 8)]
    return np.concatenate(
        [
            at_distance(picked[:3], distance, generator),
            at_distance(picked[3:6], distance + 1, generator),
            picked[6:],
            made("random", 2, generator),
        ]
    )


def numbers(count: int, generator: np.random.Generator) -> NDArray[np.uint64]:
    return generator.integers(0, 2**63, count, dtype=np.uint64)

"""Codes of 256 bits for the search benchmarks: uniform, in families of near-duplicates, and PDQ of real pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage import data

from vigil.match.hashing import pdq

FAMILY = 1000
GOOD = 50  # quality of PDQ below which a code is not used (PDQ paper)
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


def luminance(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w, 3) or (h, w) uint8 -> (h, w) float32, 0 to 255."""
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32) if pixels.ndim == 3 else pixels
    return np.ascontiguousarray(grey, np.float32)


def of_pictures(count: int, generator: np.random.Generator) -> Codes:
    """PDQ codes of windows of benign photographs, two laid over each other; each in its eight turned and mirrored forms.

    A window is 64 to 160 pixels wide and high, anywhere in a photograph. Twelve photographs are few, but two windows of
    them in any mixture have the light, edges and textures of pictures, so the bits of their codes are as lopsided and as
    related as bits of real codes are.
    """
    names = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "immunohistochemistry",
             "moon", "retina", "rocket")  # fmt: skip
    sources = [luminance(getattr(data, name)()) for name in names]
    found = bytearray()
    while len(found) < 32 * count:
        shape = tuple(int(side) for side in generator.integers(64, 161, 2))
        share = np.float32(generator.random())
        mixed = share * window(sources, shape, generator) + (1 - share) * window(sources, shape, generator)
        forms = pdq.variants_luma(mixed)
        if all(quality >= GOOD for _, quality in forms):
            found += b"".join(code for code, _ in forms)
    codes = np.frombuffer(bytes(found[: 32 * count]), np.uint8).reshape(count, 32)
    return codes[generator.permutation(count)]


def window(sources: list[NDArray[np.float32]], shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float32]:
    """A part (h, w) of one of the sources, anywhere in it."""
    source = sources[generator.integers(len(sources))]
    top, left = (int(generator.integers(0, whole - part + 1)) for whole, part in zip(source.shape, shape, strict=True))
    return source[top : top + shape[0], left : left + shape[1]]


def queries(codes: Codes, count: int, generator: np.random.Generator) -> Codes:
    """Half stored codes with 12 bits turned over on average, half unrelated codes, shuffled."""
    near = flipped(codes[generator.integers(0, len(codes), count // 2)], 12 / 256, generator)
    both = np.concatenate([near, uniform(count - count // 2, generator)])
    return both[generator.permutation(count)]

"""Benign pictures for the PDQ tests: drawn by code, or photographs that scikit-image ships. See vectors/pdq."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

Pixels = NDArray[np.uint8]


@functools.cache
def photographs() -> tuple[Pixels, ...]:
    return (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())


def sides(generator: np.random.Generator, largest: int = 360) -> tuple[int, int]:
    """Height and width from 64 pixels up, with odd ratios now and then."""
    height, width = (int(side) for side in generator.integers(64, largest, 2))
    if generator.random() < 0.1:
        return 64, int(generator.integers(600, 900))
    return height, width


def photograph(generator: np.random.Generator) -> Pixels:
    """A piece of a photograph, resized, and turned or mirrored."""
    source = photographs()[generator.integers(4)]
    height, width = source.shape[:2]
    top, left = int(generator.integers(0, height // 2)), int(generator.integers(0, width // 2))
    piece = source[top : top + int(generator.integers(64, height - top)), left : left + int(generator.integers(64, width - left))]
    new_height, new_width = sides(generator)
    resized = np.asarray(Image.fromarray(piece).resize((new_width, new_height), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(np.rot90(resized, int(generator.integers(4))))


def drawing(generator: np.random.Generator) -> Pixels:
    """Coloured boxes and stripes."""
    height, width = sides(generator)
    picture = np.full((height, width, 3), generator.integers(0, 256, 3), np.uint8)
    for _ in range(int(generator.integers(6, 30))):
        top, left = int(generator.integers(0, height)), int(generator.integers(0, width))
        bottom, right = top + int(generator.integers(2, height)), left + int(generator.integers(2, width))
        step = int(generator.integers(1, 3))
        picture[top:bottom:step, left:right] = generator.integers(0, 256, 3)
    return picture


def gradient(generator: np.random.Generator) -> Pixels:
    """A slope of light with a grain."""
    height, width = sides(generator)
    rows, columns = np.mgrid[0:height, 0:width]
    slope = columns * generator.uniform(0, 200) / width + rows * generator.uniform(0, 200) / height
    grain = generator.normal(0, generator.uniform(2, 20), (height, width, 3))
    return np.clip(slope[..., None] + grain, 0, 255).astype(np.uint8)


def noise(generator: np.random.Generator) -> Pixels:
    height, width = sides(generator)
    return generator.integers(0, 256, (height, width, 3), dtype=np.uint8)


def corpus(count: int, seed: int) -> Iterator[Pixels]:
    """``count`` pictures, the four kinds in turn."""
    generator = np.random.default_rng(seed)
    kinds = (photograph, drawing, gradient, noise)
    for number in range(count):
        yield kinds[number % len(kinds)](generator)

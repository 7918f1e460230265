"""PDQ the slow, obvious way: NumPy in double precision. It stays beside the kernel for life, to compare with.

Source: Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (2019), and the
behaviour of the ``pdqhash`` package.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLES: Final = 64
COEFFICIENTS: Final = 16
SMALLEST_SIDE: Final = 5  # pixels; below it the reference gives an empty hash of quality 0
LUMA: Final = (0.299, 0.587, 0.114)  # ITU-R BT.601

Float = NDArray[np.float64]
Dihedral = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]


def window(side: int) -> int:
    """Width of one box filter, in pixels."""
    return (side + 127) // 128


def box(side: int) -> Float:
    """One box filter as a (side, side) matrix; at the edges it averages the samples that are there."""
    full = window(side)
    after = (full + 2) // 2 - 1
    before = full - after - 1
    matrix = np.zeros((side, side))
    for row in range(side):
        first, last = max(0, row - before), min(side, row + after + 1)
        matrix[row, first:last] = 1.0 / (last - first)
    return matrix


def sample_rows(side: int) -> Float:
    """The 64 sampled rows of the box filter applied twice, (64, side)."""
    centres = ((np.arange(SAMPLES) + 0.5) * side / SAMPLES).astype(np.int64)
    once = box(side)
    result: Float = once[centres] @ once
    return result


def luma_of(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luminance (h, w) of (h, w, 3), rounded to single precision as the reference does."""
    red, green, blue = LUMA
    wide = rgb.astype(np.float64)
    return (wide[:, :, 0] * red + wide[:, :, 1] * green + wide[:, :, 2] * blue).astype(np.float32)


def samples(luma: NDArray[np.generic]) -> NDArray[np.float32]:
    """The 64 x 64 picture that is hashed: R X transposed(C)."""
    height, width = luma.shape
    return (sample_rows(height) @ luma.astype(np.float64) @ sample_rows(width).T).astype(np.float32)


def quality_of(buffer: NDArray[np.float32]) -> int:
    """0 to 100: the sum of the noticeable steps between neighbours."""
    total = 0
    for axis in (0, 1):
        scaled = np.diff(buffer, axis=axis) * np.float32(100) / np.float32(255)
        total += int(np.abs(np.trunc(scaled)).sum())
    return min(total // 90, 100)


def transform_matrix() -> NDArray[np.float32]:
    """Rows 1 to 16 of the 64-point cosine transform."""
    order = np.arange(1, COEFFICIENTS + 1)[:, None]
    place = 2 * np.arange(SAMPLES)[None, :] + 1
    scale = np.float64(np.float32(np.sqrt(2.0 / SAMPLES)))
    matrix: NDArray[np.float32] = (scale * np.cos(np.pi / 2 / SAMPLES * order * place)).astype(np.float32)
    return matrix


def coefficients(buffer: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 16 x 16 low frequencies, summed in single precision from the first sample to the last.

    The order of the sums is part of the result: the reference adds one product after the other.
    """
    matrix = transform_matrix()
    partial = np.zeros((COEFFICIENTS, SAMPLES), np.float32)
    for k in range(SAMPLES):
        partial += matrix[:, k, None] * buffer[None, k, :]
    result = np.zeros((COEFFICIENTS, COEFFICIENTS), np.float32)
    for k in range(SAMPLES):
        result += partial[:, k, None] * matrix[None, :, k]
    return result


def bits_of(block: NDArray[np.float32]) -> bytes:
    """32 bytes: from the last coefficient to the first, is it above the (lower) median?"""
    flat = block.reshape(-1)
    median = np.sort(flat)[flat.size // 2 - 1]
    return np.packbits((flat > median)[::-1]).tobytes()


def hash_luma(luma: NDArray[np.generic]) -> tuple[bytes, int]:
    """PDQ of luminance (h, w): 32 bytes and quality."""
    if min(luma.shape) < SMALLEST_SIDE:
        return bytes(32), 0
    buffer = samples(luma)
    return bits_of(coefficients(buffer)), quality_of(buffer)


def hash_rgb(rgb: NDArray[np.uint8]) -> tuple[bytes, int]:
    """PDQ of (h, w, 3) red, green, blue."""
    return hash_luma(luma_of(rgb))


def turned(pixels: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    """The eight rotated and mirrored forms of a picture, in the order of ``pdq.VARIANTS``."""
    swapped = pixels.swapaxes(0, 1)
    return [
        pixels,
        swapped[::-1],
        pixels[::-1, ::-1],
        swapped[:, ::-1],
        pixels[:, ::-1],
        pixels[::-1],
        swapped,
        swapped[::-1, ::-1],
    ]


def variants_luma(luma: NDArray[np.generic]) -> tuple[tuple[bytes, int], ...]:
    """PDQ of all eight forms, each computed from its own pixels."""
    return tuple(hash_luma(form) for form in turned(luma))

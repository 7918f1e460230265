"""PDQ: a 256-bit perceptual hash of a picture; two pictures match when at most 31 bits differ."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil.match.hashing import pdq_twin
from vigil.match.hashing.algorithm import Algorithm, Kind, hexadecimal

ALGORITHM: Final[Algorithm] = Algorithm(
    "pdq", 256, Kind.PERCEPTUAL, hexadecimal("pdq", 256), bytes.hex, default_max_distance=31
)
VARIANTS: Final = (
    "original",
    "rotate90",
    "rotate180",
    "rotate270",
    "mirror",
    "flip",
    "transpose",
    "transverse",
)


def hash_rgb(pixels: NDArray[np.uint8]) -> tuple[bytes, int]:
    """PDQ and quality (0 to 100) of (h, w, 3) uint8 pixels in the order red, green, blue."""
    return pdq_twin.hash_rgb(pixels)


def hash_luma(pixels: NDArray[np.generic]) -> tuple[bytes, int]:
    """PDQ and quality (0 to 100) of luminance (h, w), uint8 or float32 on the scale 0 to 255."""
    return pdq_twin.hash_luma(pixels)

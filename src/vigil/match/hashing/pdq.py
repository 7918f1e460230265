"""PDQ: a 256-bit perceptual hash of a picture; two pictures match when at most 31 bits differ.

Bit-identical to the ``pdqhash`` package on the same pixels. ``pdq_twin`` beside it is the slow, obvious form.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vigil.base.errors import InputError, UnavailableError, VigilError
from vigil.match import _kernel
from vigil.match.hashing.algorithm import Algorithm, Kind, hexadecimal

ALGORITHM: Final[Algorithm] = Algorithm(
    "pdq", 256, Kind.PERCEPTUAL, hexadecimal("pdq", 256), bytes.hex, default_max_distance=31
)
# Forms of a picture, in the order of ``variants_*``; turns are counter-clockwise, like ``numpy.rot90``.
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
LOW_QUALITY: Final = 50  # below it the picture is too plain to be told from others; the authors' recommendation

Hashed = tuple[bytes, int]
_ISA: Final = _kernel.best_isa()


def hash_rgb(pixels: NDArray[np.uint8]) -> Hashed:
    """PDQ (32 bytes) and quality (0 to 100) of (h, w, 3) uint8 pixels in the order red, green, blue.

    Any size from 1 x 1; like the reference, a side under 5 pixels gives 32 zero bytes and quality 0. Palette,
    CMYK and other pictures must be converted to RGB first. Raises InputError for other shapes and types.
    """
    return _hash(_rgb(pixels))


def hash_luma(pixels: NDArray[Any]) -> Hashed:
    """PDQ and quality of luminance (h, w): uint8, or float32 from 0 to 255. Raises InputError otherwise."""
    return _hash(_luma(pixels))


def variants_rgb(pixels: NDArray[np.uint8]) -> tuple[Hashed, ...]:
    """PDQ and quality of the eight turned and mirrored forms, named by ``VARIANTS``, at the price of about three.

    Each is what ``hash_rgb`` finds for the turned pixels, save where rounding alone decides a bit.
    """
    return _variants(_rgb(pixels))


def variants_luma(pixels: NDArray[Any]) -> tuple[Hashed, ...]:
    """``variants_rgb`` for luminance."""
    return _variants(_luma(pixels))


def _hash(pixels: NDArray[Any]) -> Hashed:
    status, value, quality = _kernel.pdq_hash(pixels, _kernel.PdqOrder.AUTOMATIC, _ISA)
    if status is not _kernel.Status.OK:
        raise _error(status)
    return value, quality


def _variants(pixels: NDArray[Any]) -> tuple[Hashed, ...]:
    status, hashes = _kernel.pdq_variants(pixels, _ISA)
    if status is not _kernel.Status.OK:
        raise _error(status)
    return hashes


def _rgb(pixels: NDArray[Any]) -> NDArray[Any]:
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise InputError(
            "pixels_shape", "RGB pixels are an array (height, width, 3) of uint8.", mend="Convert the picture to RGB."
        )
    return _ready(pixels)


def _luma(pixels: NDArray[Any]) -> NDArray[Any]:
    right = isinstance(pixels, np.ndarray) and pixels.ndim == 2 and pixels.dtype in (np.uint8, np.float32)
    if not right:
        raise InputError("pixels_shape", "Luminance is an array (height, width) of uint8 or float32.")
    return _ready(pixels)


def _ready(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.size == 0:
        raise InputError("pixels_empty", "The picture has no pixels.")
    return np.ascontiguousarray(pixels)


def _error(status: _kernel.Status) -> VigilError:
    if status is _kernel.Status.NOT_A_NUMBER:
        return InputError("pixels_range", "Luminance as float32 must be numbers from 0 to 255.")
    if status is _kernel.Status.TOO_LARGE:
        return InputError("pixels_too_large", "A side of the picture is longer than 1,048,576 pixels.")
    return UnavailableError("out_of_memory", "There is not enough memory to hash this picture.")

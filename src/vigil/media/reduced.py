"""PDQ of a JPEG that the decoder made smaller: fast mode, and yet close to the hash of the full size.

Hashing the small picture as if it were the original moves 2 to 30 bits: the filter windows of PDQ are whole pixels,
and of other pixels there are other windows. Instead the small pixel is taken for what it is, the mean of a block of
``scale`` x ``scale`` pixels, and the weights of the *full-size* filters are added up over each block. What
remains is the difference inside a block, which the filters blur away where they are some blocks wide.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil.match.hashing.pdq_twin import SAMPLES, window
from vigil.media.pixels import FLIPPED, MIRRORED, TRANSPOSED, Picture

Float = NDArray[np.float32]
CACHED: Final = 256  # sides; photographs come in few sizes


def samples(picture: Picture) -> Float:
    """The 64 x 64 samples of the upright picture at full size, float32 from 0 to 255."""
    turned = picture.orientation >= TRANSPOSED
    stored = (picture.width, picture.height) if turned else (picture.height, picture.width)
    # A picture that is mirrored when it is turned upright: mirrored weights on the stored pixels are the same.
    flipped, mirrored = picture.orientation in FLIPPED, picture.orientation in MIRRORED
    rows = weights(stored[0], picture.scale, mirrored if turned else flipped)
    columns = weights(stored[1], picture.scale, flipped if turned else mirrored)
    result = rows @ picture.pixels.astype(np.float32) @ columns.T
    return np.ascontiguousarray(np.clip(result.T if turned else result, 0, 255), dtype=np.float32)


@lru_cache(CACHED)
def weights(side: int, scale: int, mirrored: bool) -> Float:
    """What each reduced pixel contributes to each of the 64 samples: (64, ceil(side / scale))."""
    bands = _bands(side)
    if mirrored:
        bands = bands[:, ::-1]
    return np.add.reduceat(bands, np.arange(0, side, scale), axis=1).astype(np.float32)


def _bands(side: int) -> NDArray[np.float64]:
    """The rows of the box filter applied twice, (64, side), as ``pdq_twin.sample_rows``, without its large matrix."""
    full = window(side)
    after = (full + 2) // 2 - 1
    before = full - after - 1
    centres = ((np.arange(SAMPLES) + 0.5) * side / SAMPLES).astype(np.int64)
    places = centres[:, None] + np.arange(-before, after + 1)[None, :]
    inside = (places >= 0) & (places < side)
    left, right = np.maximum(places - before, 0), np.minimum(places + after, side - 1)
    share = np.where(inside, 1.0 / (inside.sum(axis=1)[:, None] * np.maximum(right - left + 1, 1)), 0.0)
    steps = np.zeros((SAMPLES, side + 1))
    sample = np.broadcast_to(np.arange(SAMPLES)[:, None], places.shape)
    np.add.at(steps, (sample[inside], left[inside]), share[inside])
    np.add.at(steps, (sample[inside], right[inside] + 1), -share[inside])
    return np.cumsum(steps, axis=1)[:, :side]

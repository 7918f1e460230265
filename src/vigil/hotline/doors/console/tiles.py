"""From a tile's pixels to what is shown: blurred, sketched, grey, a region, whole; as a PNG inside the page itself.

The picture never has an address of its own: it comes inside the answer to a press, so that no cache, history or log has it.
Pure: pixels in, text out.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil.hotline.welfare.modes import ViewMode
from vigil.media import Tile

Pixels = NDArray[np.uint8]

BLUR_SHARE: Final = {1: 0.03, 2: 0.05, 3: 0.08, 4: 0.12, 5: 0.18}
"""The side of a blurred cell as a share of the longer side, by the strength that a person chose."""
REGION_SHARE: Final = 0.16
"""Half the side of a region, as a share of the longer side."""


def shown(
    tile: Tile, mode: ViewMode, *, blur: int = 3, greyscale: bool = False, at: tuple[int, int] = (50, 50)
) -> str:
    """The tile in a mode, as a ``data:`` address. ``at`` is the middle of a region in percent from the left and the top."""
    pixels: Pixels = np.frombuffer(tile.rgb, np.uint8).reshape(tile.height, tile.width, 3)
    return data_address(png(_as(pixels, mode, blur, greyscale, at)))


def _as(pixels: Pixels, mode: ViewMode, blur: int, greyscale: bool, at: tuple[int, int]) -> Pixels:
    if mode is ViewMode.SKETCH:
        return sketched(pixels)
    if mode is ViewMode.GREYSCALE or greyscale:
        pixels = grey(pixels)
    if mode is ViewMode.BLUR:
        return blurred(pixels, blur)
    return region(pixels, blur, at) if mode is ViewMode.REGION else pixels


def blurred(pixels: Pixels, strength: int) -> Pixels:
    """Averaged over cells, and smoothed between them: colours and masses stay, nobody can be recognised."""
    height, width = pixels.shape[:2]
    cell = max(2, round(max(height, width) * BLUR_SHARE[strength]))
    rows, columns = -(-height // cell), -(-width // cell)
    padded = np.pad(pixels, ((0, rows * cell - height), (0, columns * cell - width), (0, 0)), mode="edge")
    means = padded.reshape(rows, cell, columns, cell, 3).mean(axis=(1, 3))
    smooth = _between(_between(means, rows * cell, 0), columns * cell, 1)
    return np.ascontiguousarray(np.clip(smooth[:height, :width] + 0.5, 0, 255).astype(np.uint8))


def _between(values: NDArray[np.float64], size: int, axis: int) -> NDArray[np.float64]:
    """Linear interpolation of cell means to ``size`` places along an axis."""
    number = values.shape[axis]
    places = (np.arange(size) + 0.5) * number / size - 0.5
    low = np.clip(np.floor(places), 0, number - 1).astype(int)
    high, share = np.minimum(low + 1, number - 1), np.clip(places - low, 0, 1)
    shape = [1] * values.ndim
    shape[axis] = size
    weight = share.reshape(shape)
    mixed: NDArray[np.float64] = values.take(low, axis) * (1 - weight) + values.take(high, axis) * weight
    return mixed


def region(pixels: Pixels, strength: int, at: tuple[int, int]) -> Pixels:
    """Blurred but for a square around ``at``."""
    height, width = pixels.shape[:2]
    half = max(8, round(max(height, width) * REGION_SHARE))
    x, y = width * min(max(at[0], 0), 100) // 100, height * min(max(at[1], 0), 100) // 100
    found = blurred(pixels, strength)
    rows, columns = slice(max(0, y - half), y + half), slice(max(0, x - half), x + half)
    found[rows, columns] = pixels[rows, columns]
    return found


def grey(pixels: Pixels) -> Pixels:
    """Luminance (ITU-R BT.601) in all three channels."""
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    return np.ascontiguousarray(np.repeat((luma + 0.5).astype(np.uint8)[:, :, None], 3, axis=2))


def sketched(pixels: Pixels) -> Pixels:
    """Edges only, dark on white, from a softened picture."""
    luma = blurred(grey(pixels), 1)[:, :, 0].astype(np.int16)
    across = np.abs(np.diff(luma, axis=1, append=luma[:, -1:]))
    down = np.abs(np.diff(luma, axis=0, append=luma[-1:, :]))
    lines = 255 - np.clip((across + down) * 8, 0, 255)
    return np.ascontiguousarray(np.repeat(lines.astype(np.uint8)[:, :, None], 3, axis=2))


def png(pixels: Pixels) -> bytes:
    """Eight-bit RGB as PNG (ISO/IEC 15948), without metadata."""
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + width * 3), np.uint8)  # filter 0 before each row
    rows[:, 1:] = pixels.reshape(height, width * 3)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def data_address(image: bytes) -> str:
    """A PNG as a ``data:`` address."""
    return "data:image/png;base64," + base64.b64encode(image).decode("ascii")

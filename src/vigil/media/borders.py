"""Find what was put around a picture: plain frames, letterbox bars, the bars of a screenshot.

Works on a thinned-out luminance, so that a 12-megapixel photo costs a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil.media.pixels import Pixels

THINNED: Final = 512  # samples across a line; more would find nothing else
TOLERANCE: Final = 12  # luma levels that JPEG noise may move a plain border
PLAIN_SHARE: Final = 0.985  # of a line has to lie within the tolerance of its middle value
GROUND_SHARE: Final = 0.60  # of a line of a screenshot's bars has the level of the screen's ground
LEAST_PIXELS: Final = 16  # of a side
LEAST_SHARE: Final = 0.25  # of a side has to be left, or it was no border
LEAST_CUT: Final = 0.008  # of a side; less would not move the hash


@dataclass(frozen=True, slots=True)
class Box:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, ends excluded, in pixels."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, pixels: Pixels) -> Pixels:
        """The part of ``pixels`` inside, contiguous."""
        return np.ascontiguousarray(pixels[self.top : self.bottom, self.left : self.right])


def trimmed(pixels: Pixels) -> Box | None:
    """The box without uniform borders; None where there are none to speak of."""
    luma = _luma(pixels)
    box = _whole(luma)
    for _ in range(2):  # bars inside a frame: what is left may have borders of its own
        box = _inner(luma, box, PLAIN_SHARE)
    return _worthwhile(box, luma.shape)


def panels(pixels: Pixels) -> tuple[Box, ...]:
    """What may be the picture in a screenshot or over a caption; up to three boxes, none where that is the whole.

    The ground of the screen is what its first and last row show. A caption is at one end only, and the other end
    is the picture's own, perhaps a plain sky: so each end is taken alone as well.
    """
    luma = _luma(pixels)
    first, last = int(np.median(luma[0])), int(np.median(luma[-1]))
    found = [_panel(luma, levels) for levels in ((first, last), (first,), (last,))]
    return tuple(dict.fromkeys(box for box in found if box))


def _panel(luma: Pixels, levels: tuple[int, ...]) -> Box | None:
    """The tallest band that has not the ground's level.

    Text and icons lie on rows that mostly have the ground's level. The picture's own plain parts are left to it:
    columns go only where they have the level of the screen from end to end.
    """
    top, bottom = _longest_run(~_ground(luma, levels, GROUND_SHARE))
    left, right = _longest_run(~_ground(luma[top:bottom].T, levels, PLAIN_SHARE))
    return _worthwhile(Box(top, bottom, left, right), luma.shape)


def _ground(lines: Pixels, levels: tuple[int, ...], share: float) -> NDArray[np.bool_]:
    """For each row: does ``share`` of it lie close to one of the levels?"""
    if not lines.size:
        return np.ones(lines.shape[0], dtype=np.bool_)
    thin = _thin(lines)
    close = [(np.abs(thin - level) <= TOLERANCE).mean(axis=1) >= share for level in levels]
    result: NDArray[np.bool_] = np.logical_or.reduce(close)
    return result


def _luma(pixels: Pixels) -> Pixels:
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[:, :, 1])


def _whole(luma: Pixels) -> Box:
    return Box(0, luma.shape[0], 0, luma.shape[1])


def _inner(luma: Pixels, box: Box, share: float) -> Box:
    view = luma[box.top : box.bottom, box.left : box.right]
    top, bottom = _plain_ends(_plain(view, share))
    view = view[top : view.shape[0] - bottom]
    left, right = _plain_ends(_plain(view.T, share))
    return Box(box.top + top, box.bottom - bottom, box.left + left, box.right - right)


def _plain(lines: Pixels, share: float) -> NDArray[np.bool_]:
    """For each row: does ``share`` of it lie close to its middle value?"""
    if not lines.size:
        return np.zeros(lines.shape[0], dtype=np.bool_)
    thin = _thin(lines)
    middle = np.median(thin, axis=1).astype(np.int16)
    close = np.abs(thin - middle[:, None]) <= TOLERANCE
    result: NDArray[np.bool_] = close.mean(axis=1) >= share
    return result


def _thin(lines: Pixels) -> NDArray[np.int16]:
    return lines[:, :: max(1, lines.shape[1] // THINNED)].astype(np.int16)


def _plain_ends(plain: NDArray[np.bool_]) -> tuple[int, int]:
    """How many lines are plain at the beginning and at the end; none where all are (a flat picture)."""
    busy = np.flatnonzero(~plain)
    return (int(busy[0]), len(plain) - 1 - int(busy[-1])) if busy.size else (0, 0)


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and end of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    if not edges.size:
        return 0, 0
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def _worthwhile(box: Box, shape: tuple[int, ...]) -> Box | None:
    height, width = shape[:2]
    inner_height, inner_width = box.bottom - box.top, box.right - box.left
    if inner_height < max(LEAST_SHARE * height, LEAST_PIXELS) or inner_width < max(LEAST_SHARE * width, LEAST_PIXELS):
        return None
    cut = max(1 - inner_height / height, 1 - inner_width / width)
    return box if cut >= LEAST_CUT else None

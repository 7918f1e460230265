"""A small tile of a picture, or a contact sheet of a video or animation, for somebody who has to decide.

Runs in the confined child. What leaves it is width, height and pixels: no metadata, no sound, no format.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from itertools import islice
from typing import Any, Final

import av.error
import numpy as np
from PIL import Image

from vigil.media.limits import SHEET_FRAMES
from vigil.media.model import Mode, Reason, Tile, UndecodableError
from vigil.media.pixels import Picture, Pixels, check_size, read, upright
from vigil.media.protocol import Request
from vigil.media.videos import frames_of, opened

COLUMNS: Final = 4


def picture_tile(data: memoryview, limit: int, side: int) -> Tile:
    """The picture with no side longer than ``side`` pixels; sampled frames of an animation as a contact sheet."""
    _, pictures = read(data, Mode.RGB, limit)
    shown = [_upright(next(pictures)), *_more(pictures)]
    return _alone(shown[0], side) if len(shown) == 1 else _sheet(shown, side)


def _more(pictures: Iterator[Picture]) -> list[Pixels]:
    """What can be decoded of the further frames."""
    found: list[Pixels] = []
    try:
        found.extend(_upright(one) for one in islice(pictures, SHEET_FRAMES.value - 1))
    except UndecodableError:
        return found
    return found


def video_tile(descriptor: int, request: Request) -> Tile:
    """A contact sheet of evenly spread frames, without sound."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        with FileIO(descriptor, closefd=False) as file, opened(file) as container:
            shown = _frames(container, request)
    except av.error.InvalidDataError as error:
        raise UndecodableError(Reason.NOT_A_VIDEO) from error
    except av.error.FFmpegError as error:
        raise UndecodableError(Reason.DAMAGED) from error
    if not shown:
        raise UndecodableError(Reason.TRUNCATED)
    return _sheet(shown, request.frames)


def _frames(container: Any, request: Request) -> list[Pixels]:
    if not container.streams.video:
        raise UndecodableError(Reason.NOT_A_VIDEO)
    stream = container.streams.video[0]
    stream.thread_type = "NONE"
    check_size(stream.width, stream.height, request.pixels)
    length = int((container.duration or 0) // 1000)
    interval = max(length // SHEET_FRAMES.value, 1)
    small: list[Pixels] = []
    for _, _, frame in islice(frames_of(container, stream, interval), SHEET_FRAMES.value):
        check_size(frame.width, frame.height, request.pixels)
        turns = round((getattr(frame, "rotation", 0) or 0) / 90) % 4
        small.append(_shrunk(np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns)), request.frames // COLUMNS))
    return small


def _upright(picture: Picture) -> Pixels:
    pixels = picture.pixels
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return upright(pixels, picture.orientation)


def _shrunk(pixels: Pixels, side: int) -> Pixels:
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(image)


def _alone(pixels: Pixels, side: int) -> Tile:
    small = _shrunk(pixels, side)
    return Tile(small.shape[1], small.shape[0], small.tobytes())


def _sheet(frames: list[Pixels], side: int) -> Tile:
    """Frames in rows of four, each in a cell of the same size, on grey."""
    cell = side // COLUMNS
    rows = -(-len(frames) // COLUMNS)
    sheet = np.full((rows * cell, COLUMNS * cell, 3), 128, np.uint8)
    for place, pixels in enumerate(frames):
        small = _shrunk(pixels, cell)
        top, left = place // COLUMNS * cell, place % COLUMNS * cell
        sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
    return Tile(sheet.shape[1], sheet.shape[0], sheet.tobytes(), len(frames))

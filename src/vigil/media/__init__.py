"""Decoding of hostile images and video in a confined child process.

``hash_image(data)`` and ``hash_video(source)`` use one pool for the whole process; a service that wants its own
number of children, or its own rules, makes a :class:`Decoder`. No decoder library is loaded into the caller.
"""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path

from vigil.media.decoder import Decoder
from vigil.media.limits import PICTURE_SECONDS, TILE_SIDE, VIDEO_FRAMES, VIDEO_SECONDS
from vigil.media.model import Flag, ImageHashes, Mode, PdqHash, Reason, Tile, Unhashable, VideoHashes, View
from vigil.media.protocol import Layer

__all__ = [
    "Decoder",
    "Flag",
    "ImageHashes",
    "Layer",
    "Mode",
    "PdqHash",
    "Reason",
    "Tile",
    "Unhashable",
    "VideoHashes",
    "View",
    "default_decoder",
    "hash_image",
    "hash_video",
    "tile_of",
]

_shared: dict[int, Decoder] = {}
_starting = threading.Lock()


def default_decoder() -> Decoder:
    """The pool of this process; a forked process gets one of its own."""
    number = os.getpid()
    with _starting:
        if number not in _shared:
            _shared.clear()
            _shared[number] = Decoder()
            atexit.register(_shared[number].close)
        return _shared[number]


def hash_image(
    data: bytes,
    *,
    mode: Mode = Mode.EXACT,
    variants: bool = False,
    trim: bool = False,
    timeout: float = PICTURE_SECONDS.value,
) -> ImageHashes | Unhashable:
    """All hashes of a picture, or why there is no perceptual one: :meth:`Decoder.hash_image` of the shared pool."""
    return default_decoder().hash_image(data, mode=mode, variants=variants, trim=trim, timeout=timeout)


def tile_of(data: bytes, *, side: int = TILE_SIDE.value, timeout: float = PICTURE_SECONDS.value) -> Tile | Reason:
    """A small tile of a picture, or a contact sheet of a video, or why there is none: :meth:`Decoder.tile`."""
    return default_decoder().tile(data, side=side, timeout=timeout)


def hash_video(
    source: bytes | Path | int,
    *,
    mode: Mode = Mode.EXACT,
    interval: float = 1.0,
    frames: int = VIDEO_FRAMES.value,
    timeout: float = VIDEO_SECONDS.value,
) -> VideoHashes | Unhashable:
    """Digests and vPDQ features of a video: :meth:`Decoder.hash_video` of the shared pool."""
    return default_decoder().hash_video(source, mode=mode, interval=interval, frames=frames, timeout=timeout)

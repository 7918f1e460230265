"""Load all that decoding will ever need, before the doors close: a confined child can open nothing."""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import warnings
from io import BytesIO
from typing import Final

import av
import av.logging
import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, Image, ImageCms

from vigil.base.limits import MEDIA_PIXELS
from vigil.media.model import Mode
from vigil.media.pictures import hash_picture
from vigil.media.protocol import Kind, Request, Wish
from vigil.media.tiles import picture_tile, video_tile
from vigil.media.videos import hash_video

SIDE: Final = 96
REHEARSED: Final = (
    ("JPEG", "RGB"),
    ("JPEG", "CMYK"),
    ("PNG", "RGBA"),
    ("GIF", "P"),
    ("WEBP", "RGB"),
    ("TIFF", "LAB"),
    ("BMP", "L"),
)
NOT_FOR_DECODING: Final = ("av.datasets", "av.__main__")


def load_decoders() -> None:
    """Import every decoder, one thread each, and hash a drawn picture of each common kind once."""
    av.logging.set_level(av.logging.PANIC)
    logging.disable()
    warnings.simplefilter("ignore")
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    Image.init()
    for name, colours in REHEARSED:
        hash_picture(memoryview(_drawn(name, colours)), Mode.EXACT, Wish.TRIM | Wish.VARIANTS, MEDIA_PIXELS.value)
    picture_tile(memoryview(_drawn("JPEG", "RGB")), MEDIA_PIXELS.value, SIDE)
    _load_video()


def _load_video() -> None:
    """PyAV imports its parts when it meets a stream of their kind: all of them now, then a film of two frames."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.startswith(NOT_FOR_DECODING):
            importlib.import_module(module.name)
    data = _filmed()
    descriptor = os.memfd_create("vigil-rehearsal", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        for mode in (Mode.EXACT, Mode.RGB):
            hash_video(descriptor, Request(Kind.VIDEO, mode, Wish(0), len(data), frames=2))
        video_tile(descriptor, Request(Kind.VIDEO_TILE, Mode.RGB, Wish(0), len(data), frames=SIDE))
    finally:
        os.close(descriptor)


def _filmed() -> bytes:
    """Two frames of a gradient as a film."""
    buffer = BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for shade in (0, 100):
            picture = np.full((SIDE, SIDE, 3), shade, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def _drawn(name: str, colours: str) -> bytes:
    """A gradient as a file of that format."""
    slope = np.linspace(0, 255, SIDE).astype(np.uint8)
    picture = Image.fromarray(np.stack([np.tile(slope, (SIDE, 1))] * 3, axis=2))
    if colours == "LAB":
        forth = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        picture = ImageCms.applyTransform(picture, forth) or picture
    buffer = BytesIO()
    (picture if colours == "LAB" else picture.convert(colours)).save(buffer, name)
    return buffer.getvalue()

"""Load all that decoding will ever need, before the doors close: a confined child can open nothing."""

from __future__ import annotations

import logging
import warnings
from io import BytesIO
from typing import Final

import av.logging
import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, Image, ImageCms

from vigil.base.limits import MEDIA_PIXELS
from vigil.media import videos
from vigil.media.model import Mode
from vigil.media.pictures import hash_picture
from vigil.media.protocol import Wish

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

__all__ = ["load_decoders", "videos"]


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

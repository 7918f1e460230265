"""Pictures drawn by code for the tests of this room: soft landscapes with shapes, as detailed as a photograph."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageDraw

Pixels = NDArray[np.uint8]


def landscape(width: int = 320, height: int = 240, seed: int = 1) -> Image.Image:
    """An RGB picture with large and small structure; the same for the same numbers."""
    random = np.random.default_rng(seed)
    layers = np.zeros((height, width, 3))
    for cells, weight in ((4, 90), (11, 50), (29, 20)):
        coarse = Image.fromarray(random.integers(0, 255, (cells, cells, 3), dtype=np.uint8))
        layers += (np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) - 128.0) * weight / 128
    picture = Image.fromarray(np.clip(layers + 128, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(8):
        x, y = random.integers(0, width), random.integers(0, height)
        size = random.integers(8, max(9, min(width, height) // 4))
        pen.ellipse((x, y, x + size, y + size), fill=tuple(int(v) for v in random.integers(0, 255, 3)))
    return picture


def encoded(picture: Image.Image, name: str, **options: Any) -> bytes:
    """The picture as a file of that Pillow format."""
    buffer = BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


def jpeg(picture: Image.Image | None = None, **options: Any) -> bytes:
    return encoded(picture or landscape(), "JPEG", **({"quality": 90} | options))


def in_lab(picture: Image.Image) -> Image.Image:
    forth = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    turned = ImageCms.applyTransform(picture, forth)
    assert turned is not None
    return turned


def sixteen_bits(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def distance(one: bytes, other: bytes) -> int:
    """Bits that differ."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def film(seconds: int = 3, rate: int = 5, codec: str = "mpeg4", container: str = "mp4", **options: Any) -> bytes:
    """A film: each second shows another drawn landscape, a little moved from frame to frame."""
    import av

    buffer = BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 160, 120, options.get("pixels", "yuv420p")
        for number in range(seconds * rate):
            still = np.asarray(landscape(160, 120, seed=100 + number // rate))
            frame = av.VideoFrame.from_ndarray(np.roll(still, number % rate, axis=1), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return buffer.getvalue()

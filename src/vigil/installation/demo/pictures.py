"""Pictures drawn by code for the demo: circles, stripes and waves. Nothing in them shows a person.

The same name always gives the same picture, so that tests and a second start agree.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterator
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter

SIZE = (640, 480)
Colour = tuple[int, int, int]


def _numbers(name: str) -> Iterator[float]:
    """Numbers from 0 to 1 that depend on the name alone."""
    counter = 0
    while True:
        block = hashlib.sha256(f"{name}/{counter}".encode()).digest()
        yield from (byte / 255 for byte in block)
        counter += 1


def _colour(numbers: Iterator[float]) -> Colour:
    return (int(40 + 200 * next(numbers)), int(40 + 200 * next(numbers)), int(40 + 200 * next(numbers)))


def draw(name: str) -> Image.Image:
    """The picture called ``name``, 640 by 480."""
    numbers = _numbers(name)
    width, height = SIZE
    picture = Image.new("RGB", SIZE, _colour(numbers))
    pen = ImageDraw.Draw(picture)
    for _ in range(22):
        left, top = next(numbers) * width, next(numbers) * height
        reach = 20 + next(numbers) * 130
        box = (left - reach, top - reach * 0.7, left + reach, top + reach * 0.7)
        (pen.ellipse if next(numbers) > 0.5 else pen.rectangle)(box, fill=_colour(numbers))
    phase, colour = next(numbers) * 6, _colour(numbers)
    for row in range(0, height, 30):
        wave = [(x, row + 14 * math.sin(phase + x / 37)) for x in range(0, width + 8, 8)]
        pen.line(wave, fill=colour, width=4)
    return picture.filter(ImageFilter.GaussianBlur(1.2))


@lru_cache(maxsize=64)
def original(name: str) -> bytes:
    """The picture as a JPEG of good quality."""
    stream = io.BytesIO()
    draw(name).save(stream, "JPEG", quality=90)
    return stream.getvalue()


@lru_cache(maxsize=64)
def near_copy(name: str) -> bytes:
    """The same picture, smaller and squeezed harder: other bytes, other exact digests, nearly the same look."""
    stream = io.BytesIO()
    draw(name).resize((500, 375), Image.Resampling.LANCZOS).save(stream, "JPEG", quality=55)
    return stream.getvalue()

"""Calibration without content: drawn shapes with a known key, answered as labels are. Pure.

How people use a scheme can drift. A set of drawn shapes asks the same kind of question (kind, number, which is largest)
of everybody; agreement with the key and with each other is counted as for labels, and never shown by person.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

KINDS: Final = ("circle", "square", "triangle")
NUMBERS: Final = ("1", "2", "3", "4", "5")
QUESTIONS: Final = {"kind": KINDS, "number": NUMBERS, "largest_at": ("left", "right")}
SIDE: Final = 240
COLOURS: Final = ("#0a6a70", "#a87400", "#56697a", "#6a4c9c", "#a2496f")


@dataclass(frozen=True, slots=True)
class Item:
    """One drawn item of a set: what the key says. ``seed`` draws it."""

    seed: int
    key: dict[str, str]


def item(seed: int) -> Item:
    """The item that ``seed`` makes."""
    chance = random.Random(seed)  # noqa: S311 - a drawing, no secret
    key = {"kind": chance.choice(KINDS), "number": chance.choice(NUMBERS), "largest_at": chance.choice(("left", "right"))}
    return Item(seed, key)


def drawing(seed: int) -> bytes:
    """The item as a PNG: shapes of one kind in a row, the largest at one end."""
    made = item(seed)
    chance = random.Random(seed + 1)  # noqa: S311 - a drawing, no secret
    number = int(made.key["number"])
    sizes = sorted(chance.sample(range(12, 22), number), reverse=made.key["largest_at"] == "left")
    image = Image.new("RGB", (SIDE, SIDE), "#ffffff")
    pen = ImageDraw.Draw(image)
    for place, size in enumerate(sizes):
        middle = SIDE * (place + 0.5) / number if number > 1 else SIDE * (0.3 if made.key["largest_at"] == "left" else 0.7)
        _shape(pen, made.key["kind"], middle, chance.uniform(60, 180), size, chance.choice(COLOURS))
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _shape(pen: ImageDraw.ImageDraw, kind: str, x: float, y: float, size: int, colour: str) -> None:
    box = (x - size, y - size, x + size, y + size)
    if kind == "circle":
        pen.ellipse(box, fill=colour)
    elif kind == "square":
        pen.rectangle(box, fill=colour)
    else:
        pen.polygon([(x, y - size), (x - size, y + size), (x + size, y + size)], fill=colour)

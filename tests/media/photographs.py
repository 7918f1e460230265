"""Benign photographs that scikit-image ships inside its package; nothing is downloaded."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image

# Photographs only: no drawings, pages or textures. Origins and licences: skimage/data/README.txt.
NAMES = (
    "astronaut.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png",
    "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip


@cache
def photographs() -> dict[str, Image.Image]:
    """Name without ending -> RGB picture."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    found = {}
    for name in NAMES:
        with Image.open(folder / name) as image:
            found[Path(name).stem] = image.convert("RGB")
    return found

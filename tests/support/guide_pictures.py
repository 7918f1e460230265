"""The pictures of the guides beside the screens that a test has just taken: an old picture is found out by its PDQ hash."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from vigil.match.hashing import pdq

PICTURES: Final = Path("docs/guides/pictures")
ALIKE: Final = 48  # of 256 bits; other pages are 60 and more apart, times and random references move a few
LIKE_THE_GUIDES: Final = "python tools/guide_pictures.py puts the new one into place; look at it first"


def table() -> dict[str, dict[str, Any]]:
    """The pictures by name."""
    return tomllib.loads((PICTURES / "pictures.toml").read_text("utf-8"))


def require_current(screen: Path) -> None:
    """Fail where a guide shows this page as it no longer looks."""
    for name, row in table().items():
        if row["screen"] == screen.stem and not row.get("changes"):
            found = distance(PICTURES / f"{name}.png", screen)
            assert found <= ALIKE, f"{name}.png shows an old page ({found} bits apart): {LIKE_THE_GUIDES}"


def distance(picture: Path, screen: Path) -> int:
    """Bits between the PDQ hashes of a picture and of the same part of a screen."""
    with Image.open(picture) as shown, Image.open(screen) as page:
        part = page.crop((0, 0, page.width, min(shown.height, page.height)))
        one, other = (np.frombuffer(pdq.hash_rgb(np.asarray(each.convert("RGB")))[0], np.uint8) for each in (shown, part))
    return int(np.unpackbits(one ^ other).sum())

"""Put the pictures of the guides into place, from the screens that the browser tests took.

Usage: python tools/guide_pictures.py [NAME…]      after: pytest tests/hotline/console_door -k "light or dispute"
Which picture comes from which screen stands in docs/guides/pictures/pictures.toml.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "guides" / "pictures"
SCREENS = ROOT / "artifacts" / "screens"
HEIGHT = 860
COLOURS = 64


def table() -> dict[str, dict[str, Any]]:
    """The pictures by name."""
    return tomllib.loads((PICTURES / "pictures.toml").read_text("utf-8"))


def upper_part(screen: Path) -> Image.Image:
    """What stands in the guide of a whole page: its upper part, in few colours."""
    with Image.open(screen) as page:
        part = page.convert("RGB").crop((0, 0, page.width, min(HEIGHT, page.height)))
    return part.quantize(COLOURS, dither=Image.Dither.NONE)


def main(names: list[str]) -> int:
    rows = table()
    for name in names or rows:
        screen = SCREENS / f"{rows[name]['screen']}.png"
        if not screen.exists():
            print(f"{name}: {screen.relative_to(ROOT)} is missing: run the browser tests first", file=sys.stderr)
            return 1
        upper_part(screen).save(PICTURES / f"{name}.png", optimize=True)
        print(f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

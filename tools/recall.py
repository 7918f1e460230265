"""Measures which edits PDQ survives, and how far the modes are apart; writes the tables of docs/explain/recall.md.

Usage: python tools/recall.py [--check]      --check: say whether the tables in the document are what is measured now

All pictures are benign photographs that scikit-image ships. The numbers are the same on every run.
"""

from __future__ import annotations

import io
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.media.photographs import photographs  # noqa: E402

from vigil.match.hashing import pdq  # noqa: E402
from vigil.media.model import Mode  # noqa: E402
from vigil.media.pictures import hash_picture  # noqa: E402
from vigil.media.protocol import Wish  # noqa: E402

DOCUMENT = ROOT / "docs" / "explain" / "recall.md"
MATCH = 31  # bits: the distance up to which PDQ calls two pictures the same
LIMIT = 100_000_000  # pixels
SIDE = 640  # pixels: the longest side of each picture before it is edited

Edit = Callable[[Image.Image], Image.Image]
Stored = Callable[[Image.Image], bytes]


def jpeg(picture: Image.Image, quality: int = 85) -> bytes:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def stored_as(name: str, picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, name)
    return buffer.getvalue()


def crop(share: float, picture: Image.Image) -> Image.Image:
    """Cut ``share`` of width and height away, the same from each side."""
    x, y = int(picture.width * share / 2), int(picture.height * share / 2)
    return picture.crop((x, y, picture.width - x, picture.height - y))


def crop_left(share: float, picture: Image.Image) -> Image.Image:
    return picture.crop((int(picture.width * share), 0, picture.width, picture.height))


def border(share: float, colour: str, picture: Image.Image) -> Image.Image:
    return ImageOps.expand(picture, int(min(picture.size) * share), colour)


def bars(share: float, horizontal: bool, picture: Image.Image) -> Image.Image:
    """Black bars that add ``share`` of the side before and after."""
    x, y = (0, int(picture.height * share)) if horizontal else (int(picture.width * share), 0)
    return ImageOps.expand(picture, (x, y, x, y), "black")


def logo(share: float, picture: Image.Image) -> Image.Image:
    """A solid mark in a corner, ``share`` of the shorter side wide."""
    copy, size = picture.copy(), int(min(picture.size) * share)
    pen = ImageDraw.Draw(copy)
    right, bottom = picture.width - size // 4, picture.height - size // 4
    pen.ellipse((right - size, bottom - size, right, bottom), fill=(220, 30, 40))
    pen.rectangle((right - size // 2, bottom - size, right, bottom - size // 2), fill=(255, 255, 255))
    return copy


def caption(picture: Image.Image) -> Image.Image:
    """A white strip with dark blocks for words under the picture, 12 % of its height."""
    strip = int(picture.height * 0.12)
    result = ImageOps.expand(picture, (0, 0, 0, strip), "white")
    words(ImageDraw.Draw(result), picture.height + strip // 3, picture.width, strip // 3)
    return result


def words(pen: ImageDraw.ImageDraw, top: int, width: int, size: int) -> None:
    for left in range(size, int(width * 0.6), size * 2):
        pen.rectangle((left, top, left + size, top + size), fill=(20, 20, 20))


def screenshot(ground: str, picture: Image.Image) -> Image.Image:
    """A telephone's screen: the picture between bars that hold marks."""
    width = picture.width
    height = max(int(width * 2), int(picture.height * 1.3))
    screen = Image.new("RGB", (width, height), ground)
    for share in (0.02, 0.06, 0.90, 0.95):
        words(ImageDraw.Draw(screen), int(height * share), width, max(4, width // 60))
    screen.paste(picture, (0, (height - picture.height) // 2))
    return screen


def turn(degrees: float, picture: Image.Image) -> Image.Image:
    return picture.rotate(degrees, Image.Resampling.BICUBIC, expand=degrees % 90 == 0)


def scale(factor: float, picture: Image.Image) -> Image.Image:
    return picture.resize((int(picture.width * factor), int(picture.height * factor)), Image.Resampling.LANCZOS)


def stretch(factor: float, picture: Image.Image) -> Image.Image:
    return picture.resize((int(picture.width * factor), picture.height), Image.Resampling.LANCZOS)


def noise(deviation: float, picture: Image.Image) -> Image.Image:
    pixels = np.asarray(picture).astype(np.float64)
    noisy = pixels + np.random.default_rng(7).normal(0, deviation, pixels.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def gamma(power: float, picture: Image.Image) -> Image.Image:
    return picture.point([int(255 * (value / 255) ** power + 0.5) for value in range(256)] * 3)


def chain(*edits: Edit) -> Edit:
    def all_of_them(picture: Image.Image) -> Image.Image:
        for edit in edits:
            picture = edit(picture)
        return picture

    return all_of_them


def same(picture: Image.Image) -> Image.Image:
    return picture


EDITS: dict[str, tuple[Edit, Stored]] = {
    "JPEG quality 85": (same, jpeg),
    "JPEG quality 50": (same, partial(jpeg, quality=50)),
    "JPEG quality 30": (same, partial(jpeg, quality=30)),
    "GIF, 256 colours": (same, partial(stored_as, "GIF")),
    "resized to 50 %": (partial(scale, 0.5), jpeg),
    "resized to 25 %": (partial(scale, 0.25), jpeg),
    "resized to 200 %": (partial(scale, 2.0), jpeg),
    "stretched by 20 %": (partial(stretch, 1.2), jpeg),
    "brightness +30 %": (lambda p: ImageEnhance.Brightness(p).enhance(1.3), jpeg),
    "brightness -30 %": (lambda p: ImageEnhance.Brightness(p).enhance(0.7), jpeg),
    "contrast +50 %": (lambda p: ImageEnhance.Contrast(p).enhance(1.5), jpeg),
    "gamma 0.6": (partial(gamma, 0.6), jpeg),
    "saturation +80 %": (lambda p: ImageEnhance.Color(p).enhance(1.8), jpeg),
    "greyscale": (lambda p: p.convert("L"), jpeg),
    "blurred, radius 2": (lambda p: p.filter(ImageFilter.GaussianBlur(2)), jpeg),
    "noise, deviation 15": (partial(noise, 15), jpeg),
    "negative": (ImageOps.invert, jpeg),
    "logo, 15 % of the side": (partial(logo, 0.15), jpeg),
    "logo, 30 % of the side": (partial(logo, 0.30), jpeg),
    "cropped by 5 %": (partial(crop, 0.05), jpeg),
    "cropped by 10 %": (partial(crop, 0.10), jpeg),
    "cropped by 20 %": (partial(crop, 0.20), jpeg),
    "cropped at the left by 10 %": (partial(crop_left, 0.10), jpeg),
    "white border, 5 %": (partial(border, 0.05, "white"), jpeg),
    "black border, 15 %": (partial(border, 0.15, "black"), jpeg),
    "letterbox, 15 % above and below": (partial(bars, 0.15, True), jpeg),
    "letterbox, JPEG quality 30": (partial(bars, 0.15, True), partial(jpeg, quality=30)),
    "bars at the sides, 25 % each": (partial(bars, 0.25, False), jpeg),
    "caption strip below, 12 %": (caption, jpeg),
    "screenshot, light": (partial(screenshot, "#fafafa"), jpeg),
    "screenshot, dark": (partial(screenshot, "#101418"), jpeg),
    "mirrored": (ImageOps.mirror, jpeg),
    "flipped": (ImageOps.flip, jpeg),
    "turned by 90 degrees": (partial(turn, 90), jpeg),
    "turned by 180 degrees": (partial(turn, 180), jpeg),
    "turned by 270 degrees": (partial(turn, 270), jpeg),
    "turned by 1 degree": (partial(turn, 1), jpeg),
    "turned by 3 degrees": (partial(turn, 3), jpeg),
    "turned by 10 degrees": (partial(turn, 10), jpeg),
    "mirrored, letterbox": (chain(ImageOps.mirror, partial(bars, 0.15, True)), jpeg),
}


def pictures() -> list[Image.Image]:
    chosen = []
    for picture in photographs().values():
        copy = picture.copy()
        copy.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        chosen.append(copy)
    return chosen


WISHES = {"plain": Wish(0), "variants": Wish.VARIANTS, "trim": Wish.TRIM, "both": Wish.VARIANTS | Wish.TRIM}


def distance(file: memoryview, truth: bytes, mode: Mode, wishes: Wish) -> int:
    """Smallest number of bits between the truth and any of the hashes that were wished for."""
    hashes = hash_picture(file, mode, wishes, LIMIT).hashes
    return min((int.from_bytes(one.pdq) ^ int.from_bytes(truth)).bit_count() for one in hashes)


def measured(name: str, originals: list[Image.Image]) -> list[dict[str, int]]:
    edit, store = EDITS[name]
    results = []
    for original in originals:
        truth = pdq.hash_rgb(np.asarray(original))[0]
        edited = memoryview(store(edit(original)))
        results.append({kind: distance(edited, truth, Mode.EXACT, wishes) for kind, wishes in WISHES.items()})
    return results


def recall_row(name: str, originals: list[Image.Image]) -> str:
    results = measured(name, originals)
    shares = [sum(one[kind] <= MATCH for one in results) / len(results) for kind in WISHES]
    middle = int(statistics.median_low(one["plain"] for one in results))
    return f"| {name} | {middle} | " + " | ".join(f"{share:.0%}" for share in shares) + " |"


def recall_table() -> list[str]:
    originals = pictures()
    head = ["| edit | median bits, plain | plain | with variants | with trimming | with both |", "|---|---:|---:|---:|---:|---:|"]
    return head + [recall_row(name, originals) for name in EDITS]


def mode_row(width: int) -> str:
    """How far exact and fast mode are from the RGB path at one width."""
    apart: dict[Mode, list[int]] = {Mode.EXACT: [], Mode.FAST: []}
    for picture in photographs().values():
        sized = picture.resize((width, picture.height * width // picture.width), Image.Resampling.BICUBIC)
        for quality in (60, 85):
            data = memoryview(jpeg(sized, quality))
            truth = hash_picture(data, Mode.RGB, Wish(0), LIMIT).hashes[0].pdq
            for mode, found in apart.items():
                found.append(distance(data, truth, mode, Wish(0)))
    cells = [f"{sum(bits <= 2 for bits in found) / len(found):.0%} | {max(found)}" for found in apart.values()]
    return f"| {width} | " + " | ".join(cells) + " |"


WIDTHS = (320, 640, 1024, 2048, 4000)


def mode_table() -> list[str]:
    head = ["| width | exact: within 2 bits | exact: most | fast: within 2 bits | fast: most |", "|---:|---:|---:|---:|---:|"]
    return head + [mode_row(width) for width in WIDTHS]


def section(document: str, name: str) -> tuple[int, int]:
    """Where the lines of a table lie: between ``<!-- name -->`` and ``<!-- /name -->``."""
    return document.index(f"<!-- {name} -->") + len(f"<!-- {name} -->\n"), document.index(f"<!-- /{name} -->")


def written(document: str) -> str:
    """The document with its tables measured anew."""
    for name, table in (("recall", recall_table()), ("modes", mode_table())):
        start, end = section(document, name)
        document = document[:start] + "\n".join(table) + "\n" + document[end:]
    return document


def main(arguments: list[str]) -> int:
    before = DOCUMENT.read_text(encoding="utf-8")
    after = written(before)
    if arguments == ["--check"]:
        print("as measured" if before == after else "the tables are not what is measured now")
        return int(before != after)
    DOCUMENT.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

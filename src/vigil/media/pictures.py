"""A picture's bytes to its perceptual hashes: what the child does for every picture, in one call.

Runs in the confined child. Calling it elsewhere decodes hostile bytes in your own process: only tests and
benchmarks do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from numpy.typing import NDArray

from vigil.match.hashing import pdq
from vigil.media import borders, reduced
from vigil.media.borders import Box
from vigil.media.limits import LOW_QUALITY, SMALL_SIDE
from vigil.media.model import Decoded, Flag, Mode, PdqHash, Reason, UndecodableError, View
from vigil.media.pixels import UPRIGHT, Picture, Pixels, read, upright
from vigil.media.protocol import Wish

# In the order of pdq.VARIANTS; its first form is the picture as it is.
FORMS: Final = (View.PLAIN, *(View(name) for name in pdq.VARIANTS[1:]))
# EXIF orientation -> the form that shows the picture upright; the turns of FORMS are counter-clockwise.
UPRIGHT_FORM: Final = {
    2: View.MIRROR,
    3: View.ROTATE_180,
    4: View.FLIP,
    5: View.TRANSPOSE,
    6: View.ROTATE_270,
    7: View.TRANSVERSE,
    8: View.ROTATE_90,
}


def hash_picture(data: memoryview, mode: Mode, wishes: Wish, limit: int) -> Decoded:
    """All hashes of one picture; UndecodableError with the reason where there are none."""
    if not len(data):
        raise UndecodableError(Reason.EMPTY)
    name, pictures = read(data, mode, limit)
    first = next(pictures)
    hashes = _hashes(first, wishes, mode)
    frames, flags = _frames(pictures)
    flags |= first.flags | _warnings(first, hashes[0])
    return Decoded(first.width, first.height, 0, name, flags, tuple(hashes + frames))


def fingerprint(pixels: NDArray[Any], view: View, frame: int = 0, milliseconds: int = 0) -> PdqHash:
    """PDQ of ``(h, w)`` luminance or ``(h, w, 3)`` RGB."""
    value, quality = pdq.hash_luma(pixels) if pixels.ndim == 2 else pdq.hash_rgb(pixels)
    return PdqHash(view, value, quality, frame, milliseconds)


def _hashes(picture: Picture, wishes: Wish, mode: Mode) -> list[PdqHash]:
    """The plain hash first, then the extras that were asked for."""
    if picture.scale > 1:
        return _of_reduced(picture, wishes)
    if picture.orientation != UPRIGHT:
        if not wishes and mode is not Mode.RGB:
            return [_turned(picture)]
        picture = replace(picture, pixels=upright(picture.pixels, picture.orientation), orientation=UPRIGHT)
    hashes = _forms(picture.pixels, wishes)
    if picture.opaque is not None:
        hashes.append(fingerprint(picture.opaque, View.OPAQUE))
    return hashes + _trimmed(picture.pixels, wishes)


def _turned(picture: Picture) -> PdqHash:
    """The hash of the upright picture from pixels that are not: the kernel reads them in the other order."""
    form = FORMS.index(UPRIGHT_FORM[picture.orientation])
    return replace(variants(picture.pixels)[form], view=View.PLAIN)


def _of_reduced(picture: Picture, wishes: Wish) -> list[PdqHash]:
    """Fast mode: the 64 x 64 samples are a picture of their own, whose PDQ is that of the whole."""
    hashes = _forms(reduced.samples(picture), wishes)
    return hashes + (_trimmed(upright(picture.pixels, picture.orientation), wishes) if wishes else [])


def _forms(pixels: NDArray[Any], wishes: Wish) -> list[PdqHash]:
    """The plain hash; with VARIANTS also the other seven forms and the negative."""
    if Wish.VARIANTS not in wishes:
        return [fingerprint(pixels, View.PLAIN)]
    forms = variants(pixels)
    return [*forms, replace(forms[0], view=View.NEGATIVE, pdq=bytes(255 - byte for byte in forms[0].pdq))]


def variants(pixels: NDArray[Any]) -> list[PdqHash]:
    """All eight turned and mirrored forms, the plain one first."""
    found = pdq.variants_luma(pixels) if pixels.ndim == 2 else pdq.variants_rgb(pixels)
    return [PdqHash(view, value, quality) for view, (value, quality) in zip(FORMS, found, strict=True)]


def _trimmed(pixels: Pixels, wishes: Wish) -> list[PdqHash]:
    """The picture without its borders, and what may be the panel of a screenshot where that is something else.

    With VARIANTS also their turned and mirrored forms, under the same view.
    """
    if Wish.TRIM not in wishes:
        return []
    whole = borders.trimmed(pixels)
    found = _boxed(pixels, whole, View.TRIMMED, wishes) if whole else []
    for box in borders.panels(pixels):
        found += _boxed(pixels, box, View.PANEL, wishes) if box != whole else []
    return found


def _boxed(pixels: Pixels, box: Box, view: View, wishes: Wish) -> list[PdqHash]:
    inside = box.of(pixels)
    forms = variants(inside) if Wish.VARIANTS in wishes else [fingerprint(inside, view)]
    return [replace(one, view=view) for one in forms]


def _frames(pictures: Iterator[Picture]) -> tuple[list[PdqHash], Flag]:
    """The sampled frames; what is broken after the first one costs only itself, and a flag."""
    hashes, flags = [], Flag(0)
    try:
        for one in pictures:
            hashes.append(fingerprint(one.pixels, View.FRAME, one.frame, one.milliseconds))
            flags |= one.flags
    except UndecodableError:
        return hashes, flags | Flag.ANIMATED | Flag.DAMAGED
    return hashes, flags


def _warnings(picture: Picture, plain: PdqHash) -> Flag:
    small = Flag.SMALL if min(picture.width, picture.height) < SMALL_SIDE.value else Flag(0)
    return small | (Flag.LOW_QUALITY if plain.quality < LOW_QUALITY.value else Flag(0))

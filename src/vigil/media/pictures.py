"""A picture's bytes to its perceptual hashes: what the child does for every picture, in one call.

Runs in the confined child. Calling it elsewhere decodes hostile bytes in your own process: only tests and
benchmarks do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from vigil.match.hashing import pdq, pdq_twin
from vigil.media import borders
from vigil.media.limits import LOW_QUALITY, SMALL_SIDE
from vigil.media.model import Decoded, Flag, Mode, PdqHash, Reason, UndecodableError, View
from vigil.media.pixels import Picture, Pixels, read
from vigil.media.protocol import Wish

TURNED: Final = tuple(View(name) for name in pdq.VARIANTS[1:])


def hash_picture(data: memoryview, mode: Mode, wishes: Wish, limit: int) -> Decoded:
    """All hashes of one picture; UndecodableError with the reason where there are none."""
    if not len(data):
        raise UndecodableError(Reason.EMPTY)
    name, pictures = read(data, mode, limit)
    first = next(pictures)
    hashes = [fingerprint(first.pixels, View.PLAIN), *_extras(first, wishes)]
    frames, flags = _frames(pictures)
    flags |= first.flags | _warnings(first, hashes[0])
    return Decoded(first.width, first.height, 0, name, flags, tuple(hashes + frames))


def fingerprint(pixels: Pixels, view: View, frame: int = 0, milliseconds: int = 0) -> PdqHash:
    """PDQ of ``(h, w)`` luminance or ``(h, w, 3)`` RGB."""
    value, quality = pdq.hash_luma(pixels) if pixels.ndim == 2 else pdq.hash_rgb(pixels)
    return PdqHash(view, value, quality, frame, milliseconds)


def _extras(picture: Picture, wishes: Wish) -> list[PdqHash]:
    extras = []
    if picture.opaque is not None:
        extras.append(fingerprint(picture.opaque, View.OPAQUE))
    if Wish.TRIM in wishes:
        extras += _trimmed(picture.pixels)
    if Wish.VARIANTS in wishes:
        extras += _variants(picture.pixels)
    return extras


def _variants(pixels: Pixels) -> list[PdqHash]:
    """The seven turned and mirrored forms."""
    forms = pdq_twin.turned(pixels)[1:]
    return [fingerprint(np.ascontiguousarray(form), view) for form, view in zip(forms, TURNED, strict=True)]


def _trimmed(pixels: Pixels) -> list[PdqHash]:
    """The picture without its borders, and the panel of a screenshot where that is something else."""
    trimmed, panel = borders.trimmed(pixels), borders.panel(pixels)
    found = [fingerprint(trimmed.of(pixels), View.TRIMMED)] if trimmed else []
    if panel and panel != trimmed:
        found.append(fingerprint(panel.of(pixels), View.PANEL))
    return found


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

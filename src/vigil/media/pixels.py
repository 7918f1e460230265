"""From a file's bytes to upright pixels: ``(h, w)`` luminance or ``(h, w, 3)`` RGB, uint8.

Every picture is converted before it is hashed. Raw samples of palettes, CMYK planes or 16-bit greys would give a
hash of high quality that matches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from vigil.match.hashing.pdq_twin import window
from vigil.media import sniff
from vigil.media.limits import ANIMATION_FRAMES, ANIMATION_PIXELS
from vigil.media.model import Flag, Mode, Reason, UndecodableError

Pixels = NDArray[np.uint8]

PILLOW_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF")
WHITE: Final = (255, 255, 255, 255)  # what a see-through pixel lies on: most pages and viewers are white
UPRIGHT: Final = 1  # EXIF orientations (CIPA DC-008); from TRANSPOSED on, width and height change places
TRANSPOSED: Final = 5
MIRRORED: Final = frozenset({2, 3, 6, 7})  # left and right change places, after the transposition
FLIPPED: Final = frozenset({3, 4, 7, 8})  # top and bottom do
SCALES: Final = (8, 4)  # what libjpeg-turbo reduces by; by 2 saves less than the rest costs
BLOCKS_A_WINDOW: Final = 3  # fast mode: the filters of PDQ stay at least so many reduced pixels wide
ALPHA_MODES: Final = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
WIDE_MODES: Final = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
COLOUR_MODES: Final = frozenset({"RGB", "P", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"})


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture.

    ``width``, ``height``  of the upright picture at full size, whatever ``pixels`` are
    ``opaque``             the same without its alpha channel, where that makes a difference
    ``orientation``        EXIF orientation that ``pixels`` still have to be turned by; UPRIGHT: none
    ``scale``              a pixel is the mean of scale x scale pixels of the file (fast mode)
    """

    pixels: Pixels
    width: int
    height: int
    flags: Flag
    opaque: Pixels | None = None
    frame: int = 0
    milliseconds: int = 0
    orientation: int = UPRIGHT
    scale: int = 1


def read(data: memoryview, mode: Mode, limit: int) -> tuple[str, Iterator[Picture]]:
    """The format, and the pictures in the file: the first one, then sampled frames of an animation.

    ``limit`` bounds the pixels of one frame. Raises :class:`UndecodableError`, also while iterating.
    """
    name = sniff.picture_format(data)
    if name is None:
        raise UndecodableError(Reason.UNSUPPORTED_FORMAT if sniff.is_undecoded_picture(data) else Reason.NOT_AN_IMAGE)
    if name == "jpeg":
        return name, iter([read_jpeg(data, mode, limit)])
    return name, read_frames(data, name, mode, limit)


def read_jpeg(data: memoryview, mode: Mode, limit: int) -> Picture:
    """A JPEG through libjpeg-turbo; through Pillow where its colours or sampling need more than that."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=True)
    except ValueError:
        return next(read_frames(data, "jpeg", mode, limit))  # rare samplings, and what is broken: Pillow says why
    check_size(width, height, limit)
    if space not in {"Gray", "YCbCr", "RGB"}:
        _, flags = _decode_jpeg(data, "CMYK", (height, width))  # Pillow would fill what is missing with grey and say nothing
        picture = next(read_frames(data, "jpeg", mode, limit))
        return replace(picture, flags=picture.flags | flags)
    grey = space == "Gray" or (space == "YCbCr" and mode is not Mode.RGB)
    scale = scale_of(width, height) if grey and mode is Mode.FAST else 1
    reduced = (-(-height // scale), -(-width // scale))
    pixels, flags = _decode_jpeg(data, "GRAY" if grey else "RGB", reduced)
    orientation = sniff.jpeg_orientation(data)
    flags |= Flag.ORIENTED if orientation != UPRIGHT else Flag(0)
    size = (height, width) if orientation >= TRANSPOSED else (width, height)
    return Picture(pixels[:, :, 0] if grey else pixels, *size, flags, orientation=orientation, scale=scale)


def scale_of(width: int, height: int) -> int:
    """By how much fast mode may reduce: 1, 4 or 8."""
    narrow = window(min(width, height))
    return next((scale for scale in SCALES if scale * BLOCKS_A_WINDOW <= narrow), 1)


def _decode_jpeg(data: memoryview, space: str, size: tuple[int, int]) -> tuple[Pixels, Flag]:
    """Strictly first; a missing end marker alone is no harm, other recoverable faults are flagged.

    ``size``: (height, width) at least; the decoder takes the smallest of its scales that reaches it.
    """
    scale = {"min_height": size[0], "min_width": size[1], "min_factor": 1}
    try:
        return simplejpeg.decode_jpeg(data, space, strict=True, **scale), Flag(0)
    except ValueError as error:
        fault = str(error).lower()
    if "premature end" in fault:
        data = _with_end(data, space)
    elif sniff.is_cut_short(data, "jpeg"):
        raise UndecodableError(Reason.TRUNCATED)  # an earlier fault must not hide that the end is missing
    try:
        return simplejpeg.decode_jpeg(data, space, strict=False, **scale), Flag.DAMAGED
    except ValueError as error:
        raise UndecodableError(Reason.DAMAGED) from error


def _with_end(data: memoryview, space: str) -> memoryview:
    """The file with an end marker, if that is all it lacked. A picture with missing rows has no true hash."""
    whole = memoryview(bytes(data) + sniff.END_OF_JPEG)
    try:
        simplejpeg.decode_jpeg(whole, space, strict=True)
    except ValueError as error:
        if "premature end" in str(error).lower():
            raise UndecodableError(Reason.TRUNCATED) from error
    return whole


def read_frames(data: memoryview, name: str, mode: Mode, limit: int) -> Iterator[Picture]:
    """The pictures of any other format, by Pillow and libheif."""
    try:
        with Image.open(BytesIO(data), formats=PILLOW_FORMATS) as image:
            yield from _frames(image, mode, limit)
    except (UndecodableError, MemoryError, GeneratorExit):
        raise
    except Image.DecompressionBombError as error:
        raise UndecodableError(Reason.TOO_MANY_PIXELS) from error
    except Exception as error:
        raise UndecodableError(_fault(error, data, name)) from error


def _fault(error: Exception, data: memoryview, name: str) -> Reason:
    """Which reason an exception of a decoder stands for; they share no types worth asking for."""
    if "truncated" in str(error).lower() or isinstance(error, EOFError) or sniff.is_cut_short(data, name):
        return Reason.TRUNCATED
    return Reason.DAMAGED


def _frames(image: Image.Image, mode: Mode, limit: int) -> Iterator[Picture]:
    check_size(*image.size, limit)
    orientation, flags = _orientation(image)
    yield _picture(image, mode, orientation, flags)
    count = int(getattr(image, "n_frames", 1))
    if count <= 1:
        return
    wanted, cut = sample_frames(count, image.width * image.height)
    flags |= Flag.ANIMATED | (Flag.FRAMES_CUT if cut else Flag(0))
    milliseconds = 0
    for frame in range(1, max(wanted) + 1):
        milliseconds += int(image.info.get("duration", 0) or 0)
        image.seek(frame)
        if frame in wanted:
            check_size(*image.size, limit)
            image.load()
            moment = int(image.info.get("timestamp", milliseconds))  # WebP and AVIF know the time of each frame
            yield _picture(image, mode, orientation, flags, frame, moment)


def sample_frames(count: int, pixels: int) -> tuple[frozenset[int], bool]:
    """Which of ``count`` frames to hash besides the first, evenly spread; and whether the pixel budget cut some off."""
    reachable = min(count, max(2, ANIMATION_PIXELS.value // max(pixels, 1)))
    samples = min(ANIMATION_FRAMES.value, reachable)
    spread = {round(place * (reachable - 1) / (samples - 1)) for place in range(1, samples)}
    return frozenset(spread), reachable < count


def _orientation(image: Image.Image) -> tuple[int, Flag]:
    """The turn that is still to be made, and the flag that one is made.

    Pillow turns TIFF while loading, and tells the rotation of AVIF as if it were EXIF. libheif has turned HEIF;
    EXIF in such a file is only a note (ISO/IEC 23008-12).
    """
    value = UPRIGHT if image.format == "HEIF" else image.getexif().get(sniff.ORIENTATION_TAG, UPRIGHT)
    if value not in range(2, 9):
        return UPRIGHT, Flag(0)
    return (UPRIGHT if image.format == "TIFF" else int(value)), Flag.ORIENTED


def _picture(
    image: Image.Image, mode: Mode, orientation: int, flags: Flag, frame: int = 0, milliseconds: int = 0
) -> Picture:
    pixels, opaque = convert(image, mode)
    pixels = upright(pixels, orientation)
    if opaque is not None:
        flags |= Flag.TRANSPARENT
        opaque = upright(opaque, orientation)
    height, width = pixels.shape[:2]
    return Picture(pixels, width, height, flags, opaque, frame, milliseconds)


def convert(image: Image.Image, mode: Mode) -> tuple[Pixels, Pixels | None]:
    """Luminance or RGB of any Pillow image; the second is the picture with alpha ignored, where it has any."""
    if image.mode in WIDE_MODES:
        return _as_asked(_eight_bits(np.asarray(image)), mode), None
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        return _composite(image)
    if image.mode in {"L", "1"}:
        return _as_asked(np.asarray(image.convert("L")), mode), None
    if image.mode not in COLOUR_MODES:
        raise UndecodableError(Reason.UNSUPPORTED_MODE)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), None


def _composite(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """On white; and without alpha, because what is hidden under it can be shown by anybody."""
    if image.mode == "La":
        image = image.convert("LA")
    full = image.convert("RGBA")
    opaque = np.asarray(full.convert("RGB"))
    if full.getchannel("A").getextrema() == (255, 255):
        return opaque, None
    ground = Image.new("RGBA", full.size, WHITE)
    return np.asarray(Image.alpha_composite(ground, full).convert("RGB")), opaque


def _eight_bits(wide: NDArray[Any]) -> Pixels:
    """Greys of more than 8 bits, scaled by their nominal range: integers 0–65535, floats 0–1 or 0–255."""
    if not np.isfinite(wide).all() or wide.min() < 0 or wide.max() > 0xFFFF:
        raise UndecodableError(Reason.UNSUPPORTED_MODE)
    if wide.dtype.kind == "f":
        if wide.max() > 255:
            raise UndecodableError(Reason.UNSUPPORTED_MODE)
        return np.asarray(wide * (255 if wide.max() <= 1 else 1) + 0.5).astype(np.uint8)
    return (wide.astype(np.uint16) >> 8).astype(np.uint8)


def _as_asked(grey: Pixels, mode: Mode) -> Pixels:
    return np.repeat(grey[:, :, None], 3, axis=2) if mode is Mode.RGB else grey


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn and mirror as EXIF orientation 1–8 asks (CIPA DC-008): what a viewer shows."""
    if orientation >= TRANSPOSED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in MIRRORED:
        pixels = pixels[:, ::-1]
    if orientation in FLIPPED:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def check_size(width: int, height: int, limit: int) -> None:
    """Before anything is decoded."""
    if width <= 0 or height <= 0:
        raise UndecodableError(Reason.ZERO_SIZE)
    if width * height > limit:
        raise UndecodableError(Reason.TOO_MANY_PIXELS)


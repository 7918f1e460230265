"""Every format and colour mode, through the confined child: the hash of the picture, not of its storage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps
from tests.media.drawings import distance, encoded, in_lab, jpeg, landscape, sixteen_bits

from vigil.match.hashing import pdq
from vigil.media import Decoder, Flag, ImageHashes, Mode, Reason, Unhashable, View

pillow_heif.register_heif_opener(thumbnails=False)

SAMPLE = landscape()
TRUE_HASH = pdq.hash_rgb(np.asarray(SAMPLE))[0]


def grey(picture: Image.Image) -> Image.Image:
    return picture.convert("L")


def floats(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.float32) / 255)


def mode(name: str) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.convert(name)


# format, how the picture is stored, bits that the storage may cost
STORED: list[tuple[str, Callable[[Image.Image], Image.Image], dict[str, Any], int]] = [
    ("JPEG", mode("RGB"), {"quality": 90}, 6),
    ("JPEG", mode("RGB"), {"quality": 90, "progressive": True}, 6),
    ("JPEG", mode("RGB"), {"quality": 90, "subsampling": 0}, 6),
    ("JPEG", mode("RGB"), {"quality": 90, "keep_rgb": True}, 6),
    ("JPEG", mode("RGB"), {"quality": 90, "restart_marker_rows": 1}, 6),
    ("JPEG", mode("L"), {"quality": 90}, 6),
    ("JPEG", mode("CMYK"), {"quality": 90}, 6),
    ("PNG", mode("RGB"), {}, 0),
    ("PNG", mode("RGBA"), {}, 0),
    ("PNG", mode("LA"), {}, 4),
    ("PNG", mode("L"), {}, 4),
    ("PNG", mode("P"), {}, 16),
    ("PNG", mode("1"), {}, 24),
    ("PNG", sixteen_bits, {}, 4),
    ("GIF", mode("P"), {}, 24),
    ("GIF", mode("RGB"), {}, 24),
    ("WEBP", mode("RGB"), {"lossless": True}, 0),
    ("WEBP", mode("RGB"), {"quality": 90}, 6),
    ("WEBP", mode("RGBA"), {"lossless": True}, 0),
    ("TIFF", mode("RGB"), {}, 0),
    ("TIFF", mode("RGB"), {"compression": "tiff_lzw"}, 0),
    ("TIFF", mode("RGB"), {"compression": "jpeg"}, 10),
    ("TIFF", mode("CMYK"), {}, 0),
    ("TIFF", mode("YCbCr"), {}, 4),
    ("TIFF", in_lab, {}, 6),
    ("TIFF", sixteen_bits, {}, 4),
    ("TIFF", floats, {}, 4),
    ("TIFF", mode("P"), {}, 16),
    ("TIFF", mode("1"), {"compression": "group4"}, 24),
    ("BMP", mode("RGB"), {}, 0),
    ("BMP", mode("P"), {}, 16),
    ("AVIF", mode("RGB"), {"quality": 90}, 8),
    ("AVIF", mode("RGBA"), {"quality": 90}, 8),
    ("HEIF", mode("RGB"), {"quality": 90}, 8),
    ("HEIF", mode("L"), {"quality": 90}, 8),
]


@pytest.mark.parametrize(("name", "stored", "options", "allowed"), STORED, ids=lambda value: str(value)[:16])
def test_the_storage_of_a_picture_does_not_change_what_it_is(
    decoder: Decoder, name: str, stored: Callable[[Image.Image], Image.Image], options: dict[str, Any], allowed: int
) -> None:
    data = encoded(stored(SAMPLE), name, **options)
    found = decoder.hash_image(data)
    assert isinstance(found, ImageHashes), found
    assert distance(found.pdq, TRUE_HASH) <= allowed
    assert (found.width, found.height, found.format) == (320, 240, name.lower())
    assert found.pdq_quality > 90


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "HEIF"])
def test_the_rgb_mode_hashes_the_pixels_that_pillow_gives(decoder: Decoder, name: str) -> None:
    data = encoded(SAMPLE, name)
    found = decoder.hash_image(data, mode=Mode.RGB)
    import io

    with Image.open(io.BytesIO(data)) as image:
        expected = pdq.hash_rgb(np.asarray(image.convert("RGB")))
    assert isinstance(found, ImageHashes)
    assert (found.pdq, found.pdq_quality) == expected
    assert found.mode is Mode.RGB


def test_exact_digests_are_those_of_the_bytes(decoder: Decoder) -> None:
    data = jpeg()
    found = decoder.hash_image(data)
    assert found.md5 == hashlib.md5(data).digest()
    assert found.sha1 == hashlib.sha1(data).digest()
    assert found.sha256 == hashlib.sha256(data).digest()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_picture_is_hashed_as_a_viewer_shows_it(decoder: Decoder, name: str, orientation: int) -> None:
    """What EXIF turns back is stored turned; all eight give the hash of the upright picture."""
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = SAMPLE.transpose(back[orientation]) if orientation > 1 else SAMPLE
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decoder.hash_image(encoded(stored, name, exif=exif, quality=95))
    assert isinstance(found, ImageHashes)
    assert (found.width, found.height) == (320, 240)
    assert distance(found.pdq, TRUE_HASH) <= 8
    assert (Flag.ORIENTED in found.flags) == (orientation > 1)


def test_exif_in_heif_is_a_note_and_turns_nothing(decoder: Decoder) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = decoder.hash_image(encoded(SAMPLE, "HEIF", exif=exif, quality=95))
    assert isinstance(found, ImageHashes)
    assert distance(found.pdq, TRUE_HASH) <= 8


def boxes(data: bytes, start: int, end: int) -> dict[bytes, tuple[int, int]]:
    """Name -> (start, end) of the boxes of an ISO media file between two places."""
    found = {}
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4], "big")
        found[data[start + 4 : start + 8]] = (start, start + size)
        start += size
    return found


def turned_by_container(data: bytes, quarter_turns: int) -> bytes:
    """The HEIF file with an ``irot`` property for its picture: what a telephone held upright writes."""
    changed = bytearray(data)
    meta = boxes(data, 0, len(data))[b"meta"]
    inner = boxes(data, meta[0] + 12, meta[1])
    properties = boxes(data, inner[b"iprp"][0] + 8, inner[b"iprp"][1])
    ipco, ipma = properties[b"ipco"], properties[b"ipma"]
    number = len(boxes(data, ipco[0] + 8, ipco[1])) + 1
    count = ipma[0] + 18  # version and flags, number of items, item, number of properties of it
    assert data[ipma[0] + 8 : ipma[0] + 12] == bytes(4)
    changed[count] += 1
    end = count + 1 + data[count]
    changed[end:end] = bytes([0x80 | number])
    changed[ipco[1] : ipco[1]] = (9).to_bytes(4, "big") + b"irot" + bytes([quarter_turns])
    for start, grown in ((meta[0], 10), (inner[b"iprp"][0], 10), (ipco[0], 9), (ipma[0] + 9, 1)):
        size = int.from_bytes(changed[start : start + 4], "big") + grown
        changed[start : start + 4] = size.to_bytes(4, "big")
    old = inner[b"mdat"][0] if b"mdat" in inner else boxes(data, 0, len(data))[b"mdat"][0] + 8
    place = changed.index(old.to_bytes(4, "big"), inner[b"iloc"][0])
    changed[place : place + 4] = (old + 10).to_bytes(4, "big")
    return bytes(changed)


def test_the_turn_of_a_heif_container_is_applied(decoder: Decoder) -> None:
    found = decoder.hash_image(turned_by_container(encoded(SAMPLE, "HEIF", quality=95), 1))
    assert isinstance(found, ImageHashes), found
    assert (found.width, found.height) == (240, 320)
    assert distance(found.pdq, pdq.hash_rgb(np.asarray(SAMPLE.transpose(Image.Transpose.ROTATE_90)))[0]) <= 8


def test_what_is_see_through_lies_on_white_and_is_hashed_once_more_without_alpha(decoder: Decoder) -> None:
    hidden = SAMPLE.copy()
    veil = Image.new("L", SAMPLE.size, 255)
    veil.paste(0, (0, 0, 160, 240))
    hidden.putalpha(veil)
    found = decoder.hash_image(encoded(hidden, "PNG"))
    shown = SAMPLE.copy()
    shown.paste((255, 255, 255), (0, 0, 160, 240))
    assert isinstance(found, ImageHashes)
    assert found.pdq == pdq.hash_rgb(np.asarray(shown))[0]
    assert [(one.view, one.pdq) for one in found.extras] == [(View.OPAQUE, TRUE_HASH)]
    assert Flag.TRANSPARENT in found.flags


def test_a_palette_may_be_see_through(decoder: Decoder) -> None:
    palette = SAMPLE.convert("P")
    found = decoder.hash_image(encoded(palette, "PNG", transparency=0))
    assert isinstance(found, ImageHashes)
    assert {one.view for one in found.extras} <= {View.OPAQUE}


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_an_animation_is_sampled(decoder: Decoder, name: str) -> None:
    stills = [landscape(160, 120, seed=seed) for seed in range(20)]
    if name == "GIF":
        stills = [still.convert("P").convert("RGB").convert("P") for still in stills]
    options: dict[str, Any] = {"save_all": True, "append_images": stills[1:], "duration": 100}
    found = decoder.hash_image(encoded(stills[0], name, **options | ({"speed": 10} if name == "AVIF" else {})))
    stills = [still.convert("RGB") for still in stills]
    assert isinstance(found, ImageHashes)
    assert distance(found.pdq, pdq.hash_rgb(np.asarray(stills[0]))[0]) <= 24
    frames = [one for one in found.extras if one.view is View.FRAME]
    assert [one.frame for one in frames] == [3, 5, 8, 11, 14, 16, 19]
    for one in frames:
        assert distance(one.pdq, pdq.hash_rgb(np.asarray(stills[one.frame]))[0]) <= 24
        assert one.milliseconds == (one.frame * 100 if name != "TIFF" else 0)
    assert Flag.ANIMATED in found.flags


def test_variants_are_the_hashes_of_the_turned_pixels(decoder: Decoder) -> None:
    found = decoder.hash_image(encoded(SAMPLE, "PNG"), variants=True)
    assert isinstance(found, ImageHashes)
    assert [one.view.value for one in found.extras] == [*pdq.VARIANTS[1:], "negative"]
    turned = {
        View.ROTATE_90: Image.Transpose.ROTATE_90, View.ROTATE_180: Image.Transpose.ROTATE_180,
        View.ROTATE_270: Image.Transpose.ROTATE_270, View.MIRROR: Image.Transpose.FLIP_LEFT_RIGHT,
        View.FLIP: Image.Transpose.FLIP_TOP_BOTTOM, View.TRANSPOSE: Image.Transpose.TRANSPOSE,
        View.TRANSVERSE: Image.Transpose.TRANSVERSE,
    }  # fmt: skip
    for one in found.extras[:-1]:
        expected = pdq.hash_rgb(np.asarray(SAMPLE.transpose(turned[one.view])))[0]
        assert distance(one.pdq, expected) <= 2, one.view


def test_the_negative_is_among_the_variants(decoder: Decoder) -> None:
    found = decoder.hash_image(encoded(ImageOps.invert(SAMPLE), "PNG"), variants=True)
    assert isinstance(found, ImageHashes)
    assert distance(found.pdq, TRUE_HASH) > 200
    assert distance(found.extras[-1].pdq, TRUE_HASH) <= 2
    assert found.extras[-1].view is View.NEGATIVE


def test_a_flat_picture_is_a_result_with_a_warning_not_an_error(decoder: Decoder) -> None:
    found = decoder.hash_image(encoded(Image.new("RGB", (200, 200), (90, 90, 90)), "PNG"))
    assert isinstance(found, ImageHashes)
    assert found.low_quality
    assert Flag.LOW_QUALITY in found.flags


def test_a_small_picture_says_so(decoder: Decoder) -> None:
    found = decoder.hash_image(encoded(landscape(63, 200), "PNG"))
    assert isinstance(found, ImageHashes)
    assert Flag.SMALL in found.flags


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (5, 5)])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_the_smallest_pictures_are_hashed(decoder: Decoder, name: str, size: tuple[int, int]) -> None:
    found = decoder.hash_image(encoded(landscape(*size), name), variants=True, trim=True)
    assert isinstance(found, ImageHashes)
    assert (found.width, found.height) == size


def test_wide_greys_without_a_known_range_are_refused(decoder: Decoder) -> None:
    wild = Image.fromarray(np.linspace(-5e8, 5e8, 10000, dtype=np.float32).reshape(100, 100))
    empty = Image.fromarray(np.full((100, 100), np.nan, dtype=np.float32))
    for picture in (wild, empty):
        found = decoder.hash_image(encoded(picture, "TIFF"))
        assert isinstance(found, Unhashable)
        assert found.reason is Reason.UNSUPPORTED_MODE

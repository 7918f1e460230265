"""Files that are cut, lie, nest, bomb or pretend: a reason, the exact digests, and the next file works."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.media.drawings import distance, encoded, jpeg, landscape

from vigil.base.limits import MEDIA_BYTES, MEDIA_PIXELS
from vigil.match.hashing import pdq
from vigil.media import Decoder, Flag, ImageHashes, Reason, Unhashable

pillow_heif.register_heif_opener(thumbnails=False)

SAMPLE = landscape()
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "HEIF")
FILES = {name: encoded(SAMPLE, name) for name in FORMATS}


def reason(decoder: Decoder, data: bytes, **options: Any) -> Reason:
    """Why the bytes have no perceptual hash; their exact digests must be right all the same."""
    found = decoder.hash_image(data, **options)
    assert isinstance(found, Unhashable), found
    assert (found.md5, found.sha1) == (hashlib.md5(data).digest(), hashlib.sha1(data).digest())
    assert found.sha256 == hashlib.sha256(data).digest()
    return found.reason


def png(width: int, height: int, body: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that claims a size and carries ``body`` as its compressed pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_is_said_to_be_truncated(decoder: Decoder, name: str) -> None:
    data = FILES[name]
    assert reason(decoder, data[: len(data) // 2]) is Reason.TRUNCATED


@pytest.mark.parametrize("name", FORMATS)
def test_no_cut_gives_a_silent_hash(decoder: Decoder, name: str) -> None:
    """Wherever a file is cut, there is either a reason or the hash of the whole picture."""
    data = FILES[name]
    whole = decoder.hash_image(data)
    assert isinstance(whole, ImageHashes)
    for end in [*range(1, 40, 3), *range(40, len(data), max(1, len(data) // 25)), *range(len(data) - 12, len(data))]:
        found = decoder.hash_image(data[:end])
        assert isinstance(found, Unhashable) or found.pdq == whole.pdq, end


def test_a_missing_end_marker_alone_is_no_harm(decoder: Decoder) -> None:
    data = jpeg(SAMPLE)
    found, whole = decoder.hash_image(data[:-2]), decoder.hash_image(data)
    assert isinstance(found, ImageHashes)
    assert isinstance(whole, ImageHashes)
    assert found.pdq == whole.pdq
    assert Flag.DAMAGED in found.flags


def test_a_progressive_jpeg_without_its_last_scans_is_truncated(decoder: Decoder) -> None:
    data = jpeg(SAMPLE, progressive=True)
    scans = [place for place in range(len(data) - 1) if data[place : place + 2] == b"\xff\xda"]
    assert len(scans) > 3
    assert reason(decoder, data[: scans[-1] + 20]) is Reason.TRUNCATED


def test_recoverable_damage_inside_a_jpeg_is_flagged(decoder: Decoder) -> None:
    data = jpeg(SAMPLE, restart_marker_rows=1)
    assert b"\xff\xd2" in data
    damaged = data.replace(b"\xff\xd2", b"\xff\xd3", 1)
    found = decoder.hash_image(damaged)
    assert isinstance(found, ImageHashes)
    assert Flag.DAMAGED in found.flags
    assert reason(decoder, damaged[: len(damaged) * 3 // 4]) is Reason.TRUNCATED


def test_a_cut_cmyk_jpeg_is_truncated_too(decoder: Decoder) -> None:
    data = jpeg(SAMPLE.convert("CMYK"))
    assert reason(decoder, data[: len(data) // 2]) is Reason.TRUNCATED
    assert reason(decoder, data[: len(data) // 2] + b"\xff\xd9") is Reason.TRUNCATED


NO_PICTURES = [b"\x00", b"zorblat quimber", b"<svg/>", b"%PDF-1.7\n", b"GIF", b"\xff\xd8", bytes(5000), b"PK\x03\x04"]
OTHER_PICTURES = [b"8BPS\x00\x01", b"\xff\x0a\x00", b"\x00\x00\x00\x0cJXL \r\n\x87\n", b"\x00\x00\x01\x00\x01\x00"]
HEADERS = [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x00\x10\x00\x00WEBP", b"II*\x00", b"BM"]
BROKEN = {Reason.TRUNCATED, Reason.DAMAGED, Reason.TOO_MANY_PIXELS, Reason.ZERO_SIZE}


@pytest.mark.parametrize("data", NO_PICTURES)
def test_what_is_no_picture_is_said_to_be_none(decoder: Decoder, data: bytes) -> None:
    assert reason(decoder, data) is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("head", OTHER_PICTURES)
def test_pictures_of_other_kinds_are_named_unsupported(decoder: Decoder, head: bytes) -> None:
    assert reason(decoder, head + bytes(100)) is Reason.UNSUPPORTED_FORMAT


def test_nothing_is_empty(decoder: Decoder) -> None:
    assert reason(decoder, b"") is Reason.EMPTY


def test_too_many_bytes_are_not_decoded(decoder: Decoder) -> None:
    assert reason(decoder, FILES["BMP"] + bytes(MEDIA_BYTES.value)) is Reason.TOO_LARGE


@pytest.mark.parametrize("size", [(20_000, 10_000), (200_000_000, 1), (2**31 - 1, 2**31 - 1), (65_500, 65_500)])
def test_two_hundred_megapixels_are_refused_from_the_header(decoder: Decoder, size: tuple[int, int]) -> None:
    assert reason(decoder, png(*size)) is Reason.TOO_MANY_PIXELS


def test_a_jpeg_that_claims_too_much_is_refused_from_the_header(decoder: Decoder) -> None:
    data = bytearray(jpeg(SAMPLE))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", 60_000, 60_000)
    assert reason(decoder, bytes(data)) is Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize("name", ["GIF", "BMP", "TIFF", "WEBP"])
def test_other_headers_that_claim_too_much(decoder: Decoder, name: str) -> None:
    huge = {
        "GIF": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + FILES["GIF"][10:],
        "BMP": FILES["BMP"][:18] + struct.pack("<ii", 40_000, 40_000) + FILES["BMP"][26:],
        "TIFF": FILES["TIFF"].replace(struct.pack("<HHIHH", 256, 4, 1, 320, 0), struct.pack("<HHII", 256, 4, 1, 10**6)),
        "WEBP": encoded(SAMPLE.convert("RGBA"), "WEBP", save_all=True, append_images=[landscape(seed=9).convert("RGBA")]),
    }[name]
    if name == "WEBP":
        canvas = (2**24 - 2).to_bytes(3, "little")
        huge = huge[:24] + canvas + canvas + huge[30:]
    assert reason(decoder, huge) in {Reason.TOO_MANY_PIXELS, Reason.DAMAGED, Reason.TRUNCATED}


def test_a_bomb_within_the_limit_is_only_a_large_picture(decoder: Decoder) -> None:
    side = 7_000
    bomb = png(side, side, bytes((side + 1) * side), colour=0)
    assert len(bomb) < 200_000
    assert side * side < MEDIA_PIXELS.value
    found = decoder.hash_image(bomb, timeout=60)
    assert isinstance(found, ImageHashes)
    assert (found.width, found.height) == (side, side)


def test_a_png_that_unpacks_to_more_than_it_claims_is_bounded(decoder: Decoder) -> None:
    found = decoder.hash_image(png(100, 100, bytes(100 * 1024 * 1024)))
    assert isinstance(found, ImageHashes | Unhashable)


@pytest.mark.parametrize("size", [(0, 0), (0, 10), (10, 0)])
def test_zero_size_is_refused(decoder: Decoder, size: tuple[int, int]) -> None:
    assert reason(decoder, png(*size)) in {Reason.ZERO_SIZE, Reason.DAMAGED}
    data = bytearray(jpeg(SAMPLE))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", *size)
    assert reason(decoder, bytes(data)) in {Reason.ZERO_SIZE, Reason.DAMAGED}


def test_a_polyglot_is_hashed_as_the_picture_it_begins_as(decoder: Decoder) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as inner:
        inner.writestr("quimber.txt", "zorblat")
    whole = decoder.hash_image(FILES["JPEG"])
    found = decoder.hash_image(FILES["JPEG"] + archive.getvalue())
    assert isinstance(found, ImageHashes)
    assert isinstance(whole, ImageHashes)
    assert found.pdq == whole.pdq
    assert found.sha256 != whole.sha256


@pytest.mark.parametrize("inner", FORMATS)
@pytest.mark.parametrize("outer", HEADERS)
def test_a_file_inside_another_header_is_not_taken_for_either(decoder: Decoder, inner: str, outer: bytes) -> None:
    assert reason(decoder, outer + FILES[inner]) in BROKEN


def test_a_wrong_name_changes_nothing(decoder: Decoder, tmp_path: Any) -> None:
    path = tmp_path / "holiday.txt"
    path.write_bytes(FILES["WEBP"])
    found = decoder.hash_file(path)
    assert isinstance(found, ImageHashes)
    assert found.format == "webp"


def test_an_animation_that_breaks_off_keeps_its_first_frame(decoder: Decoder) -> None:
    stills = [landscape(160, 120, seed=seed).convert("P") for seed in range(6)]
    data = encoded(stills[0], "GIF", save_all=True, append_images=stills[1:], duration=50)
    found = decoder.hash_image(data[: len(data) * 2 // 3])
    whole = decoder.hash_image(data)
    assert isinstance(found, ImageHashes)
    assert isinstance(whole, ImageHashes)
    assert found.pdq == whole.pdq
    assert Flag.DAMAGED in found.flags


def test_a_million_frames_are_sampled_within_the_budget(decoder: Decoder) -> None:
    """One frame repeated: small, and of a length that nobody should decode."""
    still = encoded(Image.new("P", (4000, 4000)), "GIF")
    frame = still[still.index(b",") : -1]
    data = still[: still.index(b",")] + frame * 3000 + b";"
    found = decoder.hash_image(data, timeout=60)
    assert isinstance(found, ImageHashes)
    assert Flag.FRAMES_CUT in found.flags


def test_a_tiff_whose_directories_form_a_ring_ends(decoder: Decoder) -> None:
    data = bytearray(FILES["TIFF"])
    start = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, start)[0]
    struct.pack_into("<I", data, start + 2 + 12 * count, start)
    assert isinstance(decoder.hash_image(bytes(data)), ImageHashes | Unhashable)


def test_the_largest_answer_is_still_an_answer(decoder: Decoder) -> None:
    assert isinstance(decoder.hash_image(FILES["PNG"], variants=True, trim=True), ImageHashes)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(FORMATS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.floats(0.3, 1),
)
def test_random_damage_gives_hashes_or_a_reason(
    decoder: Decoder, name: str, changes: list[tuple[float, int]], cut: float
) -> None:
    data = bytearray(FILES[name])
    for place, value in changes:
        data[int(place * min(len(data), 2000))] = value
    found = decoder.hash_image(bytes(data[: int(len(data) * cut)]), timeout=30)
    assert isinstance(found, ImageHashes | Unhashable)
    if isinstance(found, Unhashable):
        assert found.reason not in {Reason.BUSY, Reason.TIMED_OUT, Reason.DECODER_CRASHED}


def test_after_all_that_an_honest_file_works(decoder: Decoder) -> None:
    found = decoder.hash_image(FILES["PNG"])
    assert isinstance(found, ImageHashes)
    assert distance(found.pdq, pdq.hash_rgb(np.asarray(SAMPLE))[0]) == 0

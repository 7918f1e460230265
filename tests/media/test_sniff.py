"""Formats by their bytes, and the orientation of a JPEG by a cursor that cannot leave its frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.media.drawings import encoded, jpeg, landscape

from vigil.media import sniff

SMALL = landscape(40, 30)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_pictures_are_told_by_their_bytes(name: str) -> None:
    data = encoded(SMALL, name)
    assert sniff.picture_format(memoryview(data)) == name.lower()
    assert not sniff.is_cut_short(memoryview(data), name.lower())
    assert not sniff.is_video(data)


def test_big_endian_tiff_is_tiff() -> None:
    assert sniff.picture_format(memoryview(b"MM\x00*\x00\x00\x00\x08")) == "tiff"


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        (b"heic\x00\x00\x00\x00mif1heic", "heif"),
        (b"avif\x00\x00\x00\x00mif1avif", "avif"),
        (b"mif1\x00\x00\x00\x00mif1avif", "avif"),
        (b"mif1\x00\x00\x00\x00mif1heic", "heif"),
        (b"isom\x00\x00\x00\x00isommp42", None),
        (b"qt  \x00\x00\x00\x00heic", None),
    ],
)
def test_iso_media_files_are_told_by_their_brands(brands: bytes, expected: str | None) -> None:
    data = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands
    assert sniff.picture_format(memoryview(data)) == expected
    assert sniff.is_video(data) == (expected is None)


VIDEO_HEADS = [b"\x1a\x45\xdf\xa3", b"RIFF\x00\x00\x00\x00AVI ", b"FLV\x01", b"OggS", b"G" + bytes(187) + b"G"]


@pytest.mark.parametrize("head", VIDEO_HEADS)
def test_videos_are_told_by_their_bytes(head: bytes) -> None:
    assert sniff.is_video(head)
    assert sniff.picture_format(memoryview(head)) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_jpeg_is_read(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Zorblat"
    exif[0x0112] = orientation
    assert sniff.jpeg_orientation(memoryview(jpeg(SMALL, exif=exif))) == orientation


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert sniff.jpeg_orientation(memoryview(jpeg(SMALL, exif=exif))) == 1


def test_big_endian_exif_is_read() -> None:
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01" + b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00" + bytes(4)
    segment = b"Exif\x00\x00" + tiff
    data = b"\xff\xd8\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg(SMALL)[2:]
    assert sniff.jpeg_orientation(memoryview(data)) == 6


@given(st.binary(max_size=400), st.integers(0, 40))
def test_any_bytes_have_an_orientation_and_perhaps_a_format(data: bytes, keep: int) -> None:
    for candidate in (data, JPEG[:keep] + data, b"\xff\xd8\xff\xe1" + data):
        assert 1 <= sniff.jpeg_orientation(memoryview(candidate)) <= 8
        name = sniff.picture_format(memoryview(candidate))
        sniff.is_video(candidate)
        if name:
            sniff.is_cut_short(memoryview(candidate), name)


JPEG = jpeg(SMALL)

"""Tiles: small, upright, without anything of the file but its pixels; contact sheets for what moves."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vigil.base.errors import InputError
from vigil.media import Decoder, Reason, Tile
from vigil.media.limits import SHEET_FRAMES, TILE_SIDE
from vigil.media.model import Reason as AnyReason
from vigil.media.protocol import decode_tile, encode_tile, encode_unhashable
from vigil.media.warm_up import _filmed


def drawn(width: int = 300, height: int = 200, kind: str = "PNG", **more: object) -> bytes:
    ramp = np.linspace(0, 255, width, dtype=np.uint8)
    pixels = np.repeat(np.repeat(ramp[None, :, None], height, axis=0), 3, axis=2)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **more)
    return stream.getvalue()


def pixels_of(tile: Tile | Reason) -> np.ndarray:
    assert isinstance(tile, Tile), tile
    return np.frombuffer(tile.rgb, np.uint8).reshape(tile.height, tile.width, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_becomes_a_small_tile(decoder: Decoder, kind: str) -> None:
    tile = decoder.tile(drawn(kind=kind), side=120)
    shown = pixels_of(tile)
    assert shown.shape == (80, 120, 3) and isinstance(tile, Tile) and tile.frames == 1
    assert shown[:, 0].mean() < 20 and shown[:, -1].mean() > 235


def test_it_is_turned_upright(decoder: Decoder) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    tile = decoder.tile(drawn(kind="JPEG", exif=exif), side=120)
    shown = pixels_of(tile)
    assert shown.shape == (120, 80, 3) and shown[0].mean() < 20 and shown[-1].mean() > 235


def test_a_small_picture_is_not_blown_up(decoder: Decoder) -> None:
    assert pixels_of(decoder.tile(drawn(40, 30), side=500)).shape == (30, 40, 3)


def test_a_film_becomes_a_contact_sheet(decoder: Decoder) -> None:
    tile = decoder.tile(_filmed(), side=400)
    assert isinstance(tile, Tile) and 1 <= tile.frames <= SHEET_FRAMES.value and tile.width == 400


def test_an_animation_becomes_a_contact_sheet(decoder: Decoder) -> None:
    frames = [Image.new("RGB", (60, 60), (level, level, level)) for level in (0, 120, 250)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=100)
    tile = decoder.tile(stream.getvalue(), side=400)
    assert isinstance(tile, Tile) and tile.frames >= 2


@pytest.mark.parametrize(("data", "reason"), [(b"", Reason.EMPTY), (b"no picture", Reason.NOT_AN_IMAGE)])
def test_what_is_no_picture_has_a_reason(decoder: Decoder, data: bytes, reason: Reason) -> None:
    assert decoder.tile(data) is reason


def test_a_cut_picture_ends_nothing(decoder: Decoder) -> None:
    assert isinstance(decoder.tile(drawn()[:200]), Reason)
    assert isinstance(decoder.tile(drawn()), Tile)


def test_the_size_of_a_tile_is_bounded(decoder: Decoder) -> None:
    for side in (0, 15, TILE_SIDE.value + 1):
        with pytest.raises(InputError):
            decoder.tile(drawn(), side=side)


def test_the_answer_is_read_as_a_strangers() -> None:
    body = encode_tile(Tile(3, 2, bytes(18), 1))
    assert decode_tile(body, 3) == Tile(3, 2, bytes(18), 1)
    assert decode_tile(encode_unhashable(AnyReason.DAMAGED), 3) is Reason.DAMAGED
    for wrong in (body[:-1], body + b"x", body[:1], b"", encode_tile(Tile(0, 2, b"", 1)), encode_tile(Tile(1, 1, bytes(3), 0))):
        with pytest.raises(InputError):
            decode_tile(wrong, 3)
    with pytest.raises(InputError):
        decode_tile(body, 2)


@given(st.binary(max_size=100))
def test_no_answer_breaks_the_parent(body: bytes) -> None:
    try:
        decode_tile(body, 4)
    except InputError:
        return

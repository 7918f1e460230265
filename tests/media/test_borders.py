"""What was put around a picture is found, and what belongs to it is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.media.drawings import distance, encoded, jpeg, landscape

from vigil.match.hashing import pdq
from vigil.media import Decoder, ImageHashes, View, borders
from vigil.media.borders import Box

PICTURE = landscape(320, 240, seed=5)


def framed(left: int, top: int, right: int, bottom: int, colour: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    result = Image.new("RGB", (320 + left + right, 240 + top + bottom), colour)
    result.paste(PICTURE, (left, top))
    return result


def luma(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"))


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (30, 90, 200)])
@pytest.mark.parametrize("edges", [(10, 10, 10, 10), (0, 50, 0, 50), (60, 0, 60, 0), (5, 0, 0, 33), (1, 40, 90, 7)])
def test_a_plain_border_is_found_to_the_pixel(edges: tuple[int, int, int, int], colour: tuple[int, int, int]) -> None:
    left, top, _, _ = edges
    assert borders.trimmed(luma(framed(*edges, colour))) == Box(top, top + 240, left, left + 320)


def test_bars_inside_a_frame_are_found_too() -> None:
    outer = Image.new("RGB", (400, 400), (255, 255, 255))
    outer.paste(framed(0, 40, 0, 40), (40, 40))
    assert borders.trimmed(luma(outer)) == Box(80, 320, 40, 360)


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_without_a_border_is_left_alone(seed: int) -> None:
    assert borders.trimmed(luma(landscape(seed=seed))) is None


def test_a_flat_picture_is_left_alone() -> None:
    flat = np.full((200, 300), 90, dtype=np.uint8)
    assert borders.trimmed(flat) is None
    assert borders.panels(flat) == ()


def test_a_speck_in_a_wide_frame_is_left_alone() -> None:
    """Less than a quarter of the side left: that is a small object on a plain ground, not a framed picture."""
    ground = Image.new("RGB", (800, 800))
    ground.paste(landscape(60, 60), (300, 300))
    assert borders.trimmed(luma(ground)) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 2), (15, 15)])
def test_the_smallest_pictures_are_left_alone(shape: tuple[int, int]) -> None:
    assert borders.trimmed(np.zeros(shape, dtype=np.uint8)) is None
    assert borders.panels(np.zeros(shape, dtype=np.uint8)) == ()


def screenshot() -> Image.Image:
    """A telephone's screen: bars with text and icons above and below, the picture between."""
    screen = Image.new("RGB", (320, 640), (250, 250, 250))
    pen = ImageDraw.Draw(screen)
    for row in (12, 40, 560, 600):
        for column in range(10, 150, 14):
            pen.rectangle((column, row, column + 6, row + 12), fill=(20, 20, 20))
    screen.paste(PICTURE, (0, 180))
    return screen


def test_the_picture_in_a_screenshot_is_found() -> None:
    assert borders.panels(luma(screenshot())) == (Box(180, 420, 0, 320),)


def test_the_picture_over_a_caption_is_found() -> None:
    captioned = framed(0, 0, 0, 60, (255, 255, 255))
    ImageDraw.Draw(captioned).rectangle((20, 260, 120, 280), fill=(0, 0, 0))
    assert Box(0, 240, 0, 320) in borders.panels(luma(captioned))


def test_trimming_through_the_decoder_finds_the_picture_again(decoder: Decoder) -> None:
    truth = pdq.hash_rgb(np.asarray(PICTURE))[0]
    found = decoder.hash_image(jpeg(framed(0, 60, 0, 60)), trim=True)
    assert isinstance(found, ImageHashes)
    assert distance(found.pdq, truth) > 31
    assert min(distance(one.pdq, truth) for one in found.extras if one.view is View.TRIMMED) <= 8
    shot = decoder.hash_image(encoded(screenshot(), "PNG"), trim=True)
    assert isinstance(shot, ImageHashes)
    assert min(distance(one.pdq, truth) for one in shot.extras) <= 8


def test_nothing_is_added_where_there_is_nothing_to_trim(decoder: Decoder) -> None:
    found = decoder.hash_image(encoded(landscape(seed=3), "PNG"), trim=True)
    assert isinstance(found, ImageHashes)
    assert found.extras == ()

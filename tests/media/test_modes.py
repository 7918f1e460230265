"""How far the quick ways to a hash are from the full one: luminance only, reduced decoding, turned reading."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.media.drawings import distance, encoded, jpeg, landscape

from vigil.match.hashing import pdq
from vigil.match.hashing.pdq_twin import sample_rows
from vigil.media import Decoder, ImageHashes, Mode, View, reduced
from vigil.media.pictures import hash_picture
from vigil.media.pixels import scale_of
from vigil.media.protocol import Wish

SIZES = [(320, 240), (401, 263), (1024, 768), (1501, 997)]


def hashed(decoder: Decoder, data: bytes, mode: Mode) -> ImageHashes:
    found = decoder.hash_image(data, mode=mode)
    assert isinstance(found, ImageHashes)
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", SIZES)
def test_luminance_alone_is_within_six_bits_of_rgb(decoder: Decoder, size: tuple[int, int], seed: int) -> None:
    data = jpeg(landscape(*size, seed=seed), quality=85)
    assert distance(hashed(decoder, data, Mode.EXACT).pdq, hashed(decoder, data, Mode.RGB).pdq) <= 6


@pytest.mark.peer
def test_luminance_alone_on_photographs() -> None:
    """Two bits on 99 of 100 photographs, never more than six: the promise of exact mode."""
    from tests.media.photographs import photographs

    apart = []
    for picture in photographs().values():
        for side in (300, 400, 512, 640, 800, 1024, 1280):
            small = picture.resize((side, max(64, picture.height * side // picture.width)))
            for quality in (60, 75, 85, 92, 97):
                data = memoryview(jpeg(small, quality=quality))
                exact, rgb = (hash_picture(data, mode, Wish(0), 10**8).hashes[0].pdq for mode in (Mode.EXACT, Mode.RGB))
                apart.append(distance(exact, rgb))
    assert len(apart) > 400
    assert max(apart) <= 6
    assert sum(bits <= 2 for bits in apart) >= 0.99 * len(apart)


@pytest.mark.parametrize(("size", "seed"), [((1024, 768), 0), ((1024, 768), 1), ((2000, 1501), 2), ((1499, 2101), 3)])
def test_fast_mode_is_within_eight_bits(decoder: Decoder, size: tuple[int, int], seed: int) -> None:
    data = jpeg(landscape(*size, seed=seed), quality=85)
    fast = hashed(decoder, data, Mode.FAST)
    assert distance(fast.pdq, hashed(decoder, data, Mode.RGB).pdq) <= 8
    assert (fast.width, fast.height) == size
    assert fast.mode is Mode.FAST


REDUCED = [((320, 240), 1), ((1024, 768), 1), ((2000, 1501), 4), ((4000, 3000), 8), ((100, 4000), 1)]


@pytest.mark.parametrize(("size", "scale"), REDUCED)
def test_how_much_fast_mode_reduces(size: tuple[int, int], scale: int) -> None:
    assert scale_of(*size) == scale


@pytest.mark.parametrize("side", [64, 65, 128, 129, 777])
def test_the_weights_are_those_of_the_twin(side: int) -> None:
    full = sample_rows(side)
    assert np.allclose(reduced.weights(side, 1, False), full, atol=1e-7)
    for scale in (2, 4, 8):
        blocks = [full[:, start : start + scale].sum(axis=1) for start in range(0, side, scale)]
        assert np.allclose(reduced.weights(side, scale, False), np.stack(blocks, axis=1), atol=1e-7)
    assert np.allclose(reduced.weights(side, 1, True), full[:, ::-1], atol=1e-7)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_has_the_hash_of_the_upright_one(decoder: Decoder, mode: Mode, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = jpeg(landscape(1030, 770), exif=exif)
    found = decoder.hash_image(data, mode=mode)
    with Image.open(io.BytesIO(data)) as image:
        shown = ImageOps.exif_transpose(image)
    assert isinstance(found, ImageHashes)
    assert (found.width, found.height) == shown.size
    assert distance(found.pdq, pdq.hash_rgb(np.asarray(shown))[0]) <= {Mode.RGB: 0, Mode.EXACT: 4, Mode.FAST: 8}[mode]


@pytest.mark.parametrize("mode", list(Mode))
def test_asking_for_more_does_not_change_the_plain_hash(decoder: Decoder, mode: Mode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = jpeg(landscape(1024, 768), exif=exif)
    plain = decoder.hash_image(data, mode=mode)
    more = decoder.hash_image(data, mode=mode, variants=True, trim=True)
    assert isinstance(plain, ImageHashes)
    assert isinstance(more, ImageHashes)
    assert distance(plain.pdq, more.pdq) <= 2
    assert {one.view for one in more.extras} >= set(View) - {View.PLAIN, View.OPAQUE, View.FRAME, View.TRIMMED, View.PANEL}


def test_formats_without_reduced_decoding_are_the_same_in_fast_mode(decoder: Decoder) -> None:
    data = encoded(landscape(1024, 768), "PNG")
    assert hashed(decoder, data, Mode.FAST).pdq == hashed(decoder, data, Mode.EXACT).pdq

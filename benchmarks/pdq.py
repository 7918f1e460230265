"""PDQ from decoded pixels beside the pdqhash package, one thread."""

from __future__ import annotations

import numpy as np
import pdqhash
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from benchmarks.harness import PROCESSOR, Measurement, bench, compare
from vigil.match.hashing import pdq


def photographs(width: int, height: int) -> list[NDArray[np.uint8]]:
    """Benign photographs that scikit-image ships, resized."""
    sources = (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())
    return [np.asarray(Image.fromarray(source).resize((width, height), Image.Resampling.BICUBIC)) for source in sources]


def reference(pixels: NDArray[np.uint8]) -> tuple[bytes, int]:
    vector, quality = pdqhash.compute(pixels)
    return np.packbits(vector.astype(np.uint8)).tobytes(), int(quality)


def beside_reference(width: int, height: int, ours_times: int) -> Measurement:
    pictures = photographs(width, height)
    for picture in pictures:
        if pdq.hash_rgb(picture) != reference(picture):
            raise AssertionError("the hash differs from the reference")
    return compare(
        ours=lambda: [pdq.hash_rgb(picture) for picture in pictures],
        theirs=lambda: [pdqhash.compute(picture) for picture in pictures],
        ours_times=ours_times,
        ours_units=len(pictures),
        theirs_units=len(pictures),
        clock=PROCESSOR,
        conditions={"pixels": f"{width}x{height} RGB", "pictures": len(pictures), "threads": 1, "bits": "all equal"},
    )


@bench(name="pdq_rgb", against="pdqhash", at_least=40.0)
def pdq_rgb(seed: int) -> Measurement:
    return beside_reference(1024, 768, ours_times=20)


@bench(name="pdq_rgb_12mp", against="pdqhash", at_least=20.0)
def pdq_rgb_12mp(seed: int) -> Measurement:
    return beside_reference(4000, 3000, ours_times=2)


@bench(name="pdq_variants", against="pdqhash, eight times")
def pdq_variants(seed: int) -> Measurement:
    """All eight turned and mirrored forms at once, against turning the pixels and hashing each."""
    picture = photographs(1024, 768)[0]
    forms = [np.ascontiguousarray(np.rot90(side, k)) for side in (picture, picture[:, ::-1]) for k in range(4)]
    return compare(
        ours=lambda: pdq.variants_rgb(picture),
        theirs=lambda: [pdqhash.compute(form) for form in forms],
        ours_times=10,
        clock=PROCESSOR,
        conditions={"pixels": "1024x768 RGB", "forms": 8},
    )

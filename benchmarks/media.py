"""JPEG bytes to PDQ beside the hasher of threatexchange, one thread; in process, and through the confined child.

In process is the work that a child does for a file; through the child adds what confinement costs a caller:
handing the bytes over, three exact digests, and the way back. The peer computes no digest.
"""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image
from skimage import data
from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_bytes

from benchmarks.harness import Measurement, bench, compare
from vigil.media import Decoder, ImageHashes, Mode
from vigil.media.pictures import hash_picture
from vigil.media.protocol import Wish

LIMIT = 100_000_000  # pixels
LARGE, SMALL = (4000, 3000), (1024, 768)
# As a telephone stores photographs; and libjpeg's own default, which pages mostly carry. Denser files take longer to
# unpack on both sides, so the ratio falls: jpeg_small_exact_dense records by how much.
QUALITY = {LARGE: 90, SMALL: 75}
# Bits that each mode may be away from the peer's hash of the same bytes, on these pictures.
ALLOWED = {Mode.RGB: 2, Mode.EXACT: 6, Mode.FAST: 10}


def photographs(size: tuple[int, int], quality: int) -> list[bytes]:
    """Benign photographs that scikit-image ships, resized and stored as JPEG, 4:2:0."""
    sources = (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())
    files = []
    for source in sources:
        buffer = io.BytesIO()
        Image.fromarray(source).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=quality)
        files.append(buffer.getvalue())
    return files


def away(files: list[bytes], mode: Mode) -> int:
    """Largest distance to the peer's hashes; more than the mode allows is a failure of the benchmark."""
    most = 0
    for file in files:
        ours = hash_picture(memoryview(file), mode, Wish(0), LIMIT).hashes[0].pdq
        theirs = bytes.fromhex(pdq_from_bytes(file)[0])
        most = max(most, (int.from_bytes(ours) ^ int.from_bytes(theirs)).bit_count())
    if most > ALLOWED[mode]:
        raise AssertionError(f"{mode} mode is {most} bits away from the peer")
    return most


def beside_threatexchange(
    size: tuple[int, int], mode: Mode, ours: Callable[[bytes], object] | None = None, quality: int | None = None
) -> Measurement:
    quality = quality or QUALITY[size]
    files = photographs(size, quality)
    conditions = {
        "pixels": f"{size[0]}x{size[1]}",
        "format": f"JPEG, quality {quality}, 4:2:0",
        "mode": mode.value,
        "pictures": len(files),
        "bits away": away(files, mode),
        "threads": 1,
        "path": "in process" if ours is None else "confined child, with md5, sha1, sha256",
    }
    work = ours or (lambda file: hash_picture(memoryview(file), mode, Wish(0), LIMIT))
    return compare(
        ours=lambda: [work(file) for file in files],
        theirs=lambda: [pdq_from_bytes(file) for file in files],
        ours_times=2 if size == LARGE else 10,
        ours_units=len(files),
        theirs_units=len(files),
        conditions=conditions,
    )


def through_a_child(size: tuple[int, int], mode: Mode) -> Measurement:
    with Decoder(1) as decoder:

        def work(file: bytes) -> object:
            found = decoder.hash_image(file, mode=mode)
            if not isinstance(found, ImageHashes):
                raise AssertionError("a picture was not hashed")
            return found

        return beside_threatexchange(size, mode, work)


@bench(name="jpeg_large_exact", against="threatexchange", at_least=20.0)
def jpeg_large_exact(seed: int) -> Measurement:
    return beside_threatexchange(LARGE, Mode.EXACT)


@bench(name="jpeg_large_rgb", against="threatexchange")
def jpeg_large_rgb(seed: int) -> Measurement:
    return beside_threatexchange(LARGE, Mode.RGB)


@bench(name="jpeg_large_fast", against="threatexchange", at_least=40.0)
def jpeg_large_fast(seed: int) -> Measurement:
    return beside_threatexchange(LARGE, Mode.FAST)


@bench(name="jpeg_small_exact", against="threatexchange", at_least=12.0)
def jpeg_small_exact(seed: int) -> Measurement:
    return beside_threatexchange(SMALL, Mode.EXACT)


@bench(name="jpeg_small_exact_dense", against="threatexchange")
def jpeg_small_exact_dense(seed: int) -> Measurement:
    return beside_threatexchange(SMALL, Mode.EXACT, quality=90)


@bench(name="jpeg_small_fast", against="threatexchange")
def jpeg_small_fast(seed: int) -> Measurement:
    return beside_threatexchange(SMALL, Mode.FAST)


@bench(name="jpeg_large_exact_confined", against="threatexchange", at_least=15.0)
def jpeg_large_exact_confined(seed: int) -> Measurement:
    return through_a_child(LARGE, Mode.EXACT)


@bench(name="jpeg_large_fast_confined", against="threatexchange")
def jpeg_large_fast_confined(seed: int) -> Measurement:
    return through_a_child(LARGE, Mode.FAST)


@bench(name="jpeg_small_exact_confined", against="threatexchange")
def jpeg_small_exact_confined(seed: int) -> Measurement:
    return through_a_child(SMALL, Mode.EXACT)

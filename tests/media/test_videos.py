"""Video through the confined child: frames by time, the file's digests, damage and tricks."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from tests.media.drawings import distance, encoded, film, landscape

from vigil.base.errors import InputError
from vigil.match.hashing import pdq
from vigil.media import Decoder, Flag, Reason, Unhashable, VideoHashes, View, sniff
from vigil.media.limits import VIDEO_FRAMES
from vigil.media.model import Mode

FILM = film(seconds=4)


def scene(second: int) -> bytes:
    """The hash of the picture that is shown at the beginning of a second."""
    return pdq.hash_rgb(np.asarray(landscape(160, 120, seed=100 + second)))[0]


def test_a_film_is_sampled_once_a_second(decoder: Decoder) -> None:
    found = decoder.hash_video(FILM)
    assert isinstance(found, VideoHashes)
    assert [(one.frame, one.milliseconds) for one in found.frames] == [(0, 0), (5, 1000), (10, 2000), (15, 3000)]
    for second, one in enumerate(found.frames):
        assert distance(one.pdq, scene(second)) <= 31
        assert one.quality > 50
        assert one.view is View.FRAME
    assert (found.width, found.height, found.milliseconds) == (160, 120, 4000)


def test_the_digests_are_those_of_the_file(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(FILM)
    found = decoder.hash_video(path)
    assert found.md5 == hashlib.md5(FILM).digest()
    assert found.sha1 == hashlib.sha1(FILM).digest()
    assert found.sha256 == hashlib.sha256(FILM).digest()


def test_bytes_path_and_descriptor_give_the_same(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(FILM)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        assert decoder.hash_video(FILM) == decoder.hash_video(path) == decoder.hash_video(descriptor)
    finally:
        os.close(descriptor)
    assert decoder.hash_file(path) == decoder.hash_video(path)


@pytest.mark.parametrize(
    ("codec", "container"),
    [("mpeg4", "matroska"), ("mpeg4", "avi"), ("mjpeg", "avi"), ("mpeg2video", "mpegts"), ("libvpx", "webm"), ("libx264", "mp4")],
)
def test_common_containers_and_codecs(decoder: Decoder, codec: str, container: str) -> None:
    options = {"pixels": "yuvj420p"} if codec == "mjpeg" else {}
    data = film(2, 25 if codec == "mpeg2video" else 5, codec, container, **options)
    assert sniff.is_video(data[:512])
    found = decoder.hash_video(data)
    assert isinstance(found, VideoHashes), found
    assert len(found.frames) == 2
    assert distance(found.frames[0].pdq, scene(0)) <= 20


def test_the_interval_and_the_number_of_frames_can_be_chosen(decoder: Decoder) -> None:
    found = decoder.hash_video(FILM, interval=0.4)
    assert isinstance(found, VideoHashes)
    assert [one.milliseconds for one in found.frames] == [0, 400, 800, 1200, 1600, 2000, 2400, 2800, 3200, 3600]
    few = decoder.hash_video(FILM, frames=2)
    assert isinstance(few, VideoHashes)
    assert len(few.frames) <= 2
    assert Flag.FRAMES_CUT in few.flags


@pytest.mark.parametrize(("interval", "frames"), [(0, 10), (-1, 10), (1, 0), (1, VIDEO_FRAMES.value + 1), (1e9, 1)])
def test_sampling_out_of_range_is_refused(decoder: Decoder, interval: float, frames: int) -> None:
    with pytest.raises(InputError):
        decoder.hash_video(FILM, interval=interval, frames=frames)


def test_the_rgb_mode_is_close_to_the_grey_one(decoder: Decoder) -> None:
    grey, rgb = decoder.hash_video(FILM), decoder.hash_video(FILM, mode=Mode.RGB)
    assert isinstance(grey, VideoHashes)
    assert isinstance(rgb, VideoHashes)
    for one, other in zip(grey.frames, rgb.frames, strict=True):
        assert distance(one.pdq, other.pdq) <= 6


def test_a_film_that_breaks_off_keeps_what_came_before(decoder: Decoder) -> None:
    data = film(4, container="matroska")
    found = decoder.hash_video(data[: len(data) * 3 // 4])
    assert isinstance(found, VideoHashes)
    assert 1 <= len(found.frames) < 4


@pytest.mark.parametrize("data", [b"zorblat" * 500, encoded(landscape(), "PNG"), b"\x00\x00\x00\x18ftypisom" + bytes(500)])
def test_what_is_no_video_has_a_reason(decoder: Decoder, data: bytes) -> None:
    found = decoder.hash_video(data)
    assert isinstance(found, Unhashable)
    assert found.reason in {Reason.NOT_A_VIDEO, Reason.DAMAGED}
    assert found.sha256 == hashlib.sha256(data).digest()


def test_an_index_at_the_end_that_is_missing_is_a_reason(decoder: Decoder) -> None:
    found = decoder.hash_video(FILM[: len(FILM) // 2])
    assert isinstance(found, Unhashable)
    assert found.reason in {Reason.NOT_A_VIDEO, Reason.DAMAGED, Reason.TRUNCATED}


def test_an_empty_file_is_empty(decoder: Decoder) -> None:
    found = decoder.hash_video(b"")
    assert isinstance(found, Unhashable)
    assert found.reason is Reason.EMPTY


@pytest.mark.parametrize(
    "data",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    ],
)
def test_play_lists_open_nothing(decoder: Decoder, data: bytes) -> None:
    found = decoder.hash_video(data)
    assert isinstance(found, Unhashable)
    assert found.reason in {Reason.NOT_A_VIDEO, Reason.DAMAGED}


def test_after_all_that_a_film_works(decoder: Decoder) -> None:
    assert isinstance(decoder.hash_video(FILM), VideoHashes)

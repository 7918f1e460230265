"""A video's sampled frames to vPDQ features, by FFmpeg through PyAV.

Runs in the confined child. Source of the method: Facebook, "vPDQ" in the ThreatExchange project: PDQ of frames at
a fixed interval, each with its number, its time and its quality.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from typing import Any, Final

import av
import av.error
import numpy as np

from vigil.match.hashing import pdq
from vigil.media.limits import LOW_QUALITY
from vigil.media.model import Decoded, Flag, Mode, PdqHash, Reason, UndecodableError, View
from vigil.media.pixels import Pixels, check_size
from vigil.media.protocol import Request

# Containers and codecs that people send each other. Play lists and formats that name other files are not among them.
CONTAINERS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegts,asf,ogg,mpegvideo,h264,hevc,rm,vob"
CODECS: Final = (
    "h264,hevc,av1,libdav1d,vp8,libvpx,vp9,libvpx-vp9,mpeg4,mpeg1video,mpeg2video,h263,h263p,flv1,flv,vc1,wmv1,wmv2,"
    "wmv3,msmpeg4v1,msmpeg4v2,msmpeg4v3,msmpeg4,mjpeg,theora,prores,rv10,rv20,rv30,rv40,dvvideo,ffv1,rawvideo"
)
OPTIONS: Final = {"format_whitelist": CONTAINERS, "codec_whitelist": CODECS, "protocol_whitelist": "pipe"}
PROBE_BYTES: Final = 4 * 1024 * 1024


def hash_video(descriptor: int, request: Request) -> Decoded:
    """vPDQ features of the first video stream behind ``descriptor``; UndecodableError where there are none."""
    if not request.size:
        raise UndecodableError(Reason.EMPTY)
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        with FileIO(descriptor, closefd=False) as file, opened(file) as container:
            return _decoded(container, request)
    except (UndecodableError, MemoryError):
        raise
    except av.error.InvalidDataError as error:
        raise UndecodableError(Reason.NOT_A_VIDEO) from error
    except Exception as error:
        raise UndecodableError(Reason.DAMAGED) from error


def opened(file: FileIO) -> Any:
    """The container, read through its own descriptor only."""
    return av.open(file, mode="r", metadata_errors="replace", options=OPTIONS | {"probesize": str(PROBE_BYTES)})


def _decoded(container: Any, request: Request) -> Decoded:
    if not container.streams.video:
        raise UndecodableError(Reason.NOT_A_VIDEO)
    stream = container.streams.video[0]
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    check_size(stream.width, stream.height, request.pixels)
    hashes, flags = _sample(container, stream, request)
    if not hashes:
        raise UndecodableError(Reason.TRUNCATED)
    length = int((container.duration or 0) // 1000)
    name = str(container.format.name).split(",")[0]
    return Decoded(stream.width, stream.height, max(length, 0), name, flags, tuple(hashes))


def _sample(container: Any, stream: Any, request: Request) -> tuple[list[PdqHash], Flag]:
    """One frame per interval; damage later in the file costs what comes after it, and a flag."""
    hashes: list[PdqHash] = []
    interval, cut = _interval(container, request)
    flags = Flag.FRAMES_CUT if cut else Flag(0)
    try:
        for number, milliseconds, frame in frames_of(container, stream, interval):
            if len(hashes) >= request.frames:
                return hashes, flags | Flag.FRAMES_CUT
            check_size(frame.width, frame.height, request.pixels)
            hashes.append(_feature(frame, request.mode, number, milliseconds))
    except (av.error.FFmpegError, UndecodableError):
        flags |= Flag.DAMAGED
    low = all(one.quality < LOW_QUALITY.value for one in hashes)
    return hashes, flags | (Flag.LOW_QUALITY if low else Flag(0))


def _interval(container: Any, request: Request) -> tuple[int, bool]:
    """Milliseconds between samples: as asked, or longer so that the whole film is covered by the allowed number."""
    length = int((container.duration or 0) // 1000)
    needed = -(-length // max(request.frames - 1, 1))
    return max(request.interval, needed, 1), needed > request.interval


def frames_of(container: Any, stream: Any, interval: int) -> Iterator[tuple[int, int, Any]]:
    """Frames at or after each multiple of the interval: their number, their time in milliseconds, the frame."""
    due, start = 0, None
    for number, frame in enumerate(container.decode(stream)):
        moment = _milliseconds(frame, number, stream)
        start = moment if start is None else start
        since = max(0, moment - start)
        if since >= due:
            due = since - since % interval + interval
            yield number, since, frame


def _milliseconds(frame: Any, number: int, stream: Any) -> int:
    """The frame's own time; where it has none, its number at the average rate (25 a second if that is unknown)."""
    if frame.time is not None:
        return int(frame.time * 1000)
    return int(number * 1000 / float(stream.average_rate or 25))


def _feature(frame: Any, mode: Mode, number: int, milliseconds: int) -> PdqHash:
    pixels: Pixels = frame.to_ndarray(format="rgb24" if mode is Mode.RGB else "gray")
    quarter_turns = round((getattr(frame, "rotation", 0) or 0) / 90) % 4
    pixels = np.ascontiguousarray(np.rot90(pixels, quarter_turns))
    value, quality = pdq.hash_luma(pixels) if pixels.ndim == 2 else pdq.hash_rgb(pixels)
    return PdqHash(View.FRAME, value, quality, number, milliseconds)

"""What comes out of the decoder: values only; pixels in one case, the small tile for somebody who has to look.

Enumerations of this room live here and nowhere else; the wire of the child (``protocol``) sends positions in
them, and parent and child are always the same version of the same package.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, StrEnum

from vigil.media.limits import LOW_QUALITY


class Mode(StrEnum):
    """How pixels are won. A hash that is stored or shared comes from EXACT or RGB, never from FAST."""

    EXACT = "exact"  # full size; JPEG straight to luminance
    RGB = "rgb"  # full size through RGB, for bit-equality with other PDQ programs
    FAST = "fast"  # large JPEG reduced inside the decoder: some bits from EXACT; for screening only


class Reason(StrEnum):
    """Why a file has no perceptual hash. Stable codes; they become the ``reason`` of an ``unknown`` verdict."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_AN_IMAGE = "not_an_image"
    NOT_A_VIDEO = "not_a_video"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNSUPPORTED_MODE = "unsupported_mode"
    ZERO_SIZE = "zero_size"
    TOO_MANY_PIXELS = "too_many_pixels"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    DECODER_CRASHED = "decoder_crashed"
    BUSY = "busy"


class Flag(IntFlag):
    """What a reader of the hash should know. None of these is an error."""

    LOW_QUALITY = 1  # PDQ quality under 50: match it exactly, not by distance
    SMALL = 2  # a side under 64 pixels: other PDQ programs may differ
    DAMAGED = 4  # decoded in spite of recoverable faults in the file
    ANIMATED = 8  # more than one frame; sampled ones are among the extras
    FRAMES_CUT = 16  # the frame or pixel budget ended before the animation or video did
    TRANSPARENT = 32  # has see-through pixels: composited on white, and hashed once more without alpha
    ORIENTED = 64  # the EXIF or display orientation was applied


class View(StrEnum):
    """Which look at the file a hash was made from."""

    PLAIN = "plain"
    ROTATE_90 = "rotate90"  # these seven are named and ordered as vigil.match.hashing.pdq.VARIANTS
    ROTATE_180 = "rotate180"
    ROTATE_270 = "rotate270"
    MIRROR = "mirror"
    FLIP = "flip"
    TRANSPOSE = "transpose"
    TRANSVERSE = "transverse"
    NEGATIVE = "negative"  # the complement of the plain hash: what the negative of the picture has
    OPAQUE = "opaque"  # alpha channel dropped instead of composited
    FRAME = "frame"  # a sampled frame of an animation or video
    TRIMMED = "trimmed"  # uniform borders removed
    PANEL = "panel"  # the largest busy band, for screenshots


@dataclass(frozen=True, slots=True)
class PdqHash:
    """One PDQ of one look at a file: 32 bytes, quality 0–100, and for frames their number and time."""

    view: View
    pdq: bytes
    quality: int
    frame: int = 0
    milliseconds: int = 0


@dataclass(frozen=True, slots=True)
class Digests:
    """MD5 (16 bytes), SHA-1 (20) and SHA-256 (32) of the file's bytes as they came."""

    md5: bytes
    sha1: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class ImageHashes:
    """All hashes of a picture. ``width`` and ``height`` are pixels as displayed, orientation applied."""

    md5: bytes
    sha1: bytes
    sha256: bytes
    pdq: bytes
    pdq_quality: int
    width: int
    height: int
    format: str
    mode: Mode
    flags: Flag
    extras: tuple[PdqHash, ...] = ()

    @property
    def low_quality(self) -> bool:
        """True where PDQ is not to be compared by distance."""
        return self.pdq_quality < LOW_QUALITY.value


@dataclass(frozen=True, slots=True)
class VideoHashes:
    """Digests of a video file and the vPDQ features of its sampled frames, in order of time."""

    md5: bytes
    sha1: bytes
    sha256: bytes
    width: int
    height: int
    milliseconds: int
    format: str
    mode: Mode
    flags: Flag
    frames: tuple[PdqHash, ...]


@dataclass(frozen=True, slots=True)
class Unhashable:
    """No perceptual hash, and why. The exact digests still stand and are still to be matched."""

    reason: Reason
    md5: bytes
    sha1: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Tile:
    """A small picture for somebody who has to look: ``rgb`` has width x height x 3 bytes.

    The pixels of a child are a stranger's only in what they show: there is no format left in them to attack anybody with.
    ``frames`` above 1: a contact sheet of so many frames of a video or animation.
    """

    width: int
    height: int
    rgb: bytes
    frames: int = 1


class UndecodableError(Exception):
    """Raised inside the child where a file cannot be decoded; its reason is all that leaves the child."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the child sends back for one file: the first of ``hashes`` is the plain one."""

    width: int
    height: int
    milliseconds: int
    format: str
    flags: Flag
    hashes: tuple[PdqHash, ...]

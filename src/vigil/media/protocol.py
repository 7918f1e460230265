"""What parent and child say to each other over their one socket.

    request   32 bytes, and one file descriptor as ancillary data (SCM_RIGHTS)
    answer    u32 length, then that many bytes: first a kind, then fields in fixed order

Numbers are little-endian. No pickle, no nesting, no text beyond short ASCII codes. The parent treats every answer
as a stranger's: a child may have been taken over by the file it was given. An answer that breaks any rule
here is an :class:`~vigil.base.errors.InputError`, and the decoder then kills that child.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final, TypeVar

from vigil.base.errors import InputError
from vigil.base.limits import MEDIA_PIXELS
from vigil.base.reader import BoundedReader
from vigil.media.limits import ANSWER_BYTES, VIDEO_FRAMES
from vigil.media.model import Decoded, Flag, Mode, PdqHash, Reason, Tile, View

MAGIC: Final = b"VGL1"
REQUEST: Final = struct.Struct("<4sBBBBQIIII")
LENGTH: Final = struct.Struct("<I")
VIEWS: Final = tuple(View)
MODES: Final = tuple(Mode)
ALL_FLAGS: Final = sum(Flag)
HASHES_LIMIT: Final = VIDEO_FRAMES.value + 64
LAYERS_LIMIT: Final = 16
PDQ_BYTES: Final = 32
Member = TypeVar("Member")


class Kind(IntEnum):
    """What a request asks for."""

    PICTURE = 1
    VIDEO = 2
    PICTURE_TILE = 3  # ``frames`` is then the longest side in pixels
    VIDEO_TILE = 4


class Wish(IntFlag):
    """Options of a request."""

    VARIANTS = 1
    TRIM = 2


class Said(IntEnum):
    """The first byte of an answer."""

    READY = 1
    DECODED = 2
    UNHASHABLE = 3
    FAILED = 4
    TILED = 5


@dataclass(frozen=True, slots=True)
class Request:
    """One file to decode. ``size`` in bytes; ``interval`` between video samples in milliseconds."""

    kind: Kind
    mode: Mode
    wishes: Wish
    size: int
    pixels: int = MEDIA_PIXELS.value
    frames: int = 0
    interval: int = 1000
    seconds: int = 60

    def encode(self) -> bytes:
        numbers = (self.size, self.pixels, self.frames, self.interval, self.seconds)
        return REQUEST.pack(MAGIC, self.kind, MODES.index(self.mode), self.wishes, 0, *numbers)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of confinement: is it active, and what is there to say about it."""

    name: str
    active: bool
    note: str


def decode_request(data: bytes) -> Request:
    """The request in exactly ``REQUEST.size`` bytes; anything else is refused."""
    reader = BoundedReader(data, "request")
    if reader.take(4, "magic") != MAGIC:
        raise InputError("not_a_request", "A request does not begin with its magic.")
    kind = _member(reader, "kind", tuple(Kind), first=1)
    mode = _member(reader, "mode", MODES)
    wishes = Wish(_at_most(reader, 1, "wishes", int(Wish.VARIANTS | Wish.TRIM)))
    _at_most(reader, 1, "padding", 0)
    size = reader.unsigned(8, "size")
    pixels, frames, interval, seconds = (reader.unsigned(4, name) for name in ("pixels", "frames", "interval", "seconds"))
    reader.finish()
    return Request(kind, mode, wishes, size, pixels, frames, interval, seconds)


def encode_ready(layers: tuple[Layer, ...]) -> bytes:
    """The child's first words: what confines it."""
    body = bytes([Said.READY, len(layers)])
    for layer in layers:
        body += _short(layer.name) + bytes([layer.active]) + _short(layer.note)
    return body


def encode_failed(what: str) -> bytes:
    """The child's first and last words where it cannot begin; said before it has seen any file."""
    return bytes([Said.FAILED]) + _short(what)


def encode_unhashable(reason: Reason) -> bytes:
    return bytes([Said.UNHASHABLE]) + _short(reason.value)


def encode_decoded(decoded: Decoded) -> bytes:
    head = struct.pack("<BIIQH", Said.DECODED, decoded.width, decoded.height, decoded.milliseconds, decoded.flags)
    hashes = b"".join(
        struct.pack("<BBIQ", VIEWS.index(one.view), one.quality, one.frame, one.milliseconds) + one.pdq
        for one in decoded.hashes
    )
    return head + _short(decoded.format) + struct.pack("<H", len(decoded.hashes)) + hashes


def encode_tile(tile: Tile) -> bytes:
    return struct.pack("<BHHH", Said.TILED, tile.width, tile.height, tile.frames) + tile.rgb


def decode_tile(body: bytes, side: int) -> Tile | Reason:
    """The tile that was asked for, no side longer than ``side``; exactly its pixels and nothing after them."""
    reader = BoundedReader(body, "answer")
    if reader.unsigned(1, "kind") != Said.TILED:
        return _reason(body)
    width, height = _at_most(reader, 2, "width", side), _at_most(reader, 2, "height", side)
    frames = _at_most(reader, 2, "frames", VIDEO_FRAMES.value)
    rgb = reader.take(width * height * 3, "pixels")
    reader.finish()
    if not width * height * frames:
        raise InputError("size_out_of_range", "A child sends a tile without pixels.")
    return Tile(width, height, bytes(rgb), frames)


def decode_ready(body: bytes) -> tuple[Layer, ...]:
    """The layers a child reports; InputError if it cannot begin or says anything else."""
    reader = BoundedReader(body, "greeting")
    said = reader.unsigned(1, "kind")
    if said == Said.FAILED:
        raise InputError("child_failed", "A child could not begin.", where=_text(reader, "cause"))
    if said != Said.READY:
        raise InputError("unknown_answer", "A child began with something else than its greeting.")
    count = _at_most(reader, 1, "layers", LAYERS_LIMIT)
    layers = tuple(_layer(reader) for _ in range(count))
    reader.finish()
    return layers


def decode_answer(body: bytes, pixels: int) -> Decoded | Reason:
    """The answer to one request, checked against ``pixels``, the bound that was sent along."""
    reader = BoundedReader(body, "answer")
    if reader.unsigned(1, "kind") != Said.DECODED:
        return _reason(body)
    return _decoded(reader, pixels)


def _reason(body: bytes) -> Reason:
    """Why there is no answer of the kind that was asked for."""
    reader = BoundedReader(body, "answer")
    if reader.unsigned(1, "kind") != Said.UNHASHABLE:
        raise InputError("unknown_answer", "A child answered something else than it was asked.")
    reason = _text(reader, "reason")
    reader.finish()
    if reason not in set(Reason):
        raise InputError("unknown_reason", "A child gave a reason that does not exist.")
    return Reason(reason)


def _decoded(reader: BoundedReader, pixels: int) -> Decoded:
    width, height = reader.unsigned(4, "width"), reader.unsigned(4, "height")
    if not 0 < width * height <= pixels:
        raise InputError("size_out_of_range", "A child reports a size that it was told to refuse.")
    milliseconds = reader.unsigned(8, "duration")
    flags = Flag(_at_most(reader, 2, "flags", ALL_FLAGS))
    name = _text(reader, "format")
    count = _at_most(reader, 2, "count", HASHES_LIMIT)
    hashes = tuple(_hash(reader) for _ in range(count))
    reader.finish()
    if not hashes:
        raise InputError("no_hashes", "A child reports a success without a hash.")
    return Decoded(width, height, milliseconds, name, flags, hashes)


def _hash(reader: BoundedReader) -> PdqHash:
    view = _member(reader, "view", VIEWS)
    quality = _at_most(reader, 1, "quality", 100)
    frame, milliseconds = reader.unsigned(4, "frame"), reader.unsigned(8, "time")
    return PdqHash(view, reader.take(PDQ_BYTES, "pdq"), quality, frame, milliseconds)


def _layer(reader: BoundedReader) -> Layer:
    name = _text(reader, "layer")
    active = bool(_at_most(reader, 1, "state", 1))
    return Layer(name, active, _text(reader, "note"))


def _member(reader: BoundedReader, field: str, members: tuple[Member, ...], first: int = 0) -> Member:
    position = _at_most(reader, 1, field, len(members) - 1 + first)
    if position < first:
        raise InputError("out_of_range", f"{field} is out of range.", where=f"byte {reader.position - 1}")
    return members[position - first]


def _at_most(reader: BoundedReader, size: int, field: str, most: int) -> int:
    value = reader.unsigned(size, field)
    if value > most:
        raise InputError("out_of_range", f"{field} is out of range.", where=f"byte {reader.position - size}")
    return value


def _short(text: str) -> bytes:
    data = text.encode("ascii", "replace")[:255]
    return bytes([len(data)]) + data


def _text(reader: BoundedReader, field: str) -> str:
    data = reader.take(reader.unsigned(1, field), field)
    if not all(0x20 <= byte < 0x7F for byte in data):
        raise InputError("not_ascii", f"{field} is not plain text.", where=f"byte {reader.position}")
    return data.decode("ascii")


def answer_length(head: bytes) -> int:
    """Length of the answer that follows these four bytes; InputError above ``ANSWER_BYTES``."""
    length = int.from_bytes(head, "little")
    if not 0 < length <= ANSWER_BYTES.value:
        raise InputError("answer_too_long", "A child announces an answer of forbidden length.")
    return length

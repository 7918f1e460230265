"""The protocol between the worker and its fetching process: a head in JSON and a body, each behind its length. Strict."""

from __future__ import annotations

import struct
from typing import Annotated, BinaryIO, Final, TypeVar

import msgspec

from vigil.base.limits import Limit
from vigil.hotline.reports.fetching import PICTURE_BYTES

HEAD_BYTES: Final = Limit(2 * 1024 * 1024, "bytes", "addresses and headers of one answer")
LENGTHS: Final = struct.Struct(">II")

Text = Annotated[str, msgspec.Meta(max_length=300_000)]
Frame = TypeVar("Frame", bound=msgspec.Struct)


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first frame: which way to go. ``allowed`` are private networks that the operator opened."""

    via: str
    host: str = ""
    port: int = 0
    allowed: tuple[str, ...] = ()
    seconds: float = 20.0


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fetch ``url``, at most ``limit`` bytes."""

    url: Text
    limit: int
    referrer: Text = ""


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came, or the code why nothing did; the bytes follow."""

    failure: str = ""
    status: int = 0
    declared_type: Text = ""
    url: Text = ""
    headers: tuple[tuple[str, str], ...] = ()
    certificate: str = ""
    ip: str = ""
    chain: tuple[str, ...] = ()


class BrokenFrame(Exception):  # noqa: N818 - the other side broke the protocol; the process is given up
    """The other side ended in the middle, or sent what is no frame."""


def write_frame(sink: BinaryIO, head: msgspec.Struct, body: bytes = b"") -> None:
    """Write one frame."""
    data = msgspec.json.encode(head)
    sink.write(LENGTHS.pack(len(data), len(body)) + data + body)
    sink.flush()


def read_answer_frame(source: BinaryIO, kind: type[Frame]) -> tuple[Frame | None, bytes]:
    """The next frame; None where the other side has closed. Raises BrokenFrame for anything else."""
    lengths = source.read(LENGTHS.size)
    if not lengths:
        return None, b""
    if len(lengths) != LENGTHS.size:
        raise BrokenFrame
    head, body = LENGTHS.unpack(lengths)
    if head > HEAD_BYTES.value or body > PICTURE_BYTES.value:
        raise BrokenFrame
    data, rest = source.read(head), source.read(body)
    if len(data) != head or len(rest) != body:
        raise BrokenFrame
    try:
        return msgspec.json.decode(data, type=kind), rest
    except msgspec.MsgspecError as error:
        raise BrokenFrame from error

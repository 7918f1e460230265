"""Hashing on the caller's side: a file becomes a question of digests and PDQ; its bytes stay here.

The picture is decoded by ``vigil.media`` in a confined child process. What is larger than it takes is read through once for
its exact digests, and the doubt is said.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from vigil.base.errors import InputError
from vigil.base.limits import MEDIA_BYTES
from vigil.client.questions import MEDIA, Question, Signal
from vigil.media import Decoder, ImageHashes, PdqHash, Reason, Unhashable, View, default_decoder
from vigil.media.limits import LOW_QUALITY, VIDEO_BYTES

EXACT: Final = ("sha256", "sha1", "md5")
PIECE: Final = 1024 * 1024
Source = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO


def question_of_file(source: Source, *, seconds: float, reference: str | None = None, decoder: Decoder | None = None) -> Question:
    """Hash bytes, the file at a path, or an open binary file (from its start; left where it stood)."""
    with opened(source) as stream:
        return question_of_hashes(_hashes(stream, seconds, decoder or default_decoder()), reference)


def question_of_hashes(found: ImageHashes | Unhashable, reference: str | None = None) -> Question:
    """The question that hashes ask, the strongest evidence first. A PDQ of low quality asks for equality only."""
    exact = tuple(Signal(name, getattr(found, name).hex()) for name in EXACT)
    if isinstance(found, Unhashable):
        return Question(MEDIA, exact, found.reason.value, reference)
    looks = (PdqHash(View.PLAIN, found.pdq, found.pdq_quality), *found.extras)
    near = tuple(Signal("pdq", look.pdq.hex(), look.quality >= LOW_QUALITY.value) for look in looks)
    return Question(MEDIA, exact + near, "low_quality" if found.low_quality else None, reference)


def bytes_of_file(source: Source) -> bytes:
    """The whole file, for an upload that was asked for; InputError beyond what is held in memory."""
    with opened(source) as stream:
        data = _read(stream, MEDIA_BYTES.value + 1)
    if not 0 < len(data) <= MEDIA_BYTES.value:
        raise InputError("media_size", "The file is empty or too large to send.", mend=f"Send 1 to {MEDIA_BYTES.value} bytes.")
    return data


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The source as a stream that stands at its start."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source)
    elif isinstance(source, str | os.PathLike):
        with _open(Path(source)) as stream:
            yield stream
    else:
        with _rewound(source) as stream:
            yield stream


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (OSError, ValueError):  # ValueError: a name with the character NUL
        raise InputError("file_unreadable", "The file cannot be opened.", mend="Check the path and its rights.") from None


@contextmanager
def _rewound(stream: BinaryIO) -> Iterator[BinaryIO]:
    if not stream.seekable():
        yield stream
        return
    before = stream.tell()
    stream.seek(0)
    try:
        yield stream
    finally:
        stream.seek(before)


def _hashes(stream: BinaryIO, seconds: float, decoder: Decoder) -> ImageHashes | Unhashable:
    data = _read(stream, MEDIA_BYTES.value + 1)
    if len(data) <= MEDIA_BYTES.value:
        return decoder.hash_image(data, timeout=seconds)
    return _digests_only(data, stream)


def _read(stream: BinaryIO, most: int) -> bytes:
    """Up to ``most`` bytes, however few each read gives."""
    held = bytearray()
    while len(held) < most:
        piece = stream.read(min(PIECE, most - len(held)))
        if not isinstance(piece, bytes):
            raise InputError("file_text", "The file gives no bytes.", mend="Open it in binary mode.")
        if not piece:
            break
        held += piece
    return bytes(held)


def _digests_only(begun: bytes, stream: BinaryIO) -> Unhashable:
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in EXACT}
    size, piece = 0, begun
    while piece:
        size += len(piece)
        if size > VIDEO_BYTES.value:
            raise InputError("media_size", "The file has no end within bounds.", mend=f"Give at most {VIDEO_BYTES.value} bytes.")
        for digest in digests.values():
            digest.update(piece)
        piece = stream.read(PIECE)
    return Unhashable(Reason.TOO_LARGE, **{name: digest.digest() for name, digest in digests.items()})

"""Fuzz target: whatever a child sends or a file begins with, it is read within its frame or refused by name."""

from __future__ import annotations

from vigil.base.errors import InputError
from vigil.media import protocol, sniff
from vigil.media.model import Decoded

LIMIT = 1_000_000
JPEG = b"\xff\xd8\xff\xe1"
READERS = (protocol.decode_request, protocol.decode_ready)


def TestOneInput(data: bytes) -> None:
    """Raises where a promise is broken."""
    for read in READERS:
        try:
            read(data)
        except InputError:
            continue
    check_answer(data)
    for candidate in (data, JPEG + data):
        check_sniffing(candidate)


def check_answer(data: bytes) -> None:
    """An answer that is accepted keeps every bound, and is exactly what an honest child would have sent."""
    try:
        answer = protocol.decode_answer(data, LIMIT)
    except InputError:
        return
    if not isinstance(answer, Decoded):
        if protocol.encode_unhashable(answer) != data:
            raise AssertionError("a reason has two encodings")
        return
    if protocol.encode_decoded(answer) != data:
        raise AssertionError("an answer has two encodings")
    if not 0 < answer.width * answer.height <= LIMIT or not answer.hashes:
        raise AssertionError("a bound was passed over")
    if any(one.quality > 100 or len(one.pdq) != protocol.PDQ_BYTES for one in answer.hashes):
        raise AssertionError("a hash out of range was accepted")


def check_sniffing(data: bytes) -> None:
    view = memoryview(data)
    if sniff.jpeg_orientation(view) not in range(1, 9):
        raise AssertionError("an orientation that does not exist")
    name = sniff.picture_format(view)
    if name and sniff.is_video(data):
        raise AssertionError("a file is a picture and a video")
    if name:
        sniff.is_cut_short(view, name)

"""Reading a Safe Browsing v5 ``HashList`` of full 32-byte hashes, as :mod:`safebrowsing` writes it. A stranger's file.

It must be whole: every field where the message has it, the hashes rising, and their SHA-256 as the message says.
"""

from __future__ import annotations

import hashlib
from typing import Final

from vigil.base.errors import InputError
from vigil.base.reader import BoundedReader
from vigil.editions.export.rice import BITS, LARGEST_PARAMETER, SMALLEST_PARAMETER, decode
from vigil.editions.export.safebrowsing import LIST

_WHAT: Final = "The hash list"
_START: Final = b"\x0a" + bytes([len(LIST)]) + LIST.encode()
_CHECKSUM: Final = 7
_ADDITIONS: Final = 11

Message = dict[int, int | bytes]


def is_hash_list(start: bytes) -> bool:
    """Whether a file that begins so says that it is one of ours."""
    return start.startswith(_START)


def read_hash_list(data: bytes) -> list[bytes]:
    """The hashes, sorted. Raises InputError."""
    message = _message(data)
    hashes = _hashes(_message(_bytes(message, _ADDITIONS))) if _ADDITIONS in message else []
    if _bytes(message, _CHECKSUM) != hashlib.sha256(b"".join(hashes)).digest():
        raise _malformed("the checksum does not fit")
    return hashes


def _hashes(additions: Message) -> list[bytes]:
    """RiceDeltaEncoded256Bit: the first number in four parts, then the differences."""
    first = _number(additions, 1).to_bytes(8, "big") + b"".join(_bytes(additions, at)[::-1] for at in (2, 3, 4))
    if len(first) * 8 != BITS:
        raise _malformed("the first hash is not whole")
    numbers = [int.from_bytes(first, "big")]
    if count := _number(additions, 6):
        parameter = _number(additions, 5)
        if not SMALLEST_PARAMETER <= parameter <= LARGEST_PARAMETER:
            raise _malformed("the parameter is out of range")
        numbers = decode(numbers[0], _bytes(additions, 7), parameter, count)
    return [number.to_bytes(BITS // 8, "big") for number in numbers]


def _message(data: bytes) -> Message:
    """Fields by number; of a field that stands twice the last counts, as protocol buffers have it."""
    reader, found = BoundedReader(data, _WHAT), Message()
    while reader.remaining:
        tag = _varint(reader)
        match tag & 7:
            case 0:
                found[tag >> 3] = _varint(reader)
            case 1:
                found[tag >> 3] = reader.take(8, "a number")
            case 2:
                found[tag >> 3] = reader.take(_varint(reader), "a field")
            case _:
                raise _malformed("a field is of no kind that stands in one")
    return found


def _varint(reader: BoundedReader) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = reader.unsigned(1, "a number")
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 2**64:
                break
            return value
    raise _malformed("a number is too long")


def _number(message: Message, field: int) -> int:
    found = message.get(field, 0)
    if isinstance(found, bytes):
        raise _malformed("a number is missing")
    return found


def _bytes(message: Message, field: int) -> bytes:
    found = message.get(field, b"")
    if isinstance(found, int):
        raise _malformed("a field is missing")
    return found


def _malformed(why: str) -> InputError:
    return InputError("hash_list_malformed", f"{_WHAT} is damaged: {why}.")

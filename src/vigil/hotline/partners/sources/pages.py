"""The contents of a page, packed and sealed: what entries hold lies here and nowhere else."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from vigil.hotline.access.sealing import seal, unseal

_LEVEL: Final = 1  # records are alike: the fastest level packs them well enough


class Kept(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One record of a page: its key, its fingerprints in their normal writing, and the record as it was sent."""

    key: str
    fingerprints: tuple[tuple[str, str], ...]
    raw: str


class Outline(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One record without what was sent, which is not even decoded."""

    key: str
    fingerprints: tuple[tuple[str, str], ...]
    raw: msgspec.Raw


ERASED: Final = Kept("", (), "")
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(list[Kept])
_outliner: Final = msgspec.json.Decoder(list[Outline])


def packed(records: Iterable[Kept]) -> str:
    """Records as sealed text, in their order."""
    return seal(base64.b64encode(zlib.compress(_encoder.encode(list(records)), _LEVEL)).decode("ascii"))


def unpacked(content: str) -> list[Kept]:
    """The records of a page again. Raises UnavailableError where the seal cannot be opened."""
    return _decoder.decode(_opened(content))


def outlines(content: str) -> list[Outline]:
    """Keys and fingerprints of the records, where nothing else of them is needed."""
    return _outliner.decode(_opened(content))


def erased(content: str, positions: Iterable[int]) -> str:
    """The page without the records at ``positions``."""
    records = unpacked(content)
    for position in positions:
        records[position] = ERASED
    return packed(records)


def at(content: str, positions: Iterable[int]) -> Iterator[Kept]:
    """The records at ``positions``."""
    records = unpacked(content)
    for position in positions:
        yield records[position]


def _opened(content: str) -> bytes:
    return zlib.decompress(base64.b64decode(unseal(content)))

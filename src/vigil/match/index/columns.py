"""Named arrays in one file, mapped for reading: what workers of one node share through the page cache.

Layout: the magic, the length of the head (8 bytes, little-endian), the SHA-256 of all that follows it, the head as JSON (kind,
names, types, shapes and offsets of the arrays, the length of the body), then the arrays, each at a multiple of 64 bytes.
The head is checked at each opening; :func:`verify_columns` reads the body as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigil.base.errors import InputError
from vigil.base.files import write_pieces
from vigil.match.index.storage import mapped

MAGIC: Final = b"VIGILCOL1\n"
HEAD_BYTES: Final = 1024 * 1024
ALIGNMENT: Final = 64
DIGEST_AT: Final = len(MAGIC) + 8
HEAD_AT: Final = DIGEST_AT + 32
TYPES: Final = frozenset({"|u1", "<u2", "<u4", "<u8", "<i4", "<i8"})
Columns = Mapping[str, NDArray[Any]]


class _Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    shape: tuple[int, ...]
    offset: int


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    body: int
    columns: dict[str, _Column]
    notes: dict[str, Any]


def write_columns(path: Path, kind: str, columns: Columns, notes: Mapping[str, Any] | None = None) -> None:
    """Write ``columns`` (little-endian integers of any shape) and JSON ``notes`` to ``path``, whole or not at all."""
    arrays = {name: np.ascontiguousarray(column) for name, column in columns.items()}
    placed: dict[str, _Column] = {}
    size = 0
    for name, data in arrays.items():
        if data.dtype.str not in TYPES:
            raise InputError("columns_type", "An array of this type is not kept in a file.", where=name)
        placed[name] = _Column(data.dtype.str, data.shape, size)
        size += data.nbytes + -data.nbytes % ALIGNMENT
    head = msgspec.json.encode(_Head(kind, size, placed, dict(notes or {})))
    rest = [head + b" " * (-(HEAD_AT + len(head)) % ALIGNMENT), *_body(arrays)]
    digest = hashlib.sha256()
    for piece in rest:
        digest.update(piece)
    start = MAGIC + len(head).to_bytes(8, "little") + digest.digest()
    write_pieces(path, [start, *rest], mode=0o600)


def _body(arrays: Mapping[str, NDArray[Any]]) -> Iterator[bytes | memoryview]:
    """Each array as it lies in memory, without a copy, and what fills it up to the next place."""
    for data in arrays.values():
        if data.nbytes:
            yield data.reshape(-1).view(np.uint8).data
        yield bytes(-data.nbytes % ALIGNMENT)


def open_columns(path: Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays, read-only and mapped, and the notes. Raises InputError for a file that is not exactly as it says."""
    with mapped(path) as content:
        head, start = _head_of(content, path)
    if head.kind != kind or len(content) != start + head.body:
        raise _corrupt(path)
    return {name: _column(content[start:], column, path) for name, column in head.columns.items()}, head.notes


def verify_columns(path: Path) -> None:
    """Read the whole file and compare its checksum. Raises InputError where it was altered."""
    with mapped(path) as content:
        _head_of(content, path)
        if hashlib.sha256(content[HEAD_AT:].tobytes()).digest() != content[DIGEST_AT:HEAD_AT].tobytes():
            raise InputError(
                "index_checksum", "The file was altered: its checksum is wrong.", where=path.name, mend="Build it again."
            )


def _head_of(content: NDArray[np.uint8], path: Path) -> tuple[_Head, int]:
    length = int.from_bytes(content[len(MAGIC) : DIGEST_AT].tobytes(), "little")
    if content[: len(MAGIC)].tobytes() != MAGIC or not 0 < length <= min(HEAD_BYTES, len(content)):
        raise InputError("index_not_an_index", "This is not a file of columns.", where=path.name, mend="Build it again.")
    try:
        head = msgspec.json.decode(content[HEAD_AT : HEAD_AT + length].tobytes(), type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _corrupt(path) from error
    end = HEAD_AT + length
    return head, end + -end % ALIGNMENT


def _column(body: NDArray[np.uint8], column: _Column, path: Path) -> NDArray[Any]:
    if column.type not in TYPES or any(side < 0 for side in column.shape) or column.offset % ALIGNMENT or column.offset < 0:
        raise _corrupt(path)
    kind = np.dtype(column.type)
    size = kind.itemsize
    for side in column.shape:
        size *= side
    if column.offset + size > len(body):
        raise _corrupt(path)
    return body[column.offset : column.offset + size].view(kind).reshape(column.shape)


def _corrupt(path: Path) -> InputError:
    return InputError("index_corrupt", "The file of columns contradicts itself.", where=path.name, mend="Build it again.")

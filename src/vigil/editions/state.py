"""The digest of the sorted state: SHA-256 over the rows themselves, column by column.

It depends on the rows only, not on Parquet, its compression or its writer, so that a list that was put together
from deltas can be compared with the one that was signed. The bytes are laid down in ``docs/spec/edition-format.md``.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vigil.editions.manifest import StateDigest
from vigil.editions.wire import COLUMNS

FUNCTION: Final = "sha256"

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("the columns of an edition are read as little-endian numbers")


def state_digest(tables: Mapping[str, pa.Table]) -> StateDigest:
    """The digest over the files by the order of their names; each table has the columns of :data:`COLUMNS`."""
    digest = hashlib.sha256()
    for name in sorted(tables):
        digest.update(name.encode("ascii") + b"\0" + tables[name].num_rows.to_bytes(8, "little"))
        for column in COLUMNS[name]:
            for piece in _pieces(tables[name].column(column.name)):
                digest.update(piece)
    return StateDigest(FUNCTION, digest.hexdigest())


def _pieces(column: pa.ChunkedArray) -> Iterator[Any]:
    """Numbers and fixed-size keys as they are; texts and values as all lengths (uint32), then all bytes."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        yield from (lengths(chunk).astype("<u4") for chunk in column.chunks)
        yield from (varying_bytes(chunk) for chunk in column.chunks)
    elif pa.types.is_fixed_size_binary(column.type):
        yield from (fixed_bytes(chunk) for chunk in column.chunks)
    else:
        yield from (np.ascontiguousarray(chunk.to_numpy()) for chunk in column.chunks)


def fixed_bytes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """The values of a fixed-size column one after the other, without a copy."""
    width = array.type.byte_width
    return _window(array.buffers()[1], array.offset * width, len(array) * width)


def lengths(array: pa.Array) -> npt.NDArray[np.int32]:
    """The length in bytes of each text or value."""
    return np.diff(_offsets(array))


def varying_bytes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """All texts or values one after the other, without a copy."""
    offsets = _offsets(array)
    return _window(array.buffers()[2], int(offsets[0]), int(offsets[-1] - offsets[0]))


def _offsets(array: pa.Array) -> npt.NDArray[np.int32]:
    if len(array) == 0:
        return np.zeros(1, np.int32)
    return np.frombuffer(array.buffers()[1], np.int32, len(array) + 1, array.offset * 4)


def _window(buffer: pa.Buffer | None, start: int, size: int) -> npt.NDArray[np.uint8]:
    if buffer is None or size == 0:
        return np.zeros(0, np.uint8)
    return np.frombuffer(buffer, np.uint8, size, start)

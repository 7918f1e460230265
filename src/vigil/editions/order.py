"""Rows in the one order that the format allows, each of them once. Done on whole columns, not row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vigil.base.errors import InputError

Keys = Sequence[npt.NDArray[Any]]
_WORD: Final = 8


def words_of(rows: npt.NDArray[np.uint8]) -> list[npt.NDArray[Any]]:
    """Rows of bytes (n, size) as big-endian words, so that comparing the words is comparing the bytes."""
    size = rows.shape[1]
    padded = rows if size % _WORD == 0 else np.pad(rows, ((0, 0), (0, -size % _WORD)))
    words = np.ascontiguousarray(padded).view(">u8")
    return [words[:, position] for position in range(words.shape[1])]


def words_of_values(values: Sequence[bytes]) -> list[npt.NDArray[Any]]:
    """The same for values of several lengths; shorter ones count as if zeros followed."""
    size = max(map(len, values), default=0) or 1
    padded = np.array(values, f"S{size}").view(np.uint8).reshape(-1, size)
    return words_of(padded)


def ranks_of(texts: Sequence[str]) -> npt.NDArray[np.int32]:
    """For each text its place among the different ones, sorted."""
    places = {text: place for place, text in enumerate(sorted(set(texts)))}
    return np.fromiter(map(places.__getitem__, texts), np.int32, len(texts))


def in_order(table: pa.Table, keys: Keys) -> pa.Table:
    """The rows sorted by the first key, then the second, and so on; rows that are wholly equal once.

    Raises InputError ``entry_twice`` where rows agree in all keys and differ elsewhere.
    """
    order = np.lexsort([key.astype(key.dtype.newbyteorder("=")) for key in reversed(keys)])
    table = table.take(pa.array(order))
    again = agreeing([key[order] for key in keys])
    if not again.any():
        return table
    differing = again & ~agreeing_rows(table)
    if differing.any():
        entry = table.column("entry")[int(np.argmax(differing)) + 1].as_py()
        raise InputError(
            "entry_twice", "One entry is given twice with different flags, labels or expiry.", where=f"entry {entry}"
        )
    return table.filter(pa.array(np.concatenate(([True], ~again))))


def agreeing(keys: Keys) -> npt.NDArray[np.bool_]:
    """For each row but the first: does it agree with the one before in all keys?"""
    agree = np.ones(max(len(keys[0]) - 1, 0), np.bool_)
    for key in keys:
        agree &= key[1:] == key[:-1]
    return agree


def agreeing_rows(table: pa.Table) -> npt.NDArray[np.bool_]:
    """For each row but the first: is it wholly equal to the one before?"""
    equal = np.ones(table.num_rows - 1, np.bool_)
    for column in table.columns:
        equal &= pc.equal(column.slice(1), column.slice(0, table.num_rows - 1)).to_numpy()
    return equal


def strictly_rising(keys: Keys) -> tuple[bool, bool]:
    """Are the rows sorted, and is none there twice? Stops at the first key that decides about all of them."""
    undecided = np.ones(max(len(keys[0]) - 1, 0), np.bool_)
    for key in keys:
        if not undecided.any():
            break
        if np.any(undecided & (key[1:] < key[:-1])):
            return False, True
        undecided &= key[1:] == key[:-1]
    return True, not undecided.any()

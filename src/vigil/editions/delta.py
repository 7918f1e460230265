"""Deltas: what changed between two editions, row by row, as one Parquet file.

A delta leads from the tables of one edition to those of the next. It is a shortcut, never an authority: whoever applies
one compares the digest of the whole sorted state with the signed one (:mod:`vigil.editions.state`) and otherwise
discards the result. Written so that the same two editions give the same bytes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vigil.editions.limits import DELTA_BYTES, DELTA_ROWS
from vigil.editions.refusal import EditionRefused, Refusal
from vigil.editions.state import fixed_bytes, lengths, varying_bytes
from vigil.editions.wire import COLUMNS, DELTA, HASHES, HOSTS, URLS, arrow_schema, decode_table, encode_table

Tables = Mapping[str, pa.Table]
Identities = npt.NDArray[np.bytes_]
Places = npt.NDArray[np.intp]

ADD: Final = "add"
CHANGE: Final = "change"
REMOVE: Final = "remove"
OPS: Final = (ADD, CHANGE, REMOVE)
# Which column of each file the column ``key`` of a delta stands for; the files in the order of a delta.
KEYS: Final = {HASHES: "value", HOSTS: "host", URLS: "key"}
_SHORT: Final = {name: name.removesuffix(".parquet") for name in KEYS}
RUN_ROWS: Final = 64  # rows a run must have on average before copying runs is the faster way
_NONE: Final[Identities] = np.zeros(0, "S1")
_PLACED: Final = ("list", "entry")
_NAME: Final = re.compile(r"delta-([1-9][0-9]{0,17})-([1-9][0-9]{0,17})\.parquet\Z")


def delta_name(before: int, after: int) -> str:
    """The name of the delta from edition ``before`` to edition ``after``."""
    return f"delta-{before}-{after}.parquet"


def steps_of(name: str) -> tuple[int, int] | None:
    """From and to, by the name of a delta; None for any other name, and for one that leads backwards."""
    found = _NAME.match(name)
    if not found or int(found[1]) >= int(found[2]):
        return None
    return int(found[1]), int(found[2])


@dataclass(frozen=True, slots=True)
class _Group:
    """The rows of one table whose identities have one length: all, or those of one algorithm. Sorted, none twice."""

    rows: pa.Table
    identities: Identities


def make_delta(before: Tables, after: Tables) -> bytes:
    """The delta between the tables of two editions, which have the columns of the format."""
    pieces = [
        _difference(name, algorithm, old, new)
        for name in KEYS
        for algorithm, old, new in _pairs(name, _plain(before[name]), _plain(after[name]))
    ]
    return encode_table(DELTA, pa.concat_tables([arrow_schema(DELTA).empty_table(), *pieces]).combine_chunks())


def apply_delta(tables: dict[str, pa.Table], data: bytes, *, consume: bool = False) -> dict[str, pa.Table]:
    """The tables after a delta: a stranger's bytes, whose length and digest were checked before.

    With ``consume`` each table leaves ``tables`` once it is done: a large edition is then in memory once, and not twice.
    Raises EditionRefused ``delta`` where it does not fit the tables; ``schema`` or ``too_large`` where it cannot be read.
    """
    if len(data) > DELTA_BYTES.value:
        raise EditionRefused(Refusal.TOO_LARGE, "A delta is larger than the limit.", where=DELTA)
    delta = _plain(decode_table(DELTA, data, None, DELTA_ROWS.value))
    _check_words(delta)
    _check_unused(delta)
    parts = _parts(delta)
    take = tables.pop if consume else tables.__getitem__
    return {name: _changed(name, _plain(take(name)), parts[name]) for name in COLUMNS}


def _plain(table: pa.Table) -> pa.Table:
    """Text columns as text, each column in one piece."""
    fields = [
        pa.field(field.name, field.type.value_type, nullable=False) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields)).combine_chunks()


def _one(table: pa.Table, column: str) -> pa.Array:
    """The one piece of a column; an empty one where the table has no rows."""
    chunks = table.column(column).chunks
    return chunks[0] if chunks else pa.array([], table.schema.field(column).type)


# ---- identities ------------------------------------------------------------------------------------------------------


def _pairs(name: str, before: pa.Table, after: pa.Table) -> Iterator[tuple[str, _Group, _Group]]:
    """The groups of both sides that belong together, in order."""
    old, new = _groups(name, before), _groups(name, after)
    empty = _Group(arrow_schema(name).empty_table(), _NONE)
    for algorithm in sorted(old.keys() | new.keys()):
        yield algorithm, old.get(algorithm, empty), new.get(algorithm, empty)


def _groups(name: str, table: pa.Table) -> dict[str, _Group]:
    if name != HASHES:
        return {"": _Group(table, _identities(table, KEYS[name]))}
    return {algorithm: _Group(rows, _identities(rows, "value")) for algorithm, rows in _by_text(table, "algorithm")}


def _by_text(table: pa.Table, column: str) -> Iterator[tuple[str, pa.Table]]:
    """The runs of equal texts in a column."""
    codes = _one(table, column).dictionary_encode()
    numbers = codes.indices.to_numpy(zero_copy_only=False)
    edges = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), len(numbers)]
    for start, end in itertools.pairwise(edges):
        if end > start:
            yield codes.dictionary[int(numbers[start])].as_py(), table.slice(start, end - start).combine_chunks()


def _identities(table: pa.Table, key: str) -> Identities:
    """What stands for each row, as bytes whose order is the order of the file: key, then list and entry where it has them."""
    if not len(table):
        return _NONE
    pieces = [_key_bytes(table, key)]
    pieces += [
        np.ascontiguousarray(_one(table, column).to_numpy()).astype(kind).view(np.uint8).reshape(len(table), -1)
        for column, kind in (("list", ">u2"), ("entry", ">u8"))
        if column in table.schema.names
    ]
    rows = np.ascontiguousarray(np.concatenate(pieces, axis=1))
    return rows.view(f"S{rows.shape[1]}").reshape(-1)


def _key_bytes(table: pa.Table, key: str) -> npt.NDArray[np.uint8]:
    """The keys of a group as (n, size)."""
    array = _one(table, key)
    if pa.types.is_fixed_size_binary(array.type):
        return fixed_bytes(array).reshape(len(table), -1)
    sizes = lengths(array)
    if np.any(sizes != sizes[0]) or sizes[0] == 0:
        raise _unfit("Its values of one algorithm differ in length.")
    return varying_bytes(array).reshape(len(table), -1)


def _found(among: Identities, wanted: Identities) -> tuple[Places, npt.NDArray[np.bool_]]:
    """Where each wanted identity stands, or would stand, and whether it is there."""
    if among.dtype.itemsize != wanted.dtype.itemsize and len(among) and len(wanted):
        raise _unfit("Its values have another length than those it changes.")
    places = np.searchsorted(among, wanted)
    there = places < len(among)
    there[there] = among[places[there]] == wanted[there]
    return places, there


# ---- making ----------------------------------------------------------------------------------------------------------


def _difference(name: str, algorithm: str, old: _Group, new: _Group) -> pa.Table:
    """The rows of a delta for one group, sorted by identity."""
    places, kept = _found(old.identities, new.identities)
    gone = np.ones(len(old.identities), np.bool_)
    gone[places[kept]] = False
    both = np.flatnonzero(kept)
    other = both[_differ(old.rows.take(places[both]), new.rows.take(both))]
    added, removed = np.flatnonzero(~kept), np.flatnonzero(gone)
    pieces = [
        _delta_rows(name, algorithm, ADD, new.rows.take(added)),
        _delta_rows(name, algorithm, CHANGE, new.rows.take(other)),
        _delta_rows(name, algorithm, REMOVE, old.rows.take(removed)),
    ]
    identities = [new.identities[added], new.identities[other], old.identities[removed]]
    order = np.argsort(np.concatenate([each for each in identities if len(each)] or [_NONE]), kind="stable")
    return pa.concat_tables(pieces).take(order)


def _differ(old: pa.Table, new: pa.Table) -> npt.NDArray[np.bool_]:
    """For rows of one identity, whether anything else differs."""
    differ = np.zeros(len(old), np.bool_)
    for name in old.schema.names:
        differ |= pc.not_equal(_one(old.combine_chunks(), name), _one(new.combine_chunks(), name)).to_numpy(zero_copy_only=False)
    return differ


def _delta_rows(name: str, algorithm: str, op: str, rows: pa.Table) -> pa.Table:
    """Rows of a file in the columns of a delta; what the file does not have, or a removal does not need, is zero or empty."""
    carried = {"file": _SHORT[name], "op": op, "algorithm": algorithm}
    needed = {*_PLACED} if op == REMOVE else {*rows.schema.names}
    columns = []
    for field in arrow_schema(DELTA):
        if field.name == "key":
            columns.append(rows.column(KEYS[name]).cast(field.type))
        elif field.name in carried:
            columns.append(pa.repeat(pa.scalar(carried[field.name], field.type), len(rows)))
        elif field.name in needed and field.name in rows.schema.names:
            columns.append(rows.column(field.name))
        else:
            columns.append(pa.repeat(_nothing(field.type), len(rows)))
    return pa.Table.from_arrays(columns, schema=arrow_schema(DELTA))


def _nothing(kind: pa.DataType) -> pa.Scalar:
    return pa.scalar("" if pa.types.is_string(kind) else 0, kind)


# ---- applying --------------------------------------------------------------------------------------------------------


def _check_words(delta: pa.Table) -> None:
    known = {"file": [*_SHORT.values()], "op": [*OPS]}
    for column, words in known.items():
        if not set(pc.unique(_one(delta, column)).to_pylist()) <= set(words):
            raise _unfit(f"Its column {column} holds something this software does not know.")


def _check_unused(delta: pa.Table) -> None:
    """A column that a row has no use for says nothing: there is one way to write a delta."""
    files, removals = _one(delta, "file"), pc.equal(_one(delta, "op"), REMOVE)
    for field in arrow_schema(DELTA):
        if field.name in ("file", "op", "key"):
            continue
        users = [_SHORT[name] for name, columns in COLUMNS.items() if field.name in {column.name for column in columns}]
        unused = pc.invert(pc.is_in(files, pa.array(users, pa.string())))
        if field.name not in (*_PLACED, "algorithm"):
            unused = pc.or_(unused, removals)
        if pc.any(pc.and_(unused, pc.not_equal(_one(delta, field.name), _nothing(field.type)))).as_py():
            raise _unfit(f"Its column {field.name} says something where it must not.")


def _parts(delta: pa.Table) -> dict[str, pa.Table]:
    """The rows for each file; the files must stand in order, each in one run."""
    empty = arrow_schema(DELTA).empty_table()
    runs = list(_by_text(delta, "file"))
    if [short for short, _ in runs] != sorted({short for short, _ in runs}):
        raise _unfit("Its rows are not sorted.")
    found = dict(runs)
    return {name: found.get(short, empty) for name, short in _SHORT.items()}


def _changed(name: str, table: pa.Table, rows: pa.Table) -> pa.Table:
    """One table after its part of a delta."""
    if not len(rows):
        return table
    changes = _change_groups(name, rows)
    old = _groups(name, table)
    empty = _Group(arrow_schema(name).empty_table(), _NONE)
    merged = [
        _merged(name, old.get(key, empty), changes[key]) if key in changes else old[key].rows
        for key in sorted(old.keys() | changes.keys())
    ]
    return pa.concat_tables([arrow_schema(name).empty_table(), *merged]).combine_chunks()


def _change_groups(name: str, rows: pa.Table) -> dict[str, _Group]:
    """The rows of a delta for one file by algorithm, each sorted and none twice."""
    runs = list(_by_text(rows, "algorithm")) if name == HASHES else [("", rows)]
    if [key for key, _ in runs] != sorted({key for key, _ in runs}):
        raise _unfit("Its rows are not sorted.")
    groups = {key: _Group(each, _change_identities(name, each)) for key, each in runs}
    if any(np.any(group.identities[1:] <= group.identities[:-1]) for group in groups.values()):
        raise _unfit("Its rows are not sorted, or one stands twice.")
    return groups


def _change_identities(name: str, rows: pa.Table) -> Identities:
    if name == HOSTS:
        return _identities(rows.select(["key"]), "key")
    return _identities(rows.select(["key", *_PLACED]), "key")


def _merged(name: str, old: _Group, changes: _Group) -> pa.Table:
    """The rows of a group after its changes, in order."""
    places, there = _found(old.identities, changes.identities)
    ops = np.array(_one(changes.rows, "op").to_pylist())
    if np.any(there != (ops != ADD)):
        raise _unfit("It adds what is there, or changes or removes what is not.")
    kept = np.ones(len(old.identities), np.bool_)
    kept[places[there]] = False
    coming = np.flatnonzero(ops != REMOVE)
    # Where each coming row stands among those kept: its place less the rows before it that go.
    before = np.concatenate([[0], np.cumsum(~kept)])
    spots = places[coming] - before[places[coming]]
    both = pa.concat_tables([old.rows, _file_rows(name, changes.rows.take(coming))]).combine_chunks()
    order = np.insert(np.flatnonzero(kept), spots, len(old.identities) + np.arange(len(coming)))
    return _picked(both, order)


def _picked(table: pa.Table, order: Places) -> pa.Table:
    """The rows in that order. Where most stand beside their neighbours as before, whole runs are copied: far faster."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(order) != 1) + 1]) if len(order) else np.zeros(0, np.intp)
    if len(starts) * RUN_ROWS >= len(order):
        return table.take(order)
    ends = np.append(starts[1:], len(order))
    runs = zip(order[starts].tolist(), (ends - starts).tolist(), strict=True)
    return pa.concat_tables([table.slice(first, count) for first, count in runs]).combine_chunks()


def _file_rows(name: str, rows: pa.Table) -> pa.Table:
    """Rows of a delta in the columns of their file. Raises EditionRefused where a key has the wrong length."""
    schema = arrow_schema(name)
    columns = []
    for field in schema:
        column: Any = rows.column("key" if field.name == KEYS[name] else field.name)
        if pa.types.is_fixed_size_binary(field.type):
            column = _fixed(column, field.type)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _fixed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if len(column) and pc.any(pc.not_equal(pc.binary_length(column), kind.byte_width)).as_py():
        raise _unfit("A key in it has the wrong length.")
    return column.cast(kind)


def _unfit(what: str) -> EditionRefused:
    return EditionRefused(Refusal.DELTA, f"A delta cannot be used. {what}", where=DELTA)

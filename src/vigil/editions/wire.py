"""The Parquet files of an edition and of a delta: their columns, how they are written, and how a stranger's are read.

Written so that equal rows give equal bytes: fixed order, fixed row groups, no statistics (the footer would repeat
the smallest and the largest key), no schema hints of the writing library.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from vigil.editions.limits import FOOTER_BYTES, ROW_GROUP_BYTES, ROW_GROUP_ROWS, ROWS
from vigil.editions.manifest import Column
from vigil.editions.refusal import EditionRefused, Refusal
from vigil.match.urls import HOST_KEY_BYTES, KEY_BYTES

URLS: Final = "urls.parquet"
HOSTS: Final = "hosts.parquet"
HASHES: Final = "hashes.parquet"
DELTA: Final = "delta"  # the kind of file; its name says from where to where it leads

_TYPES: Final[dict[str, pa.DataType]] = {
    "bytes16": pa.binary(KEY_BYTES),
    "bytes8": pa.binary(HOST_KEY_BYTES),
    "bytes": pa.binary(),
    "string": pa.string(),
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "uint64": pa.uint64(),
    "int64": pa.int64(),
}


def _columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in types.items())


COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = {
    URLS: _columns(
        key="bytes16",
        scope="string",
        flags="uint16",
        port="uint16",
        scheme="string",
        entry="uint64",
        list="uint16",
        expires="int64",
        labels="string",
    ),
    HOSTS: _columns(host="bytes8", max_depth="uint8"),
    HASHES: _columns(
        algorithm="string", value="bytes", entry="uint64", list="uint16", expires="int64", labels="string"
    ),
}
DELTA_COLUMNS: Final[tuple[Column, ...]] = _columns(
    file="string",
    op="string",
    algorithm="string",
    key="bytes",
    scope="string",
    flags="uint16",
    port="uint16",
    scheme="string",
    entry="uint64",
    list="uint16",
    expires="int64",
    labels="string",
    max_depth="uint8",
)
_ALL: Final[Mapping[str, tuple[Column, ...]]] = {**COLUMNS, DELTA: DELTA_COLUMNS}


def arrow_schema(name: str) -> pa.Schema:
    """The Arrow schema of a file; no column may be null."""
    return pa.schema([pa.field(column.name, _TYPES[column.type], nullable=False) for column in _ALL[name]])


def _strings(name: str) -> list[str]:
    """The columns of few different texts: kept as numbers and a table of texts."""
    return [column.name for column in _ALL[name] if column.type == "string"]


def encode_table(name: str, table: pa.Table) -> bytes:
    """The bytes of one file from its rows, which are sorted and have the schema of the file."""
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=ROW_GROUP_ROWS.value,
        version="2.6",
        use_dictionary=_strings(name),
        compression="zstd",
        compression_level=3,
        write_statistics=False,
        store_schema=False,
    )
    return sink.getvalue()


def decode_table(name: str, data: bytes, rows: int | None, most: int | None = None) -> pa.Table:
    """The rows of a stranger's file, whose length and digest were checked before.

    ``rows`` is what the manifest says; None for a delta, whose footer alone says it. ``most`` rows are read.
    Text columns come as Arrow dictionaries. Raises EditionRefused: ``schema``, ``counts`` or ``too_large``.
    """
    try:
        file = pq.ParquetFile(
            pa.BufferReader(data),
            read_dictionary=_strings(name),
            thrift_string_size_limit=FOOTER_BYTES.value,
            thrift_container_size_limit=FOOTER_BYTES.value,
        )
        rows = file.metadata.num_rows if rows is None else rows
        _check_footer(name, file, rows, ROWS.value if most is None else most)
        table = file.read(use_threads=False).unify_dictionaries().combine_chunks()
        table.validate(full=True)
        _check_columns(name, file)
    except (pa.ArrowException, OSError, ValueError, LookupError, OverflowError) as error:
        raise _refused(Refusal.SCHEMA, name, "It is not a readable Parquet file.") from error
    if table.num_rows != rows:
        raise _refused(Refusal.COUNTS, name, "It holds another number of rows than it says.")
    return table


def _check_footer(name: str, file: pq.ParquetFile, rows: int, most: int) -> None:
    """Everything that can be known before a row is unpacked."""
    footer = file.metadata
    if footer.num_rows != rows:
        raise _refused(Refusal.COUNTS, name, "It has another number of rows than the manifest says.")
    if rows > most:
        raise _refused(Refusal.TOO_LARGE, name, "It claims too many rows.")
    if footer.metadata or not _same_schema(name, file.schema_arrow):
        raise _refused(Refusal.SCHEMA, name, "Its columns are not those of the format.")
    if footer.num_row_groups != max(1, math.ceil(rows / ROW_GROUP_ROWS.value)):
        raise _refused(Refusal.SCHEMA, name, "Its rows are not grouped as the format says.")
    for position in range(footer.num_row_groups):
        _check_group(name, footer.row_group(position))


def _same_schema(name: str, found: pa.Schema) -> bool:
    """Equal names, order, types and nullability; text is read as dictionaries, which is our own doing."""
    plain = [_plain(field) for field in found]
    return bool(pa.schema(plain).equals(arrow_schema(name), check_metadata=False))


def _plain(field: pa.Field) -> pa.Field:
    return field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field


def _check_group(name: str, group: Any) -> None:
    if group.num_rows > ROW_GROUP_ROWS.value or group.num_columns != len(_ALL[name]):
        raise _refused(Refusal.SCHEMA, name, "Its rows are not grouped as the format says.")
    if group.total_byte_size > ROW_GROUP_BYTES.value:
        raise _refused(Refusal.TOO_LARGE, name, "A group of its rows unpacks into too many bytes.")


def _check_columns(name: str, file: pq.ParquetFile) -> None:
    """What stands beside each column. Only after reading: a malformed column ends the process where pyarrow shows it to
    Python, but is an error where it reads it."""
    for position in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(position)
        columns = [group.column(place) for place in range(group.num_columns)]
        if any(column.num_values != group.num_rows for column in columns):
            raise _refused(Refusal.SCHEMA, name, "Its rows are not grouped as the format says.")
        if any(column.compression not in ("ZSTD", "UNCOMPRESSED") or column.is_stats_set for column in columns):
            raise _refused(Refusal.SCHEMA, name, "It is packed in another way than the format says.")


def _refused(code: Refusal, name: str, what: str) -> EditionRefused:
    return EditionRefused(code, f"A file of the edition cannot be used. {what}", where=name)

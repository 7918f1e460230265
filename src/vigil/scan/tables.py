"""Parquet files with the bytes of items in a column, and lists of addresses that the operator owns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from vigil.base.errors import InputError
from vigil.base.limits import MEDIA_BYTES
from vigil.media.fetching import FetchRefused, Rules, fetch
from vigil.scan.limits import LINE_BYTES, TASK_ITEMS
from vigil.scan.model import Item, Unreadable

ADDRESS: Final = "url"
Batch = tuple[str, str, tuple[Item, ...]]


def parquet_batches(path: Path, column: str) -> Iterator[Batch]:
    """Tasks of a Parquet file: rows of a column of bytes, or addresses where the column holds text."""
    with _opened(path) as file:
        name = _column(file, column, path)
        if pa.types.is_string(file.schema_arrow.field(name).type) or pa.types.is_large_string(file.schema_arrow.field(name).type):
            yield from _addresses(file, name, path)
            return
        row = 0
        for group in range(file.num_row_groups):
            for start in range(0, file.metadata.row_group(group).num_rows, TASK_ITEMS.value):
                rows = min(TASK_ITEMS.value, file.metadata.row_group(group).num_rows - start)
                items = tuple(Item(f"{path.name}#{row + n}", (group, start + n, name)) for n in range(rows))
                row += rows
                yield "parquet", str(path), items


def _addresses(file: pq.ParquetFile, name: str, path: Path) -> Iterator[Batch]:
    row = 0
    for batch in file.iter_batches(batch_size=TASK_ITEMS.value, columns=[name]):
        texts = batch.column(0).to_pylist()
        yield ADDRESS, "", tuple(
            Item(f"{path.name}#{row + n}", (text or "",), reason="" if text else "empty") for n, text in enumerate(texts)
        )
        row += len(texts)


def _column(file: pq.ParquetFile, wanted: str, path: Path) -> str:
    """The column that was named, or the only one that fits."""
    fields: dict[str, Any] = {field.name: field.type for field in file.schema_arrow}
    fitting = [name for name, kind in fields.items() if pa.types.is_binary(kind) or pa.types.is_large_binary(kind)]
    if wanted in fields:
        return wanted
    if not wanted and len(fitting) == 1:
        return fitting[0]
    raise InputError("column", "It is not clear which column holds the files.", where=path.name, mend="Name it with --column.")


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError("parquet_unreadable", "The Parquet file cannot be read.", where=path.name) from error
    with file:
        yield file


class RowReader:
    """Rows one after the other, one in memory at a time: many may stand for the same large value."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        self._group = -1
        self._batches: Iterator[Any] = iter(())
        self._next = 0

    def read(self, item: Item) -> bytes:
        group, row, name = int(item.where[0] or 0), int(item.where[1] or 0), str(item.where[2])
        try:
            data = self._row(group, row, name)
        except (pa.ArrowException, OSError, StopIteration) as error:
            raise Unreadable("unreadable") from error
        if data is None:
            raise Unreadable("empty")
        if len(data) > MEDIA_BYTES.value:
            raise Unreadable("too_large")
        return data

    def _row(self, group: int, row: int, name: str) -> bytes | None:
        if group != self._group or row < self._next:
            self._group, self._next = group, 0
            self._batches = self._file.iter_batches(batch_size=1, row_groups=[group], columns=[name])
        for _ in range(self._next, row):
            next(self._batches)
        self._next = row + 1
        found: bytes | None = next(self._batches).column(0)[0].as_py()
        return found


@contextmanager
def parquet_reader(place: str) -> Iterator[RowReader]:
    """A reader of one file."""
    with _opened(Path(place)) as file:
        yield RowReader(file)


def addresses_in(path: Path) -> Iterator[Item]:
    """One address a line; results name the line, never the address."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError("source_missing", "The list of addresses cannot be read.", where=path.name) from error
    with stream:
        number = 0
        while line := stream.readline(LINE_BYTES.value + 1):
            number += 1
            if len(line) > LINE_BYTES.value:
                yield Item(f"{path.name}#{number}", (), reason="address_too_long")
                while line and not line.endswith(b"\n"):
                    line = stream.readline(LINE_BYTES.value)
                continue
            if text := line.decode("utf-8", "replace").strip():
                yield Item(f"{path.name}#{number}", (text,))


class AddressReader:
    """Fetches, from hosts that the operator named as theirs and from nowhere else."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def read(self, item: Item) -> bytes:
        try:
            return fetch(str(item.where[0]), self._rules).data
        except FetchRefused as refused:
            raise Unreadable(refused.code) from refused

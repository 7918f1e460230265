"""Parquet in the columns of a source file: for data tools, with plain entries. An edition's own Parquet holds digests."""

from __future__ import annotations

import io
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from vigil.editions.export.model import Format, Leftover, Occasion
from vigil.editions.export.rows import COLUMNS, rows_of
from vigil.editions.model import EditionContents

FILE: Final = "entries.parquet"
_MANY: Final = pa.list_(pa.field("element", pa.string(), nullable=False))
_TYPES: Final = {"entry": pa.uint64(), "max_distance": pa.uint8(), "flags": _MANY, "labels": _MANY, "jurisdictions": _MANY}
SCHEMA: Final = pa.schema([pa.field(name, _TYPES.get(name, pa.string()), nullable=False) for name in COLUMNS])


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``entries.parquet``: :data:`SCHEMA`, no column null, ``expires`` empty for never."""
    table = pa.Table.from_pylist(list(rows_of(contents)), schema=SCHEMA)
    sink = io.BytesIO()
    # No statistics: the footer would repeat the smallest and the largest value in clear.
    pq.write_table(table, sink, version="2.6", compression="zstd", write_statistics=False, store_schema=False)
    return {FILE: sink.getvalue()}, []


FORMAT: Final = Format("parquet", "Parquet in the columns of a source file", write, carries_expiry=True)

"""The finished results: JSON lines as they were kept, or Parquet, written a few thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from vigil.base.errors import InputError
from vigil.scan.journal import Journal
from vigil.scan.model import Result

ROWS: Final = 16_384
ENDINGS: Final = (".parquet", ".jsonl", ".ndjson", ".json")
SCHEMA: Final = pa.schema(
    [
        ("item", pa.string()), ("verdict", pa.string()), ("list", pa.string()), ("entry", pa.int64()), ("edition", pa.int64()),
        ("signal", pa.string()), ("distance", pa.int16()), ("labels", pa.list_(pa.string())), ("reason", pa.string()),
        ("bytes", pa.int64()),
    ]
)  # fmt: skip


def require_ending(out: Path) -> None:
    """Refuse a name that does not say which format it is."""
    if out.suffix not in ENDINGS:
        what = "The name of the results says their format."
        raise InputError("out_format", what, where=out.name, mend="End it in .jsonl or .parquet.")


def finish(journal: Journal, out: Path) -> None:
    """Put the results in their place, whole; then forget the unfinished ones."""
    journal.close()
    if out.suffix == ".parquet":
        made = out.with_name(out.name + ".partial")
        _write_parquet(made, journal.results())
        made.replace(out)
    else:
        journal.results_path.replace(out)
    journal.remove()


def _write_parquet(path: Path, results: Iterator[Result]) -> None:
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        while rows := [msgspec.structs.asdict(result) for result in islice(results, ROWS)]:
            writer.write_table(pa.Table.from_pylist(rows, SCHEMA))

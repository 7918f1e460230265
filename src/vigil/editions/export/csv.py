"""CSV with a header (RFC 4180, UTF-8), in the columns of a source file.

Safe to open in a spreadsheet: a value that begins like a formula, or with a blank, is left out rather than altered.
"""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from vigil.editions.export.model import Format, Leftover, Occasion, Reason
from vigil.editions.export.rows import COLUMNS, rows_of
from vigil.editions.model import EditionContents

FILE: Final = "entries.csv"
_FORMULA: Final = ("=", "+", "-", "@", "'")


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``entries.csv``. The occasion shows in what has expired only."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    missing: list[Leftover] = []
    for row in rows_of(contents):
        if row["value"].startswith(_FORMULA) or row["value"] != row["value"].strip():
            missing.append(Leftover(row["list"], row["entry"], Reason.VALUE_UNSAFE))
        else:
            writer.writerow({name: _cell(row[name]) for name in COLUMNS})
    return {FILE: text.getvalue().encode()}, missing


def _cell(value: Any) -> Any:
    return " ".join(value) if isinstance(value, tuple) else value


FORMAT: Final = Format("csv", "CSV in the columns of a source file", write, carries_expiry=True)

"""Counts on disk: what is still open, and what waits to be sent.

``counts/open.json``   the open columns, written whole every few seconds: a killed process loses at most those seconds.
``counts/carry.json``  small numbers of closed hours on their way into days and weeks (:mod:`vigil.edge.carry`).
``counts/told.json``   the hours that have left (:mod:`vigil.edge.told`).
``counts/outbox/``     one file a vector, the exact bytes that are sent, again and again, until the hotline has them.
``counts/refused/``    vectors that the hotline will never take; kept for the operator.

The order of writing makes a power cut harmless: a vector's revision is in ``open.json`` before the vector is in the
outbox, and a column leaves ``open.json`` after its last vector is in the outbox. So no two vectors share a key.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from vigil.base.files import write_atomically
from vigil.edge.carry import Carried
from vigil.edge.counts import Cell, Column, CountClass, Vector

KEEP: Final = timedelta(days=400)
PRIVATE: Final = 0o600
STAMP: Final = "%Y%m%dT%H"


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hour: str
    edition: int
    list: str
    covered: float
    counts: dict[CountClass, int]
    made: Vector | None
    messages: dict[str, int] = {}


class Ledger:
    """The counts folder of one node."""

    def __init__(self, folder: Path) -> None:
        self._open = folder / "open.json"
        self.carry = folder / "carry.json"
        self.told = folder / "told.json"
        self.outbox = folder / "outbox"
        self.refused = folder / "refused"
        for part in (folder, self.outbox, self.refused):
            part.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._written = b""

    def load(self) -> tuple[dict[Cell, Column], bool]:
        """The open columns, and whether the file could be read; an unreadable one is put aside, never fatal."""
        try:
            data = self._open.read_bytes()
        except FileNotFoundError:
            return {}, True
        try:
            rows = msgspec.json.decode(data, type=list[_Row])
            return {_cell(row): Column(row.covered, dict(row.counts), row.made, dict(row.messages)) for row in rows}, True
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
            self._open.replace(self.refused / "open.json.unreadable")
            return {}, False

    def save(self, columns: dict[Cell, Column]) -> None:
        """Write the open columns, if they changed."""
        rows = [_row(cell, columns[cell]) for cell in sorted(columns)]
        data = msgspec.json.encode(rows)
        if data != self._written:
            write_atomically(self._open, data, mode=PRIVATE)
            self._written = data

    def post(self, cell: Cell, vector: Vector) -> None:
        """Lay a vector into the outbox; it replaces earlier revisions of the same cell that still wait there."""
        target = self.outbox / f"{_stem(cell)}~{vector.revision}.json"
        write_atomically(target, vector.encoded(), mode=PRIVATE)
        for other in self.outbox.glob(f"{_stem(cell)}~*.json"):
            if other != target:
                other.unlink(missing_ok=True)

    def post_carried(self, carried: Carried) -> None:
        """The same for a day or a week, told once."""
        stamp, name = carried.start.replace("-", ""), "_" if carried.list == "*" else carried.list
        path = self.outbox / f"{stamp}T00~{carried.period}-{carried.k}~{name}~0.json"
        write_atomically(path, carried.encoded(), mode=PRIVATE)

    def waiting(self) -> list[Path]:
        """The vectors to send, oldest hour first."""
        return sorted(self.outbox.glob("*.json"))

    def sent(self, path: Path) -> None:
        """The hotline has it."""
        path.unlink(missing_ok=True)

    def reject(self, path: Path) -> None:
        """The hotline will never take it: keep it aside."""
        if path.exists():
            path.replace(self.refused / path.name)

    def prune(self, now: datetime) -> None:
        """Drop vectors so old that nobody will take them."""
        for folder in (self.outbox, self.refused):
            for path in folder.glob("*~*.json"):
                if datetime.strptime(path.name.split("~")[0], STAMP).replace(tzinfo=UTC) < now - KEEP:
                    path.unlink(missing_ok=True)


def _stem(cell: Cell) -> str:
    """``~`` and ``_`` do not begin or part names of lists, so that no two cells share a stem."""
    name = "_" if cell.list == "*" else cell.list
    return f"{cell.hour.strftime(STAMP)}~{cell.edition}~{name}"


def _row(cell: Cell, column: Column) -> _Row:
    hour = cell.hour.strftime(STAMP)
    return _Row(hour, cell.edition, cell.list, round(column.covered, 1), column.counts, column.made, column.messages)


def _cell(row: _Row) -> Cell:
    return Cell(datetime.strptime(row.hour, STAMP).replace(tzinfo=UTC), row.edition, row.list)

"""Turns counters into vectors: notes which minutes were covered, closes hours, keeps the ledger.

:meth:`Bookkeeper.tick` is called every few seconds by one thread; ``now`` is handed in.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

from vigil.edge.carry import Carry
from vigil.edge.counts import Cell, Column, Rules, Tally, Vector, hour_of, next_vector
from vigil.edge.ledger import Ledger
from vigil.edge.told import ToldHours

PAUSE_LONGEST: Final = timedelta(seconds=120)
AHEAD: Final = timedelta(days=1)  # an hour so far ahead was counted under a clock that was wrong; no hotline takes it
PATIENCE: Final = timedelta(hours=1)  # until the present clock is believed


class Bookkeeper:
    """The counts of one node on their way from memory to the outbox."""

    def __init__(self, node: str, tally: Tally, ledger: Ledger, rules: Rules, *, open_hours: bool) -> None:
        self._node, self._tally, self._ledger, self._rules = node, tally, ledger, rules
        self._open_hours = open_hours
        self._carry = Carry(node, ledger.carry)
        self._told = ToldHours(ledger.told)
        self._lock = threading.Lock()
        self._covered_to: datetime | None = None
        self._in_force: tuple[int, tuple[str, ...]] | None = None
        self._issued_at: datetime | None = None
        self._ahead_since: datetime | None = None

    def start(self) -> bool:
        """Take up what an earlier process left; False where it was unreadable and put aside."""
        columns, readable = self._ledger.load()
        self._tally.restore(columns)
        return readable

    def in_force(self, edition: int, lists: tuple[str, ...], now: datetime, issued_at: datetime | None = None) -> None:
        """From ``now`` on another edition, signed at ``issued_at``, is enforced; the time before belongs to the one before."""
        with self._lock:
            self._issued_at = issued_at
            self._cover(now)
            self._in_force = (edition, lists)
            self._covered_to = now

    def tick(self, now: datetime, *, show_open: bool = False) -> int:
        """Note coverage, close hours that are over, write the ledger; with ``show_open`` also vectors of open hours.

        Returns the number of columns that were brought back from a future that a wrong clock had seen.
        """
        with self._lock:
            self._cover(now)
            brought = self._bring_back(now)
            self._close_hours(now)
            self._close_periods(now)
            if show_open and self._open_hours:
                self._show_open()
            self._ledger.save(self._tally.columns())
            return brought

    def _bring_back(self, now: datetime) -> int:
        """Count in the present hour what stands under hours far ahead: a clock that was wrong would hold it back until then.

        A clock that is behind sees a future everywhere, so the present one is believed only from the signing of the edition in
        force on, and after an hour.
        """
        cells = self._tally.ahead(now + AHEAD)
        if not cells or self._issued_at is None or now < self._issued_at:
            self._ahead_since = None
            return 0
        if self._ahead_since is None or now < self._ahead_since:
            self._ahead_since = now
        if now - self._ahead_since < PATIENCE:
            return 0
        self._ahead_since = None
        for cell in cells:
            self._tally.move(cell, self._told.first_open(hour_of(now)))
        return len(cells)

    def _cover(self, now: datetime) -> None:
        """A clock that jumped covers nothing: what was not watched is a gap, not a zero."""
        start, self._covered_to = self._covered_to, now
        if self._in_force and start and timedelta(0) < now - start <= PAUSE_LONGEST:
            edition, lists = self._in_force
            self._tally.cover(edition, lists, start, now)

    def _close_hours(self, now: datetime) -> None:
        """Cells of hours that are over; those that begin anew in an hour that was told wait for the next one that was not."""
        cells = self._tally.closable(now)
        for cell in cells:
            if self._is_told(cell, self._tally.columns()[cell]):
                self._tally.move(cell, self._told.first_open(cell.hour))
            else:
                self._close(cell)
        self._told.add(cell.hour for cell in cells)

    def _is_told(self, cell: Cell, column: Column) -> bool:
        """True where the hour left before this column began: a clock went back, or a worker was very late.

        A column of which a vector was made is that vector's own: it is closed again after a power cut.
        """
        return column.made is None and cell.hour in self._told

    def _close(self, cell: Cell) -> None:
        column = self._tally.columns()[cell]
        if column.counts or column.messages or column.covered >= 0.5:
            self._carry.add(cell, self._make(cell, column), column)
        self._tally.drop(cell)

    def _close_periods(self, now: datetime) -> None:
        """Days and weeks that are over: what came together of small numbers goes out."""
        if self._carry.is_due(now):
            for carried in self._carry.close(now):
                self._ledger.post_carried(carried)
            self._carry.drop(now)

    def _show_open(self) -> None:
        for cell, column in self._tally.columns().items():
            if self._is_told(cell, column):
                continue
            vector = next_vector(self._node, cell, column, self._rules)
            if column.made is None or (column.made.counts, column.made.messages) != (vector.counts, vector.messages):
                self._make(cell, column)

    def _make(self, cell: Cell, column: Column) -> Vector:
        vector = next_vector(self._node, cell, column, self._rules)
        self._tally.mark(cell, vector)
        self._ledger.save(self._tally.columns())
        self._ledger.post(cell, vector)
        return vector

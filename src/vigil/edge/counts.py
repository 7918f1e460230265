"""Aggregate counts: numbers by edition, list, class and hour, and nothing else.

No address, URL, entry, user or agent text comes in here: :meth:`Tally.add` takes a class, and that is all it ever sees.
A vector is what leaves the node: one per node, list, edition and hour, with the share of the hour that was covered.
Rules: facts/counting-and-pages.md 2–4; wire form: docs/reference/edge-api.md.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

WIRE_VERSION: Final = 1
RULES: Final = 1
HOUR: Final = timedelta(hours=1)
CLOSING: Final = timedelta(minutes=2)
NO_LIST: Final = "*"
NO_EDITION: Final = 0


class CountClass(StrEnum):
    """Kinds of events; the one place they are named."""

    NAVIGATION = "navigation"
    SUBRESOURCE = "subresource"
    PREFETCH = "prefetch"
    AUTOMATED = "automated"
    UNDETERMINED = "undetermined"
    DNS_ANSWER = "dns_answer"
    MEDIA_MATCH = "media_match"
    KEYWORD_WARNING = "keyword_warning"
    TEST = "test"
    CANARY = "canary"
    UNKNOWN = "unknown"
    BYPASSED = "bypassed"


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What a vector is about. ``list`` is ``*`` for events that belong to no list (``unknown``, ``bypassed``)."""

    hour: datetime
    edition: int
    list: str


class Privacy(msgspec.Struct, frozen=True):
    """What was done to the numbers before they left."""

    kind: str
    k: int


class Vector(msgspec.Struct, frozen=True):
    """The wire form; a count of null means "0 to k-1"."""

    v: int
    rules: int
    node: str
    list: str
    edition: int
    hour: str
    covered_seconds: int
    counts: dict[str, int | None]
    privacy: Privacy
    revision: int

    def encoded(self) -> bytes:
        """The same bytes each time: the hotline compares bytes under one key."""
        return msgspec.json.encode(self, order="sorted")


@dataclass(slots=True)
class Column:
    """The growing numbers of one cell, ``covered`` in seconds; ``made`` is the vector last made of it."""

    covered: float
    counts: dict[CountClass, int]
    made: Vector | None = None


def request_class(headers: Mapping[bytes, bytes]) -> CountClass:
    """What kind of request asked, from the headers a browser sets about itself (Fetch Metadata)."""
    purpose = b",".join(headers.get(name, b"") for name in (b"sec-purpose", b"purpose", b"x-moz")).lower()
    if b"prefetch" in purpose or b"prerender" in purpose or b"preview" in purpose:
        return CountClass.PREFETCH
    destination = headers.get(b"sec-fetch-dest")
    if destination is None:
        return CountClass.UNDETERMINED
    return CountClass.NAVIGATION if destination == b"document" else CountClass.SUBRESOURCE


def entry_class(labels: Iterable[str], otherwise: CountClass) -> CountClass:
    """Canary and self-certification entries have classes of their own, outside every total."""
    found = set(labels)
    if CountClass.CANARY in found:
        return CountClass.CANARY
    return CountClass.TEST if CountClass.TEST in found else otherwise


def hour_of(now: datetime) -> datetime:
    """The UTC hour that ``now`` falls into."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_text(hour: datetime) -> str:
    """``2026-11-22T10:00Z``."""
    return hour.strftime("%Y-%m-%dT%H:00Z")


def suppressed(counts: Mapping[CountClass, int], k: int) -> dict[str, int | None]:
    """Every class, in order; a number below ``k`` (zero too) becomes null. ``k`` 0 shows all."""
    return {kind.value: (number if (number := counts.get(kind, 0)) >= k else None) for kind in CountClass}


def in_steps(number: int, k: int) -> int:
    """``number`` rounded down to steps of ``k``: what may be shown continuously without showing single events."""
    return number if k <= 1 else number // k * k


class Tally:
    """The counters of one node. Threads may add; one thread closes and writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._columns: dict[Cell, Column] = {}
        self._totals: dict[tuple[str, CountClass], int] = {}

    def add(self, edition: int | None, name: str | None, kind: CountClass, now: datetime, number: int = 1) -> None:
        """Count ``number`` events."""
        cell = Cell(hour_of(now), edition or NO_EDITION, name or NO_LIST)
        with self._lock:
            counts = self._column(cell).counts
            counts[kind] = counts.get(kind, 0) + number
            key = (cell.list, kind)
            self._totals[key] = self._totals.get(key, 0) + number

    def cover(self, edition: int, lists: Iterable[str], start: datetime, end: datetime) -> None:
        """Note that the lists of ``edition`` were enforced from ``start`` to ``end``."""
        names = tuple(lists)
        with self._lock:
            while start < end:
                hour = hour_of(start)
                stop = min(end, hour + HOUR)
                for name in names:
                    column = self._column(Cell(hour, edition, name))
                    column.covered = min(3600.0, column.covered + (stop - start).total_seconds())
                start = stop

    def totals(self) -> dict[tuple[str, CountClass], int]:
        """Events since the start of the process by list and class, for the metrics."""
        with self._lock:
            return dict(self._totals)

    def columns(self) -> dict[Cell, Column]:
        """A copy of all open columns."""
        with self._lock:
            return {cell: Column(column.covered, dict(column.counts), column.made) for cell, column in self._columns.items()}

    def restore(self, columns: Mapping[Cell, Column]) -> None:
        """Put back what an earlier process wrote down."""
        with self._lock:
            self._columns.update(columns)

    def closable(self, now: datetime) -> list[Cell]:
        """Cells whose hour ended two minutes ago or earlier."""
        with self._lock:
            return sorted(cell for cell in self._columns if now >= cell.hour + HOUR + CLOSING)

    def drop(self, cell: Cell) -> None:
        """Forget a cell whose last vector is safely written."""
        with self._lock:
            self._columns.pop(cell, None)

    def mark(self, cell: Cell, vector: Vector) -> None:
        """Note the vector made last."""
        with self._lock:
            self._column(cell).made = vector

    def _column(self, cell: Cell) -> Column:
        column = self._columns.get(cell)
        if column is None:
            column = self._columns[cell] = Column(0.0, {})
        return column


def next_vector(node: str, cell: Cell, column: Column, k: int) -> Vector:
    """The vector of ``cell`` as it may leave the node: the one made last where nothing changed, else the next revision."""
    made = column.made
    vector = Vector(
        v=WIRE_VERSION,
        rules=RULES,
        node=node,
        list=cell.list,
        edition=cell.edition,
        hour=hour_text(cell.hour),
        covered_seconds=round(column.covered),
        counts=suppressed(column.counts, k),
        privacy=Privacy("suppress", k) if k > 0 else Privacy("none", 0),
        revision=made.revision if made else 0,
    )
    if made is None or vector == made:
        return vector
    return msgspec.structs.replace(vector, revision=made.revision + 1)

"""Aggregate counts: numbers by edition, list, door, class and hour, and nothing else.

Doors are told apart inside the node and in its metrics; vectors add them up, so that fewer cells are small.
No address, URL, entry, user or agent text comes in here: :meth:`Tally.add` takes a class, and that is all it ever sees.
A vector is what leaves the node: one per node, list, edition and hour, with the share of the hour that was covered.
Rules: facts/counting-and-pages.md 2–4; wire form: docs/reference/edge-api.md.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from vigil.edge.doors import DoorName
from vigil.edge.noise import Source, discrete_laplace

WIRE_VERSION: Final = 1
RULES: Final = 2  # 2: retries within the window and programs that say so are told apart
HOUR: Final = timedelta(hours=1)
SECONDS: Final = 3600
CLOSING: Final = timedelta(minutes=2)
NO_LIST: Final = "*"
NO_EDITION: Final = 0
AGENT_BYTES: Final = 512
# Families of programs by the words in which they name themselves: robots, link scanners, libraries, monitoring.
AUTOMATED: Final = re.compile(
    rb"(?i)\b(?:[a-z]*(?:bot|crawler|spider|scanner|preview|monitor|slurp|fetcher|validator|archiver)|curl|wget|libwww-perl"
    rb"|python-(?:requests|urllib|httpx)|aiohttp|go-http-client|okhttp|java|ruby|scrapy|headlesschrome|phantomjs|facebookexternalhit"
    rb"|axios|node-fetch|postmanruntime|nagios|pingdom)\b"
)


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


class Privacy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was done to the numbers before they left."""

    kind: str
    k: int
    epsilon: float | None = None


class Vector(msgspec.Struct, frozen=True, omit_defaults=True):
    """The wire form; a count of null means "0 to k-1". ``messages``: texts shown and help followed, by variant."""

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
    messages: dict[str, int | None] | None = None

    def encoded(self) -> bytes:
        """The same bytes each time: the hotline compares bytes under one key."""
        return msgspec.json.encode(self, order="sorted")


@dataclass(slots=True)
class Column:
    """The growing numbers of one cell, ``covered`` in seconds; ``made`` is the vector last made of it."""

    covered: float
    counts: dict[CountClass, int]
    made: Vector | None = None
    messages: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """What is done to numbers before they leave.

    Suppression below ``k`` (0: nothing), or noise of ``epsilon`` drawn from ``source``.
    """

    k: int = 10
    epsilon: float | None = None
    source: Source | None = None


def request_class(headers: Mapping[bytes, bytes]) -> CountClass:
    """What kind of request asked, from the headers a browser sets about itself (Fetch Metadata).

    A program that names itself in ``User-Agent`` is counted as one; the text is looked at here and kept nowhere.
    """
    purpose = b",".join(headers.get(name, b"") for name in (b"sec-purpose", b"purpose", b"x-moz")).lower()
    if b"prefetch" in purpose or b"prerender" in purpose or b"preview" in purpose:
        return CountClass.PREFETCH
    if AUTOMATED.search(headers.get(b"user-agent", b"")[:AGENT_BYTES]) is not None:
        return CountClass.AUTOMATED
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
    """The counters of one process. Threads may add; one thread closes and writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._columns: dict[Cell, Column] = {}
        self._totals: dict[tuple[str, DoorName, CountClass], int] = {}
        self._adders: set[Adder] = set()
        self._notes: dict[str, int] = {}

    def add(
        self,
        edition: int | None,
        name: str | None,
        kind: CountClass,
        now: datetime,
        number: int = 1,
        door: DoorName = DoorName.HTTP,
    ) -> None:
        """Count ``number`` events."""
        cell = Cell(hour_of(now), edition or NO_EDITION, name or NO_LIST)
        with self._lock:
            counts = self._column(cell).counts
            counts[kind] = counts.get(kind, 0) + number
            key = (cell.list, door, kind)
            self._totals[key] = self._totals.get(key, 0) + number

    def adder(self, edition: int | None, name: str | None, kind: CountClass, door: DoorName) -> Adder:
        """What counts events of one kind again and again, cheaper than :meth:`add`."""
        return Adder(self, edition or NO_EDITION, name or NO_LIST, kind, door)

    def settle(self, adder: Adder) -> None:
        """Take over what ``adder`` has counted so far, and ask it from now on."""
        with self._lock:
            self._take_over()
            self._adders.add(adder)

    def _take_over(self) -> None:
        """What the adders counted since the last time."""
        for adder in self._adders:
            new = adder.counted - adder.taken
            if new:
                adder.taken += new
                counts = self._column(adder.cell).counts
                counts[adder.kind] = counts.get(adder.kind, 0) + new
                self._totals[adder.key] = self._totals.get(adder.key, 0) + new

    def message(self, edition: int | None, name: str, now: datetime, number: int = 1) -> None:
        """Count a text that was shown (``law.displayed``) or whose help was followed (``law.help_followed``)."""
        with self._lock:
            messages = self._column(Cell(hour_of(now), edition or NO_EDITION, NO_LIST)).messages
            messages[name] = messages.get(name, 0) + number

    def note(self, name: str, number: int = 1) -> None:
        """Count something of this process alone, for its metrics: it belongs to no vector."""
        with self._lock:
            self._notes[name] = self._notes.get(name, 0) + number

    def notes(self) -> dict[str, int]:
        """All of these."""
        with self._lock:
            return dict(self._notes)

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
        """Events since the start of the process by list and class."""
        return added_up(self.by_door())

    def by_door(self) -> dict[tuple[str, DoorName, CountClass], int]:
        """The same by list, door and class, for the metrics."""
        with self._lock:
            self._take_over()
            return dict(self._totals)

    def columns(self) -> dict[Cell, Column]:
        """A copy of all open columns."""
        with self._lock:
            self._take_over()
            return {
                cell: Column(column.covered, dict(column.counts), column.made, dict(column.messages))
                for cell, column in self._columns.items()
            }

    def restore(self, columns: Mapping[Cell, Column]) -> None:
        """Put back what an earlier process wrote down."""
        with self._lock:
            self._columns.update(columns)

    def closable(self, now: datetime) -> list[Cell]:
        """Cells whose hour ended two minutes ago or earlier."""
        with self._lock:
            self._take_over()
            return sorted(cell for cell in self._columns if now >= cell.hour + HOUR + CLOSING)

    def ahead(self, then: datetime) -> list[Cell]:
        """Cells whose hour begins after ``then``."""
        with self._lock:
            self._take_over()
            return sorted(cell for cell in self._columns if cell.hour > then)

    def drop(self, cell: Cell) -> None:
        """Forget a cell whose last vector is safely written."""
        with self._lock:
            self._adders = {adder for adder in self._adders if adder.cell != cell}
            self._columns.pop(cell, None)

    def move(self, cell: Cell, hour: datetime) -> None:
        """Count what is in ``cell`` in ``hour`` instead; the time that it covers is forgotten."""
        with self._lock:
            self._take_over()
            self._adders = {adder for adder in self._adders if adder.cell != cell}
            moved, target = self._columns.pop(cell), self._column(Cell(hour, cell.edition, cell.list))
            for kind, number in moved.counts.items():
                target.counts[kind] = target.counts.get(kind, 0) + number
            for name, number in moved.messages.items():
                target.messages[name] = target.messages.get(name, 0) + number

    def mark(self, cell: Cell, vector: Vector) -> None:
        """Note the vector made last."""
        with self._lock:
            self._column(cell).made = vector

    def _column(self, cell: Cell) -> Column:
        column = self._columns.get(cell)
        if column is None:
            column = self._columns[cell] = Column(0.0, {})
        return column


class Adder:
    """Counts events of one kind, in one thread, for the price of an addition: a tally takes the number when it is read.

    ``cell``, ``kind``, ``key``  where it belongs;  ``counted``  events so far, written here alone;  ``taken``  those of them
    that the tally has, written there alone.
    """

    __slots__ = ("_end", "_start", "_tally", "cell", "counted", "key", "kind", "taken")

    def __init__(self, tally: Tally, edition: int, name: str, kind: CountClass, door: DoorName) -> None:
        self._tally, self.kind, self.key = tally, kind, (name, door, kind)
        self.cell, self._start, self._end = Cell(datetime.fromtimestamp(0, UTC), edition, name), 0, 0
        self.counted = self.taken = 0

    def add(self, second: int) -> None:
        """One event, in the second ``second`` (unix)."""
        if not self._start <= second < self._end:
            self._turn(second)
        self.counted += 1

    def _turn(self, second: int) -> None:
        """Another hour: what was counted belongs to the one before."""
        self._tally.settle(self)
        hour = hour_of(datetime.fromtimestamp(second, UTC))
        self._start = int(hour.timestamp())
        self._end = self._start + SECONDS
        self.cell = Cell(hour, self.cell.edition, self.cell.list)


def added_up(totals: Mapping[tuple[str, DoorName, CountClass], int]) -> dict[tuple[str, CountClass], int]:
    """Totals by list and class, the doors added up."""
    found: dict[tuple[str, CountClass], int] = {}
    for (name, _, kind), number in totals.items():
        found[name, kind] = found.get((name, kind), 0) + number
    return found


def next_vector(node: str, cell: Cell, column: Column, rules: Rules) -> Vector:
    """The vector of ``cell`` as it may leave the node: the one made last where nothing changed, else the next revision.

    Noise is drawn once: a vector that has it never gets another revision, or an observer could average it away.
    """
    made = column.made
    if made is not None and made.privacy.kind == "laplace":
        return made
    counts, messages, privacy = _protected(column, rules)
    vector = Vector(
        v=WIRE_VERSION,
        rules=RULES,
        node=node,
        list=cell.list,
        edition=cell.edition,
        hour=hour_text(cell.hour),
        covered_seconds=round(column.covered),
        counts=counts,
        privacy=privacy,
        revision=made.revision if made else 0,
        messages=messages,
    )
    if made is None or vector == made:
        return vector
    return msgspec.structs.replace(vector, revision=made.revision + 1)


def _protected(column: Column, rules: Rules) -> tuple[dict[str, int | None], dict[str, int | None] | None, Privacy]:
    if rules.epsilon is not None and rules.source is not None:
        epsilon, source = rules.epsilon, rules.source
        noisy: dict[str, int | None] = {
            kind.value: column.counts.get(kind, 0) + discrete_laplace(epsilon, source) for kind in CountClass
        }
        said: dict[str, int | None] = {
            name: number + discrete_laplace(epsilon, source) for name, number in sorted(column.messages.items())
        }
        return noisy, said or None, Privacy("laplace", 0, epsilon)
    k = rules.k
    hidden = {name: (number if number >= k else None) for name, number in sorted(column.messages.items())}
    return suppressed(column.counts, k), hidden or None, Privacy("suppress", k) if k > 0 else Privacy("none", 0)

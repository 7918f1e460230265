"""Counters in memory that the processes of one node share: each worker writes a segment of its own, the keeper adds them up.

The memory is an anonymous file (memfd) without a name or a place on disk. It holds what a :class:`vigil.edge.counts.Tally` holds:
texts such as ``2026112210|4711|urls|icap|navigation`` with a number, and the numbers of :class:`vigil.edge.traffic.Traffic`.

A segment has one writer, so nothing is locked between processes. A worker that is killed loses nothing that it counted. A new
text is written before the count of used slots rises; a slot whose hour is long over is taken again, its number set to zero first.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from vigil.edge.counts import NO_EDITION, NO_LIST, Adder, CountClass, Tally, hour_of
from vigil.edge.doors import DoorName
from vigil.edge.traffic import NAMES, Traffic

WORDS: Final = 8
HEAD: Final = 32  # unsigned 64-bit numbers: the slots in use, then those of the traffic
SLOT: Final = 16  # unsigned 64-bit numbers a slot: the count, then the length and the text
TEXT_BYTES: Final = (SLOT - 1) * WORDS - 2
SLOTS: Final = 4096
SEGMENT_BYTES: Final = (HEAD + SLOTS * SLOT) * WORDS
EVER: Final = "ever"
STALE: Final = timedelta(hours=3)
STAMP: Final = "%Y%m%d%H"
MESSAGE: Final = "message"
NOTE: Final = "note"
PLACES: Final = 2  # of an event: in its hour, and ever


class Region:
    """The shared memory of one node: ``segments`` segments in one anonymous file."""

    def __init__(self, descriptor: int, segments: int) -> None:
        self.descriptor, self.segments = descriptor, segments
        self._memory = mmap.mmap(descriptor, segments * SEGMENT_BYTES)

    @classmethod
    def create(cls, segments: int) -> Region:
        """New memory, all zero."""
        descriptor = os.memfd_create("vigil-counts", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, segments * SEGMENT_BYTES)
        return cls(descriptor, segments)

    def segment(self, number: int) -> Segment:
        """The segment ``number``, from 0."""
        start = number * SEGMENT_BYTES
        return Segment(memoryview(self._memory)[start : start + SEGMENT_BYTES])


class Segment:
    """The counters of one process. One process writes; any may read."""

    def __init__(self, memory: memoryview) -> None:
        self._bytes = memory
        self._words = memory.cast("Q")
        self._places: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def traffic(self) -> Traffic:
        """The numbers that belong to no list."""
        return Traffic(self._words[1 : 1 + len(NAMES)])

    def add(self, text: str, number: int, now: datetime) -> None:
        """Add ``number`` to the count of ``text``; where no slot is free it is counted as lost."""
        with self._lock:
            place = self._places.get(text)
            if place is None:
                place = self._new_place(text, now)
            if place is None:
                self.traffic.lost_counts += number
                return
            self._words[HEAD + place * SLOT] += number

    def places(self, texts: Sequence[str], now: datetime) -> tuple[int, ...]:
        """The places of counts that will rise together; fewer where no slot is free."""
        with self._lock:
            found = [self._places[text] if text in self._places else self._new_place(text, now) for text in texts]
        return tuple(place for place in found if place is not None)

    def add_at(self, places: tuple[int, ...]) -> None:
        """One more at each of ``places``."""
        words = self._words
        with self._lock:
            for place in places:
                words[HEAD + place * SLOT] += 1

    def read(self) -> Iterator[tuple[int, str, int]]:
        """Place, text and count of every slot in use; a slot that changes its text at this moment is left for the next time."""
        for place in range(min(self._words[0], SLOTS)):
            before = self._text(place)
            number = self._words[HEAD + place * SLOT]
            if before and self._text(place) == before:
                yield place, before, number

    def clear(self) -> None:
        """Forget everything, for the next process that gets this segment."""
        with self._lock:
            self._words[0] = 0
            self._bytes[:] = bytes(len(self._bytes))
            self._places.clear()

    def _new_place(self, text: str, now: datetime) -> int | None:
        raw = text.encode()
        if len(raw) > TEXT_BYTES:
            return None
        used = self._words[0]
        place = used if used < SLOTS else self._stale_place(now)
        if place is None:
            return None
        self._words[HEAD + place * SLOT] = 0
        start = (HEAD + place * SLOT + 1) * WORDS
        self._bytes[start : start + 2] = len(raw).to_bytes(2, "little")
        self._bytes[start + 2 : start + 2 + len(raw)] = raw
        self._words[0] = max(used, place + 1)
        self._places[text] = place
        return place

    def _stale_place(self, now: datetime) -> int | None:
        """A slot of an hour that was added up long ago."""
        oldest = (now - STALE).strftime(STAMP)
        for text, place in self._places.items():
            if not text.startswith(EVER) and text[: len(oldest)] < oldest:
                del self._places[text]
                return place
        return None

    def _text(self, place: int) -> str:
        start = (HEAD + place * SLOT + 1) * WORDS
        length = int.from_bytes(self._bytes[start : start + 2], "little")
        return bytes(self._bytes[start + 2 : start + 2 + min(length, TEXT_BYTES)]).decode("utf-8", "replace")


class SharedTally(Tally):
    """A tally whose numbers lie in shared memory; the keeper makes the vectors."""

    def __init__(self, segment: Segment, all_segments: Iterable[Segment]) -> None:
        super().__init__()
        self._segment, self._all = segment, tuple(all_segments)

    def add(
        self,
        edition: int | None,
        name: str | None,
        kind: CountClass,
        now: datetime,
        number: int = 1,
        door: DoorName = DoorName.HTTP,
    ) -> None:
        subject = f"{name or NO_LIST}|{door}|{kind}"
        self._segment.add(f"{now.astimezone(UTC).strftime(STAMP)}|{edition or NO_EDITION}|{subject}", number, now)
        self._segment.add(f"{EVER}|{subject}", number, now)

    def adder(self, edition: int | None, name: str | None, kind: CountClass, door: DoorName) -> Adder:
        return SharedAdder(self, self._segment, edition or NO_EDITION, name or NO_LIST, kind, door)

    def message(self, edition: int | None, name: str, now: datetime, number: int = 1) -> None:
        text = f"{now.astimezone(UTC).strftime(STAMP)}|{edition or NO_EDITION}|{NO_LIST}|{MESSAGE}|{name}"
        self._segment.add(text, number, now)

    def note(self, name: str, number: int = 1) -> None:
        self._segment.add(f"{EVER}|{NOTE}|{name}", number, datetime.fromtimestamp(0, UTC))

    def by_door(self) -> dict[tuple[str, DoorName, CountClass], int]:
        found: dict[tuple[str, DoorName, CountClass], int] = {}
        for text, number in self._ever():
            name, door, kind = text.split("|") if not text.startswith(f"{NOTE}|") else ("", "", "")
            if name:
                key = (name, DoorName(door), CountClass(kind))
                found[key] = found.get(key, 0) + number
        return found

    def notes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for text, number in self._ever():
            if text.startswith(f"{NOTE}|"):
                name = text.removeprefix(f"{NOTE}|")
                found[name] = found.get(name, 0) + number
        return found

    def _ever(self) -> Iterator[tuple[str, int]]:
        for segment in self._all:
            for _, text, number in segment.read():
                if text.startswith(f"{EVER}|"):
                    yield text.removeprefix(f"{EVER}|"), number


class SharedAdder(Adder):
    """Counts where the keeper reads: at two places of shared memory, found once an hour."""

    __slots__ = ("_places", "_segment")

    def __init__(self, tally: Tally, segment: Segment, edition: int, name: str, kind: CountClass, door: DoorName) -> None:
        super().__init__(tally, edition, name, kind, door)
        self._segment = segment
        self._places: tuple[int, ...] = ()

    def add(self, second: int) -> None:
        if not self._start <= second < self._end:
            self._turn(second)
        self._segment.add_at(self._places)
        if len(self._places) < PLACES:
            self._segment.traffic.lost_counts += 1

    def _turn(self, second: int) -> None:
        super()._turn(second)
        cell, subject = self.cell, "|".join(self.key)
        texts = (f"{cell.hour.strftime(STAMP)}|{cell.edition}|{subject}", f"{EVER}|{subject}")
        self._places = self._segment.places(texts, cell.hour)


@dataclass(slots=True)
class _Seen:
    text: str
    number: int


class Harvest:
    """Adds what the workers counted since the last time to the keeper's own tally."""

    def __init__(self, region: Region, tally: Tally) -> None:
        self._region, self._tally = region, tally
        self._seen: dict[tuple[int, int], _Seen] = {}

    def collect(self) -> int:
        """The number of events that were new."""
        return sum(self._of(number) for number in range(self._region.segments))

    def retire(self, number: int, now: datetime, heir: int = 0) -> None:
        """A worker has ended: what it counted since its start goes to the segment ``heir``, its own becomes free."""
        self._of(number)
        segment, kept = self._region.segment(number), self._region.segment(heir)
        totals = [(text, count) for _, text, count in segment.read() if text.startswith(f"{EVER}|")]
        numbers = list(segment.traffic.numbers)
        segment.clear()
        for text, count in totals:
            _merge(kept, text, count, now)
        for place, value in enumerate(numbers):
            kept.traffic.numbers[place] += value
        self._seen = {key: seen for key, seen in self._seen.items() if key[0] != number}

    def _of(self, number: int) -> int:
        found = 0
        for place, text, count in self._region.segment(number).read():
            if text.startswith(EVER):
                continue
            seen = self._seen.get((number, place))
            before = seen.number if seen is not None and seen.text == text else 0
            if count > before:
                self._add(text, count - before)
                found += count - before
            self._seen[number, place] = _Seen(text, count)
        return found

    def _add(self, text: str, number: int) -> None:
        stamp, edition, name, door, kind = text.split("|")
        hour = hour_of(datetime.strptime(stamp, STAMP).replace(tzinfo=UTC))
        if door == MESSAGE:
            self._tally.message(int(edition), kind, hour, number)
        else:
            self._tally.add(int(edition), name, CountClass(kind), hour, number, DoorName(door))


def _merge(segment: Segment, text: str, number: int, now: datetime) -> None:
    """Add to a segment that another object of this process may have written: its texts are read first."""
    for place, known, _ in segment.read():
        segment._places.setdefault(known, place)
    segment.add(text, number, now)

"""Items, tasks and results: small values that go between processes as JSON."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from vigil.match.verdict import Verdict

Scalar = str | int | None


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One thing to look at. ``name`` is how results call it; ``where`` is what its source reads it by.

    ``reason``: it cannot be read, as the source knows already; it is reported as unknown.
    """

    name: str
    where: tuple[Scalar, ...]
    size: int = -1
    reason: str = ""


class Task(msgspec.Struct, frozen=True):
    """Some items of one source, read by the reader of that name."""

    number: int
    reader: str
    place: str
    items: tuple[Item, ...]

    @property
    def digest(self) -> str:
        """What the task consists of, by which a resumed scan knows that the source is the same."""
        return hashlib.blake2b(msgspec.json.encode([self.reader, self.place, self.items]), digest_size=12).hexdigest()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on an item: members of a verdict, and its bytes (-1 where it was not read)."""

    item: str
    verdict: str
    list: str | None = None
    entry: int | None = None
    edition: int | None = None
    signal: str | None = None
    distance: int | None = None
    labels: tuple[str, ...] = ()
    reason: str | None = None
    bytes: int = -1


class Done(msgspec.Struct, frozen=True):
    """What a worker gives back for a task."""

    number: int
    digest: str
    results: tuple[Result, ...]


class Unreadable(Exception):  # noqa: N818  a reason, not a fault
    """An item that cannot be read. ``reason`` is a stable code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


UNKNOWN: Final = "unknown"


def result_of(item: Item, verdict: Verdict, size: int) -> Result:
    """A verdict as a result."""
    return Result(
        item=item.name, verdict=verdict.verdict.value, list=verdict.list, entry=verdict.entry, edition=verdict.edition,
        signal=verdict.signal, distance=verdict.distance, labels=verdict.labels, reason=verdict.reason, bytes=size,
    )  # fmt: skip


def unknown(item: Item, edition: int, reason: str, size: int = -1) -> Result:
    """An item without an answer, and why."""
    return Result(item=item.name, verdict=UNKNOWN, edition=edition, signal="media", reason=reason, bytes=size)

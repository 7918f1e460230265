"""What a source sends, as values: records, what was wrong with those that are set aside, and pages of them.

A page is read lazily: a page that is known byte for byte from an earlier fetch need not be read at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec

from vigil.base.errors import VigilError

Cursor = dict[str, Any]
"""Where a feed goes on: JSON values only, meaningful to the source's own module."""

URL: Final = "url"
HOST: Final = "host"
DOMAIN: Final = "domain"
EDITION_KEY: Final = "edition_key"
"""The key of an address in an edition: its scope and 16 bytes, which do not tell the address."""


class Media(StrEnum):
    """What kind of thing an entry is about."""

    IMAGE = "image"
    VIDEO = "video"
    ADDRESS = "address"
    TEXT = "text"
    OTHER = "other"


class Flaw(StrEnum):
    """Why a record or a page was set aside. Part of the public contract."""

    MALFORMED = "malformed"
    NOT_UTF8 = "not_utf8"
    ENORMOUS = "enormous"
    NO_KEY = "no_key"
    FUTURE = "future"
    CONTRADICTORY = "contradictory"
    FINGERPRINT = "fingerprint"
    CONSTANT = "constant"
    PAGE = "page"
    BOMB = "bomb"
    DOCTYPE = "doctype"
    CYCLE = "cycle"
    TRUNCATED = "truncated"
    GAP = "gap"
    COUNT = "count"


DAMAGES: Final = frozenset({Flaw.PAGE, Flaw.BOMB, Flaw.DOCTYPE, Flaw.CYCLE, Flaw.TRUNCATED, Flaw.GAP, Flaw.COUNT})
"""Of a page, not of a record: other entries may have stood there, which nobody saw."""

FLAW_WORDS: Final = {
    Flaw.MALFORMED: "The record does not have the form that this kind of source sends.",
    Flaw.NOT_UTF8: "The record is not text in UTF-8.",
    Flaw.ENORMOUS: "The record is larger than any real one.",
    Flaw.NO_KEY: "The record has no usable name.",
    Flaw.FUTURE: "The record is dated in the future.",
    Flaw.CONTRADICTORY: "The same name came twice with the same time and different contents.",
    Flaw.FINGERPRINT: "One fingerprint is not a value of its type; the rest of the record is in use.",
    Flaw.CONSTANT: "One fingerprint stands for empty or constant input; the rest of the record is in use.",
    Flaw.PAGE: "The page could not be read as a whole; what could be read of it is in use.",
    Flaw.BOMB: "The page unpacks into far more than it should.",
    Flaw.DOCTYPE: "The page declares a document type, which no honest answer does.",
    Flaw.CYCLE: "The next page led back to an earlier one.",
    Flaw.TRUNCATED: "The page ended early.",
    Flaw.GAP: "This part of the feed cannot be fetched; it is asked for again in the next full fetch.",
    Flaw.COUNT: "The page holds another number of records than it says.",
}


class Record(msgspec.Struct, frozen=True, gc=False):
    """One entry as the source has it now.

    ``key``           the source's own name of the entry; with ``key_is_content`` it is confidential and kept as a digest only
    ``raw``           the record as it was sent
    ``fingerprints``  pairs of type and value, as sent or translated; unknown types keep the source's own name
    ``withdrawn``     the source takes the entry back
    ``changed_at``    when the source last changed it, where it says so
    ``member``        who in the source's circle contributed it; ``labels`` in the source's own words
    """

    key: str
    raw: str
    fingerprints: tuple[tuple[str, str], ...] = ()
    withdrawn: bool = False
    changed_at: datetime | None = None
    media: Media = Media.OTHER
    member: str = ""
    labels: tuple[str, ...] = ()
    key_is_content: bool = False


class SetAside(msgspec.Struct, frozen=True, gc=False):
    """A record (or a page) that is not in use. ``name`` says which, and holds nothing confidential."""

    name: str
    flaw: Flaw
    raw: str = ""


Item = Record | SetAside


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, and where the feed goes on once they are kept.

    ``name``     what to call the page, for people
    ``digest``   of the records as sent, without what differs from request to request; empty: always read the page
    ``items``    reads the page
    ``cursor``   where to go on after it
    ``flawed``   something of the page itself was lost: it never counts as known
    """

    name: str
    digest: str
    items: Callable[[], Iterable[Item]]
    cursor: Cursor
    flawed: bool = False


def given(items: Iterable[Item]) -> Callable[[], Iterable[Item]]:
    """For pages that were read already."""
    return lambda: items


@dataclass(frozen=True, slots=True)
class Vote:
    """An opinion on one fingerprint of one entry, on its way to the source."""

    key: str
    algorithm: str
    value: str
    agrees: bool
    reason: str = ""
    raw: str = ""


class FeedBroken(VigilError):  # noqa: N818 - says what happened to the feed
    """The feed cannot go on now; what was kept stays, and the next run goes on from there."""

    http_status = 503


def unreadable() -> FeedBroken:
    """What a feed says when nothing of what comes can be read: it stays where it was."""
    return FeedBroken("source_unreadable", "The source answers, but nothing of what it sends can be read.")


class Feed(Protocol):
    """One kind of source.

    ``whole_each_time``  every fetch shows the full state: what is missing from it is gone
    """

    whole_each_time: bool

    def pages(self, cursor: Cursor | None, now: datetime, *, stuck: bool = False) -> Iterator[Page]:
        """Pages from ``cursor`` (None: from the very beginning) to the present. Raises FeedBroken, FetchError.

        The cursor of the last page is where the next fetch begins. ``stuck``: several runs ended at this place;
        go round it if the source answers otherwise.
        """
        ...

    def is_stale(self, cursor: Cursor, now: datetime) -> bool:
        """True where the source may have forgotten removals since ``cursor``: only a full fetch is safe."""
        ...

    def vote(self, vote: Vote) -> None:
        """Send an opinion to the source. Raises InputError where the source has no way to take it."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source is and how it is asked, as the operator set it up. ``credentials`` are open only here."""

    address: str
    credentials: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

"""MISP: a feed (``manifest.json`` and one file an event; from an address or a folder) and a server (its search for attributes).

A feed is the full state. An event whose time in the manifest is the one that was kept is not fetched again. A server gives
what changed; ``deleted`` takes an attribute back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from vigil.base.errors import InputError
from vigil.hotline.partners.sources.delimited import read_file
from vigil.hotline.partners.sources.documents import Unreadable, clipped, instant, json, objects_in, shown
from vigil.hotline.partners.sources.limits import PAGES_A_RUN
from vigil.hotline.partners.sources.record import (
    DAMAGES,
    DOMAIN,
    HOST,
    URL,
    Cursor,
    FeedBroken,
    Flaw,
    Item,
    Media,
    Page,
    Record,
    SetAside,
    Vote,
    given,
)
from vigil.hotline.partners.sources.refusals import Refusals
from vigil.hotline.partners.sources.transport import FetchError, Line

PAGE_SIZE: Final = 1000
UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\Z")
NAMES: Final = {"hostname": HOST, "domain": DOMAIN, "url": URL, "uri": URL, "link": URL}
ADDRESSES: Final = frozenset(NAMES.values())
_BEFORE: Final = 60
EMPTY_PAGES: Final = 3


class MispFeed:
    """A feed folder. ``read`` gives the bytes of a file by name."""

    whole_each_time = True

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._refusals = Refusals(stuck=True)  # a refused event is set aside by its name, in the first run already

    def is_stale(self, cursor: Cursor, now: datetime) -> bool:
        """Never: a feed is the full state."""
        return False

    def pages(self, cursor: Cursor | None, now: datetime, *, stuck: bool = False) -> Iterator[Page]:
        """See :class:`.record.Feed`. Events in the order of their names; a run that stopped goes on after the last one."""
        manifest = self._manifest()
        after = str((cursor or {}).get("after", ""))
        rest = [name for name in sorted(manifest) if name > after]
        if not rest:
            yield Page("manifest.json", "", list, {"after": ""})
        for place, name in enumerate(rest):
            onward = {"after": "" if place == len(rest) - 1 else name}
            yield self._event(name, manifest[name], onward)

    def _event(self, name: str, about: Any, onward: Cursor) -> Page:
        if not UUID.match(name):
            aside = SetAside(f"event {shown(name, 60)}", Flaw.MALFORMED)
            return Page(f"event {shown(name, 60)}", "", given([aside]), onward, flawed=True)
        mark = hashlib.sha256(f"{name}\0{msgspec.json.encode(about, order='deterministic').decode()}".encode()).hexdigest()
        return Page(f"event {name}", mark, lambda: list(self._attributes(name)), onward)

    def _manifest(self) -> dict[str, Any]:
        try:
            manifest = json(self._read("manifest.json"))
        except Unreadable as error:
            raise FeedBroken("manifest_unreadable", f"The manifest of the feed cannot be read. {error.what}") from error
        if not isinstance(manifest, dict):
            raise FeedBroken("manifest_unreadable", "The manifest of the feed is not an object.")
        return manifest

    def _attributes(self, name: str) -> Iterator[Item]:
        try:
            body = self._read(f"{name}.json")
        except FetchError as error:
            gone = 400 <= error.status < 500 and error.status not in (401, 403, 408, 429)
            flaw = Flaw.GAP if gone else self._refusals.flaw_of(error)
            if flaw is None:
                raise
            yield SetAside(f"event {name}", flaw)
            return
        self._refusals.clear()
        try:
            event = json(body)["Event"]
            if not _is_event(event, name):
                raise Unreadable(Flaw.PAGE, "This is no event, or another one.")
            found = list(_attributes_of(event))
        except (Unreadable, KeyError, TypeError, AttributeError) as error:
            flaw = error.flaw if isinstance(error, Unreadable) and error.flaw in DAMAGES else Flaw.PAGE
            yield SetAside(f"event {name}", flaw)
            for place, data in enumerate(objects_in(body, b"Attribute")):
                yield _salvaged(data, place, name)
            return
        labels = _tags(event)
        for place, value in enumerate(found):
            yield item_of(value, f"attribute {place + 1} of event {name}", labels)

    def vote(self, vote: Vote) -> None:
        """A feed takes no opinions."""
        raise InputError("vote_nowhere", "A feed takes no opinions.", mend="Use the address of the MISP server for that.")


class MispServer:
    """A MISP server. ``line`` carries the key."""

    whole_each_time = False

    def __init__(self, line: Line, page_size: int = PAGE_SIZE) -> None:
        self._line = line
        self._size = page_size

    def is_stale(self, cursor: Cursor, now: datetime) -> bool:
        """Never: the server keeps what it deleted."""
        return False

    def pages(self, cursor: Cursor | None, now: datetime, *, stuck: bool = False) -> Iterator[Page]:
        """See :class:`.record.Feed`."""
        since = int(cursor["since"]) if cursor else 0
        first = int(cursor.get("page", 1)) if cursor else 1
        began = int(cursor.get("began", 0)) if cursor and first > 1 else int(now.timestamp())
        last, good, pending = "", first - 1, list[Item]()
        refusals = Refusals(stuck=stuck)
        for number in range(first, PAGES_A_RUN.value):
            body, found, flaw = self._asked(since, number, refusals)
            mark = hashlib.sha256(body).hexdigest()
            if found and mark == last:
                raise FeedBroken("source_cycle", "The source sends the same page again and again.")
            last = mark
            # Changes while we page move later rows between pages: the next round begins a minute before this one.
            done = len(found) == 0 and flaw is None
            if flaw is not None and not found:
                # Only where a later page can be read is this one gone round: else the next run begins with it again.
                pending += _items(found, number, flaw)()
                if number - good >= EMPTY_PAGES:
                    raise refusals.last or FeedBroken("source_no_attributes", "The source answers, but not with attributes.")
                continue
            good = number
            onward = {"since": since, "page": number + 1, "began": began}
            if done:
                onward = {"since": max(began - _BEFORE, 0), "page": 1}
            name, flawed = f"page {number} since {since}", flaw is not None or bool(pending)
            before, pending = pending, []
            yield Page(name, "" if before else mark, _after(before, _items(found, number, flaw)), onward, flawed)
            if done:
                return
        raise FeedBroken("source_endless", "The source sends page after page without end.")

    def _asked(self, since: int, number: int, refusals: Refusals) -> tuple[bytes, list[Any], Flaw | None]:
        question: dict[str, Any] = {
            "returnFormat": "json", "page": number, "limit": self._size, "deleted": [0, 1], "includeEventTags": 1,
        }  # fmt: skip
        if since:
            question["timestamp"] = since
        try:
            answer = self._line.post(
                f"{self._line.path}/attributes/restSearch", msgspec.json.encode(question), "application/json",
                accept="application/json", repeat=True,
            )  # fmt: skip
        except FetchError as error:
            flaw = refusals.gap_of(error)
            if not refusals.stuck or flaw is None:
                raise
            return b"", [], flaw
        try:
            document = json(answer.body)
            found = document["response"]["Attribute"]
            if not isinstance(found, list):
                raise Unreadable(Flaw.PAGE, "The page has no attributes.")
        except (Unreadable, KeyError, TypeError):
            return answer.body, list(objects_in(answer.body, b"Attribute")), Flaw.PAGE
        return answer.body, found, None

    def vote(self, vote: Vote) -> None:
        """A sighting: type 0 for seen, 1 for a false positive."""
        document = {"uuid": vote.key, "type": "0" if vote.agrees else "1", "source": "hotline"}
        target = f"{self._line.path}/sightings/add/{vote.key}"
        self._line.post(target, msgspec.json.encode(document), "application/json", repeat=True)


def item_of(value: Any, name: str, labels: tuple[str, ...] = ()) -> Item:
    """One attribute as a record, or set aside by ``name``."""
    try:
        return record_of(value, labels)
    except InputError:
        raw = msgspec.json.encode(value).decode()
        known = value.get("uuid") if isinstance(value, dict) else None
        return SetAside(str(known) if isinstance(known, str) and UUID.match(known) else name, Flaw.MALFORMED, clipped(raw))


def record_of(value: Any, labels: tuple[str, ...] = ()) -> Record:
    """One attribute. Raises InputError where it is none."""
    if not isinstance(value, dict):
        raise InputError("record_shape", "An attribute is not an object.")
    known, kind, text = value.get("uuid"), value.get("type"), value.get("value")
    if not isinstance(known, str) or not UUID.match(known) or not isinstance(kind, str) or not isinstance(text, str):
        raise InputError("record_members", "An attribute lacks its name, its type or its value.")
    prints = tuple(_fingerprints(kind, text))
    deleted = value.get("deleted")
    return Record(
        key=known.lower(),
        raw=clipped(msgspec.json.encode(value, order="deterministic").decode()),
        fingerprints=prints,
        withdrawn=deleted is True or deleted in (1, "1", "true"),
        changed_at=instant(value.get("timestamp")),
        media=Media.ADDRESS if prints and prints[0][0] in ADDRESSES else Media.OTHER,
        labels=tuple(dict.fromkeys([*labels, *_tags(value)])),
    )


def _fingerprints(kind: str, text: str) -> Iterator[tuple[str, str]]:
    """A composite such as ``filename|sha256`` holds the hash behind the bar; unknown types are kept whole."""
    first, bar, second = kind.partition("|")
    if bar and first == "filename" and "|" in text:
        yield second, text.rpartition("|")[2]
    elif first == "domain" and bar:
        yield DOMAIN, text.partition("|")[0]
    else:
        yield NAMES.get(kind, kind), text


def _is_event(event: Any, name: str) -> bool:
    """Whether this is the event that was asked for. One that says nothing at all is no news that its attributes are gone."""
    known = event.get("uuid")
    return bool(event) and (known is None or str(known).lower() == name.lower())


def _attributes_of(event: Any) -> Iterator[Any]:
    yield from event.get("Attribute") or []
    for each in event.get("Object") or []:
        if isinstance(each, dict):
            yield from each.get("Attribute") or []


def _tags(value: Any) -> tuple[str, ...]:
    tags = value.get("Tag") if isinstance(value, dict) else None
    return tuple(shown(each.get("name", ""), 60) for each in tags if isinstance(each, dict)) if isinstance(tags, list) else ()


def _items(found: list[Any], number: int, flaw: Flaw | None) -> Callable[[], list[Item]]:
    def read() -> list[Item]:
        aside: list[Item] = [SetAside(f"page {number}", flaw)] if flaw is not None else []
        name = f"page {number}"
        return aside + [
            _salvaged(each, place, name) if isinstance(each, bytes) else item_of(each, f"attribute {place + 1} of {name}")
            for place, each in enumerate(found)
        ]

    return read


def _after(before: list[Item], read: Callable[[], list[Item]]) -> Callable[[], list[Item]]:
    return lambda: [*before, *read()]


def _salvaged(data: bytes, place: int, where: str) -> Item:
    try:
        return item_of(json(data), f"attribute {place + 1} of {where}")
    except Unreadable as error:
        return SetAside(f"attribute {place + 1} of {where}", error.flaw, clipped(data.decode("utf-8", "replace")))


def reader_of(address: str, line: Line | None) -> Callable[[str], bytes]:
    """What reads a file of the feed: over the line, or from a folder of this machine."""
    if line is not None:
        return lambda name: line.get(f"{line.path}/{name}", accept="application/json").body
    return lambda name: read_file(Path(address) / name)

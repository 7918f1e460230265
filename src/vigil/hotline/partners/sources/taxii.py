"""TAXII 2.1: the objects of one collection, by the time they were added; STIX indicators and observables as fingerprints.

``revoked`` takes an object back, and so does a ``valid_until`` that has passed. Patterns are read where they are equalities
joined by OR; others are kept whole, as a fingerprint of the type ``stix_pattern``. The newest version of an object counts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from vigil.base.errors import InputError
from vigil.hotline.partners.sources.documents import (
    Unreadable,
    clipped,
    digest_of_member,
    instant,
    json,
    member_in,
    objects_in,
    shown,
)
from vigil.hotline.partners.sources.limits import GAPS_A_RUN, PAGES_A_RUN
from vigil.hotline.partners.sources.record import (
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
    unreadable,
)
from vigil.hotline.partners.sources.refusals import FURTHEST, Refusals, first_readable
from vigil.hotline.partners.sources.transport import FetchError, Line

ACCEPT: Final = "application/taxii+json;version=2.1"
PAGE_SIZE: Final = 1000
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
ID: Final = re.compile(r"[a-z0-9-]{1,60}--[0-9a-fA-F-]{36}\Z")
_TEXT: Final = r"'((?:[^'\\]|\\.)*)'"
_EQUAL: Final = re.compile(rf"\s*([a-z-]+):([A-Za-z0-9_.]+)(?:\.'([^']+)'|\.\"([^\"]+)\")?\s*=\s*{_TEXT}\s*")
_MATCHES: Final = re.compile(rf"\s*([a-z-]+):([A-Za-z_]+)\s+MATCHES\s+{_TEXT}\s*")
_OR: Final = re.compile(r"\s*OR\s*")


class Taxii:
    """One collection. ``line`` leads to the API root."""

    whole_each_time = False

    def __init__(self, line: Line, collection: str, page_size: int = PAGE_SIZE) -> None:
        self._line = line
        self._collection = collection
        self._size = page_size

    def is_stale(self, cursor: Cursor, now: datetime) -> bool:
        """Never: collections keep revoked objects."""
        return False

    def pages(self, cursor: Cursor | None, now: datetime, *, stuck: bool = False) -> Iterator[Page]:
        """See :class:`.record.Feed`."""
        after = str((cursor or {}).get("after", ""))
        following = str((cursor or {}).get("next", ""))
        newest = str((cursor or {}).get("newest", after))
        seen: set[str] = set()
        size = self._size
        refusals = Refusals(stuck=stuck)
        gaps, pending, read = 0, list[Item](), False
        for number in range(1, PAGES_A_RUN.value):
            flaw: Flaw | None = None
            items: list[Item] = []
            flawed, onward, last = False, "", ""
            try:
                body, last = self._asked(after, following, size, now, refusals)
                onward = self._following(body, size)
                items, flawed = _read(body, now)
            except _Smaller as smaller:
                if size > 1:
                    size //= 2
                    continue
                flaw = smaller.flaw
            newest = max(newest, last)
            if onward and onward in seen:
                flaw = Flaw.CYCLE
            if flaw is not None:
                further = self._beyond(after, now, refusals, read) if flaw is not Flaw.CYCLE and newest <= after else newest
                pending += [*items, _gap(flaw, after, further)]
                if further is None:
                    # What cannot be read was added later than now, and everything before it is here: this round is over.
                    then = {"after": after, "next": "", "newest": newest}
                    yield Page(f"page {number} after {after or 'the beginning'}", "", given(pending), then, flawed=True)
                    return
                after = newest = further if further > after else _text(_second(after) + 1)
                following, size, gaps = "", 1 if refusals.in_a_row else self._size, gaps + 1
                seen.clear()
                if gaps >= GAPS_A_RUN.value:
                    raise refusals.last or unreadable()
                continue
            refusals.clear()
            read = True
            seen.add(onward)
            state = {"after": after if onward else newest, "next": onward, "newest": newest}
            digest = "" if pending else digest_of_member(body, "objects")
            name = f"page {number} after {after or 'the beginning'}"
            yield Page(name, digest, given([*pending, *items]), state, flawed or bool(pending))
            pending = []
            if not onward:
                return
            following, size = onward, self._size
        raise FeedBroken("source_endless", "The source sends page after page without end.")

    def _beyond(self, after: str, now: datetime, refusals: Refusals, read: bool) -> str | None:
        """As :func:`first_readable`; raises where the source sends nothing that can be read from whenever it is asked."""
        found = first_readable(_second(after), int(now.timestamp()) + 1, lambda second: self._reads(second, now, refusals))
        if found is None and not read and not self._reads(FURTHEST, now, refusals):
            raise refusals.last or unreadable()
        return None if found is None else _text(found)

    def _reads(self, second: int, now: datetime, refusals: Refusals) -> bool:
        """Whether the first object added after then can be read, or there is none."""
        try:
            self._following(self._asked(_text(second), "", 1, now, refusals)[0], 1)
        except _Smaller:
            return False
        refusals.clear()
        return True

    def _asked(self, after: str, following: str, size: int, now: datetime, refusals: Refusals) -> tuple[bytes, str]:
        """A page, and the newest time of adding in it, never later than ours."""
        query = {"limit": size} | ({"added_after": after} if after else {}) | ({"next": following} if following else {})
        target = f"{self._line.path}/collections/{quote(self._collection)}/objects/?{urlencode(query)}"
        try:
            answer = self._line.get(target, accept=ACCEPT)
        except FetchError as error:
            if following and error.status in (400, 404, 410):
                return self._asked(after, "", size, now, refusals)
            flaw = refusals.gap_of(error)
            if flaw is not None:
                raise _Smaller(flaw) from error
            raise
        said = answer.headers.get("x-taxii-date-added-last", "")
        when = instant(said)
        return answer.body, said if when is not None and when <= now else ""

    def _following(self, body: bytes, size: int) -> str:
        try:
            document = json(body)
        except Unreadable as error:
            saved = member_in(body, b"next")
            if saved is None:
                raise _Smaller(Flaw.TRUNCATED) from error
            return saved
        if not isinstance(document, dict) or document.get("more") is not True:
            return ""
        return str(document.get("next") or "")

    def vote(self, vote: Vote) -> None:
        """A STIX opinion added to the collection, where it may be written to."""
        import uuid

        stamp = "strongly-agree" if vote.agrees else "strongly-disagree"
        known = uuid.uuid5(uuid.NAMESPACE_URL, f"{vote.key}\0{stamp}\0{vote.reason}")
        opinion = {
            "type": "opinion", "spec_version": "2.1", "id": f"opinion--{known}", "opinion": stamp, "object_refs": [vote.key],
            "created": "1970-01-01T00:00:00.000Z", "modified": "1970-01-01T00:00:00.000Z", "explanation": vote.reason,
        }  # fmt: skip
        target = f"{self._line.path}/collections/{quote(self._collection)}/objects/"
        self._line.post(target, msgspec.json.encode({"objects": [opinion]}), ACCEPT, accept=ACCEPT, repeat=True)


class _Smaller(Exception):  # noqa: N818 - not a failure: a smaller page is asked for
    def __init__(self, flaw: Flaw) -> None:
        super().__init__("a smaller page is needed")
        self.flaw = flaw


def record_of(value: Any, now: datetime) -> Record:
    """One STIX object. Raises InputError where it is none."""
    if not isinstance(value, dict):
        raise InputError("record_shape", "An object is not one.")
    known, kind = value.get("id"), value.get("type")
    if not isinstance(known, str) or not ID.match(known) or not isinstance(kind, str) or not known.startswith(f"{kind}--"):
        raise InputError("record_members", "An object lacks its id or its type.")
    prints = tuple(_fingerprints(value))
    until = instant(value.get("valid_until"))
    labels = value.get("labels")
    return Record(
        key=known,
        raw=clipped(msgspec.json.encode(value, order="deterministic").decode()),
        fingerprints=prints,
        withdrawn=value.get("revoked") is True or (until is not None and until <= now),
        changed_at=instant(value.get("modified") or value.get("created")),
        media=Media.ADDRESS if prints and prints[0][0] in (URL, HOST, DOMAIN) else Media.OTHER,
        member=shown(value.get("created_by_ref", "")),
        labels=tuple(shown(each, 60) for each in labels if isinstance(each, str)) if isinstance(labels, list) else (),
    )


def _fingerprints(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kind = value["type"]
    if kind == "indicator":
        pattern = value.get("pattern")
        if not isinstance(pattern, str) or not pattern.strip():
            raise InputError("record_pattern", "An indicator has no pattern.")
        found = read_pattern(pattern) if value.get("pattern_type", "stix") == "stix" else None
        yield from found if found is not None else [("stix_pattern", pattern)]
    elif kind == "file" and isinstance(value.get("hashes"), dict):
        yield from ((_hash_name(name), str(text)) for name, text in value["hashes"].items())
    elif kind == "url" and isinstance(value.get("value"), str):
        yield URL, value["value"]
    elif kind == "domain-name" and isinstance(value.get("value"), str):
        yield HOST, value["value"]


def read_pattern(pattern: str) -> list[tuple[str, str]] | None:
    """The equalities of a pattern, joined by OR in one pair of brackets; None where it says anything else.

    An alternative by MATCHES beside an equality only says how much of it is covered: it is left out, which is narrower.
    """
    text = pattern.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    position, end, found = 1, len(text) - 1, []
    while position < end:
        equal = _EQUAL.match(text, position, end)
        other = _MATCHES.match(text, position, end) if equal is None else None
        if equal is not None:
            named = _named(equal)
            if named is None:
                return None
            found.append(named)
        elif other is None:
            return None
        position = (equal or other).end()  # type: ignore[union-attr]
        if position < end:
            joined = _OR.match(text, position, end)
            if joined is None or joined.end() == position:
                return None
            position = joined.end()
    return found or None


def _named(equal: re.Match[str]) -> tuple[str, str] | None:
    kind, path, value = equal[1], equal[2], re.sub(r"\\(.)", r"\1", equal[5])
    member = equal[3] or equal[4]
    if kind == "file" and path == "hashes" and member:
        return _hash_name(member), value
    if kind == "file" and path.startswith("hashes."):
        return _hash_name(path.partition(".")[2]), value
    if (kind, path) == ("url", "value"):
        return URL, value
    if (kind, path) == ("domain-name", "value"):
        return HOST, value
    return None


def _hash_name(name: str) -> str:
    """``SHA-256`` and ``X-PDQ`` as sha256 and pdq."""
    small = name.lower().removeprefix("x-")
    return {"sha-256": "sha256", "sha-1": "sha1"}.get(small, small)


def _read(body: bytes, now: datetime) -> tuple[list[Item], bool]:
    items: list[Item] = []
    try:
        document = json(body)
        found = document.get("objects", []) if isinstance(document, dict) and _is_envelope(document) else None
        if not isinstance(found, list):
            raise Unreadable(Flaw.PAGE, "The page has no objects.")
    except Unreadable as error:
        flaw = error.flaw if error.flaw is not Flaw.MALFORMED else Flaw.PAGE
        items.append(SetAside(f"page {hashlib.sha256(body).hexdigest()[:12]}", flaw))
        items += [_salvaged(each, place, now) for place, each in enumerate(objects_in(body, b"objects"))]
        return items, True
    return [_item(each, place, now) for place, each in enumerate(found)], False


def _is_envelope(document: dict[str, Any]) -> bool:
    """An envelope without objects says nothing else (TAXII 2.1, section 3.7): other objects are no envelope."""
    return "objects" in document or document.keys() <= {"more", "next"}


def _item(value: Any, place: int, now: datetime) -> Item:
    try:
        return record_of(value, now)
    except InputError:
        known = value.get("id") if isinstance(value, dict) else None
        name = shown(known, 150) if isinstance(known, str) and known else f"object {place + 1} of a page"
        return SetAside(name, Flaw.MALFORMED, clipped(msgspec.json.encode(value, order="deterministic").decode()))


def _salvaged(data: bytes, place: int, now: datetime) -> Item:
    try:
        return _item(json(data), place, now)
    except Unreadable as error:
        name = member_in(data, b"id") or f"object {place + 1} of a page"
        return SetAside(shown(name, 150), error.flaw, clipped(data.decode("utf-8", "replace")))


def _gap(flaw: Flaw, after: str, onward: str | None) -> SetAside:
    """What is gone round, by its times."""
    name = f"objects added after {after or 'the beginning'}"
    if onward is None:
        name += ", later than now"
    elif _second(onward) > _second(after) + 1:
        name += f", up to {onward}"
    return SetAside(name, flaw)


def _second(text: str) -> int:
    return int((instant(text) or BEGINNING).timestamp())


def _text(second: int) -> str:
    return (BEGINNING + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

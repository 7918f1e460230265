"""Meta ThreatExchange: updates of one privacy group, pages by link, opinions by reaction.

The public client's transport has neither time limit nor retry, takes an empty page for a fault, and compares tags by parts
of words (docs/decisions/0321). The access token travels in the query, as the service wants it: it is never kept with a link.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

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

PAGE_SIZE: Final = 100
STALE: Final = timedelta(days=85)
FIELDS: Final = (
    "id,indicator,type,last_updated,should_delete,"
    "descriptors{id,reactions,my_reactions,owner{id},tags,status,added_on}"
)  # fmt: skip
TYPES: Final = {
    "HASH_PDQ": ("pdq", Media.IMAGE),
    "HASH_MD5": ("md5", Media.OTHER),
    "HASH_SHA1": ("sha1", Media.OTHER),
    "HASH_SHA256": ("sha256", Media.OTHER),
    "HASH_VIDEO_MD5": ("md5", Media.VIDEO),
    "HASH_VIDEO_SHA256": ("sha256", Media.VIDEO),
    "HASH_TMK": ("tmk_pdqf", Media.VIDEO),
    "URI": ("url", Media.ADDRESS),
    "RAW_URI": ("url", Media.ADDRESS),
    "TEXT_STRING": ("text", Media.TEXT),
}
REACTIONS: Final = {True: "HELPFUL", False: "DISAGREE_WITH_TAGS"}


class ThreatExchange:
    """One privacy group. ``token`` as Meta hands it out: number, bar, secret."""

    whole_each_time = False

    def __init__(self, line: Line, group: str, token: str, page_size: int = PAGE_SIZE) -> None:
        if not group.isdigit():
            raise InputError("source_group", "A privacy group is a number.", where="options.group")
        self._line = line
        self._group = group
        self._token = token
        self._size = page_size

    def is_stale(self, cursor: Cursor, now: datetime) -> bool:
        """Removals are kept for 90 days; after 85 only a full fetch is safe."""
        since = instant(cursor.get("checked"))
        return since is not None and now - since > STALE

    def pages(self, cursor: Cursor | None, now: datetime, *, stuck: bool = False) -> Iterator[Page]:
        """See :class:`.record.Feed`."""
        since = int(cursor["since"]) if cursor and cursor.get("since") else None
        newest = int(cursor.get("newest") or 0) if cursor else 0
        following: dict[str, str] = dict(cursor.get("next") or {}) if cursor else {}
        seen: set[str] = set()
        size = self._size
        refusals = Refusals(stuck=stuck)
        gaps, pending, read = 0, list[Item](), False
        for number in range(1, PAGES_A_RUN.value):
            flaw: Flaw | None = None
            items: list[Item] = []
            flawed = False
            onward: dict[str, str] = {}
            try:
                body = self._asked(since, following, size, refusals)
                onward = self._following(body, size)
                items, flawed = _read(body)
            except _Smaller as smaller:
                if size > 1:
                    size //= 2
                    following.pop("limit", None)
                    continue
                flaw = smaller.flaw
            stamps = [int(each.changed_at.timestamp()) for each in items if isinstance(each, Record) and each.changed_at]
            newest = max([newest, *(stamp for stamp in stamps if stamp <= now.timestamp())])
            mark = msgspec.json.encode(onward, order="deterministic").decode()
            if onward and mark in seen:
                flaw = Flaw.CYCLE
            if flaw is not None:
                ahead = flaw is not Flaw.CYCLE and newest <= (since or 0)
                onward_from = self._beyond(since or 0, now, refusals, read) if ahead else max(newest, (since or 0) + 1)
                pending += [*items, _gap(since or 0, onward_from, flaw)]
                if onward_from is None:
                    # What cannot be read is dated later than now, and everything before it is here: this round is over.
                    then: Cursor = {"since": since, "newest": newest, "next": {}, "checked": int(now.timestamp())}
                    yield Page(f"page {number}", "", given(pending), then, flawed=True)
                    return
                since, following, size, gaps = onward_from, {}, self._size, gaps + 1
                size = 1 if refusals.in_a_row else size
                seen.clear()
                if gaps >= GAPS_A_RUN.value:
                    raise refusals.last or unreadable()
                continue
            refusals.clear()
            read = True
            seen.add(mark)
            cursor_then: Cursor = {
                "since": since if onward else newest or None, "newest": newest, "next": onward, "checked": int(now.timestamp()),
            }  # fmt: skip
            digest = "" if pending else digest_of_member(body, "data")
            yield Page(f"page {number}", digest, given([*pending, *items]), cursor_then, flawed or bool(pending))
            pending = []
            if not onward:
                return
            following, size = onward, self._size
        raise FeedBroken("source_endless", "The source sends page after page without end.")

    def _beyond(self, since: int, now: datetime, refusals: Refusals, read: bool) -> int | None:
        """As :func:`first_readable`; raises where the source sends nothing that can be read from whenever it is asked."""
        found = first_readable(since, int(now.timestamp()) + 1, lambda second: self._reads(second, refusals))
        if found is None and not read and not self._reads(FURTHEST, refusals):
            raise refusals.last or unreadable()
        return found

    def _reads(self, since: int, refusals: Refusals) -> bool:
        """Whether the first record of what changed since then can be read, or there is none."""
        try:
            self._following(self._asked(since, {}, 1, refusals), 1)
        except _Smaller:
            return False
        refusals.clear()
        return True

    def _asked(self, since: int | None, following: dict[str, str], size: int, refusals: Refusals) -> bytes:
        query: dict[str, Any] = {"limit": size, "fields": FIELDS}
        if since is not None:
            query["start_time"] = since
        query |= following
        query["limit"] = min(int(query["limit"]), size) if str(query["limit"]).isdigit() else size
        try:
            return self._line.get(self._target("threat_updates/", query), accept="application/json").body
        except FetchError as error:
            if following and error.status in (400, 404, 410):
                following.clear()
                return self._asked(since, following, size, refusals)
            flaw = refusals.gap_of(error)
            if flaw is not None:
                raise _Smaller(flaw) from error
            raise

    def _target(self, what: str, query: dict[str, Any]) -> str:
        return f"{self._line.path}/{self._group}/{what}?{urlencode({'access_token': self._token, **query})}"

    def _following(self, body: bytes, size: int) -> dict[str, str]:
        """The query of the next page without the token; empty at the end."""
        try:
            document = json(body)
            paging = document.get("paging") if isinstance(document, dict) else None
            link = paging.get("next") if isinstance(paging, dict) else None
        except Unreadable as error:
            link = member_in(body, b"next")
            if link is None:
                raise _Smaller(Flaw.TRUNCATED) from error
        if not link or not isinstance(link, str):
            return {}
        target = self._line.local(link)
        if urlsplit(target).path.rstrip("/") != f"{self._line.path}/{self._group}/threat_updates":
            raise FeedBroken("source_elsewhere", "The source leads on to another address than its updates.")
        pairs = parse_qsl(urlsplit(target).query)
        return {name: value for name, value in pairs if name != "access_token"}

    def vote(self, vote: Vote) -> None:
        """A reaction to each descriptor of the entry."""
        descriptors = _descriptors(vote.raw)
        if not descriptors:
            raise InputError("vote_nothing", "The entry has no descriptor to react to.")
        for descriptor in descriptors:
            body = urlencode({"access_token": self._token, "reactions": REACTIONS[vote.agrees]}).encode()
            self._line.post(
                f"{self._line.path}/{descriptor}", body, "application/x-www-form-urlencoded", repeat=True
            )


def _gap(since: int, onward: int | None, flaw: Flaw) -> SetAside:
    """What is gone round, by its times."""
    name = f"updates after {since or 'the beginning'}"
    if onward is None:
        name += ", dated later than now"
    elif onward > since + 1:
        name += f", up to {onward - 1}"
    return SetAside(name, flaw)


class _Smaller(Exception):  # noqa: N818 - not a failure: a smaller page is asked for
    def __init__(self, flaw: Flaw) -> None:
        super().__init__("a smaller page is needed")
        self.flaw = flaw


def record_of(value: Any, raw: str) -> Record:
    """One update. Raises InputError where it is none."""
    if not isinstance(value, dict):
        raise InputError("record_shape", "A record is not an object.")
    known, kind = value.get("id"), value.get("type")
    if not isinstance(known, str | int) or isinstance(known, bool) or not str(known).isdigit():
        raise InputError("record_id", "An update has a number.")
    descriptors = _data(value.get("descriptors"))
    gone = value.get("should_delete") is True or not descriptors
    text = value.get("indicator")
    if not gone and (not isinstance(kind, str) or not isinstance(text, str) or not text.strip()):
        raise InputError("record_members", "An update lacks its type or its indicator.")
    tags = {str(tag) for each in descriptors for tag in _tags(each)}
    algorithm, media = TYPES.get(str(kind), (str(kind), Media.OTHER))
    if media is Media.OTHER and "media_type_video" in tags:
        media = Media.VIDEO
    statuses = sorted({shown(each.get("status", ""), 30).lower() for each in descriptors} - {""})
    owners = {str(each["owner"].get("id", "")) for each in descriptors if isinstance(each.get("owner"), dict)}
    return Record(
        key=str(known),
        raw=clipped(raw),
        fingerprints=((algorithm, str(text)),) if not gone else (),
        withdrawn=gone,
        changed_at=instant(value.get("last_updated")),
        media=media,
        member=f"{len(owners)} member(s)" if owners else "",
        labels=(*statuses, *sorted(shown(tag, 60) for tag in tags)),
    )


def _data(value: Any) -> list[dict[str, Any]]:
    found = value.get("data") if isinstance(value, dict) else value
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _tags(descriptor: dict[str, Any]) -> list[str]:
    """Whole tags: ``video`` is not ``media_type_video``."""
    tags = descriptor.get("tags")
    if isinstance(tags, list):
        return [each if isinstance(each, str) else str(each.get("text", "")) for each in tags if isinstance(each, str | dict)]
    return [str(each.get("text", "")) for each in _data(tags)]


def _descriptors(raw: str) -> list[str]:
    try:
        value = json(raw.encode())
    except Unreadable:
        return []
    found = _data(value.get("descriptors")) if isinstance(value, dict) else []
    return [str(each["id"]) for each in found if str(each.get("id", "")).isdigit()]


def _read(body: bytes) -> tuple[list[Item], bool]:
    items: list[Item] = []
    try:
        document = json(body)
        found = document.get("data") if isinstance(document, dict) else None  # the service says "data" of an empty page too
        if not isinstance(found, list):
            raise Unreadable(Flaw.PAGE, "The page has no updates.")
    except Unreadable as error:
        flaw = error.flaw if error.flaw is not Flaw.MALFORMED else Flaw.PAGE
        items.append(SetAside(f"page {hashlib.sha256(body).hexdigest()[:12]}", flaw))
        items += [_salvaged(each, place) for place, each in enumerate(objects_in(body, b"data"))]
        return items, True
    return [_item(each, place) for place, each in enumerate(found)], False


def _item(value: Any, place: int) -> Item:
    raw = msgspec.json.encode(value, order="deterministic").decode()
    try:
        return record_of(value, raw)
    except InputError:
        known = value.get("id") if isinstance(value, dict) else None
        return SetAside(shown(f"update {known}" if known else f"update {place + 1} of a page"), Flaw.MALFORMED, raw)


def _salvaged(data: bytes, place: int) -> Item:
    try:
        return _item(json(data), place)
    except Unreadable as error:
        name = member_in(data, b"id")
        return SetAside(f"update {shown(name or place + 1)}", error.flaw, clipped(data.decode("utf-8", "replace")))

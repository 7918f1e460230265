"""StopNCII: JSON pages by token. A withdrawal is a person's wish and takes effect with the page that brings it.

The public client keeps withdrawn and deleted hashes for ever and stops at one damaged page (docs/decisions/0321).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

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

FIRST: Final = 10
PAGE_SIZE: Final = 800
STALE: Final = timedelta(days=30)
TYPES: Final = {
    "ImagePDQ": ("pdq", Media.IMAGE),
    "VideoMD5": ("md5", Media.VIDEO),
    "VideoTMK": ("tmk_pdqf", Media.VIDEO),
    "URL": ("url", Media.ADDRESS),
    "Text": ("text", Media.TEXT),
}
GONE: Final = frozenset({"withdrawn", "deleted"})
OPINIONS: Final = {True: "Blocked", False: "NotBlocked"}


class StopNcii:
    """One account. ``line`` carries the function key and the subscription key; ``feedback`` the key of SubmitFeedback."""

    whole_each_time = False

    def __init__(self, line: Line, feedback: Line | None = None, page_size: int = PAGE_SIZE) -> None:
        self._line = line
        self._feedback = feedback or line
        self._size = page_size

    def is_stale(self, cursor: Cursor, now: datetime) -> bool:
        """After 30 days the source may have forgotten removals."""
        since = instant(cursor.get("checked"))
        return since is not None and now - since > STALE

    def pages(self, cursor: Cursor | None, now: datetime, *, stuck: bool = False) -> Iterator[Page]:
        """See :class:`.record.Feed`."""
        at = _Position.of(cursor, now)
        size = self._size
        seen: set[str] = set()
        refusals = Refusals(stuck=stuck)
        gaps, pending, read = 0, list[Item](), False
        for _ in range(PAGES_A_RUN.value):
            flaw: Flaw | None = None
            body, following = b"", ""
            try:
                body, following = self._asked(at, size, refusals)
            except _Smaller as smaller:
                if size > 1:
                    size //= 2
                    continue
                flaw = smaller.flaw
            if following and following in seen:
                flaw = Flaw.CYCLE
            if flaw is not None:
                onward = at.since + 1 if flaw is Flaw.CYCLE or at.is_behind else self._beyond(at.since, now, refusals, read)
                pending += [*(_read(body)[0] if flaw is Flaw.CYCLE else ()), at.past(flaw, onward)]
                size, gaps = 1 if refusals.in_a_row else self._size, gaps + 1
                seen.clear()
                if onward is None:
                    # What cannot be read is dated later than now, and everything before it is here: this round is over.
                    yield Page(f"page after {at.since}", "", given(pending), at.cursor(now), flawed=True)
                    return
                if gaps >= GAPS_A_RUN.value:
                    raise refusals.last or unreadable()
                continue
            refusals.clear()
            read = True
            items, flawed = _read(body)
            name = f"page after {at.since}" + (f", {len(seen) + 1}" if seen else "")
            at.follow(body, items, following, now)
            digest = "" if pending else digest_of_member(body, "hashRecords")
            yield Page(name, digest, given([*pending, *items]), at.cursor(now), flawed or bool(pending))
            pending = []
            if not following:
                return
            seen.add(following)
            size = self._size
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
            self._asked(_Position(since, "", since, since), 1, refusals)
        except _Smaller:
            return False
        refusals.clear()
        return True

    def _asked(self, at: _Position, size: int, refusals: Refusals) -> tuple[bytes, str]:
        """A page and the token of the next one, empty at the end."""
        query: dict[str, Any] = {"startTimestamp": at.since, "pageSize": size}
        if at.token:
            query["nextPageToken"] = at.token
        try:
            body = self._line.get(f"{self._line.path}/FetchHashes?{urlencode(query)}", accept="application/json").body
        except FetchError as error:
            if at.token and error.status in (400, 404, 410):
                at.restart()
                return self._asked(at, size, refusals)
            flaw = refusals.flaw_of(error) if size < self._size else refusals.gap_of(error)
            if flaw is not None:
                raise _Smaller(flaw) from error
            raise
        return body, _following(body, size)

    def vote(self, vote: Vote) -> None:
        """Case feedback on one hash."""
        if vote.algorithm not in {algorithm for algorithm, _ in TYPES.values()}:
            raise InputError("vote_type", "The source takes no feedback on this type.", where="type")
        tags = [vote.reason] if vote.reason else []
        document = {
            "count": 1,
            "hashFeedbacks": [{"tags": tags, "feedbackValue": OPINIONS[vote.agrees], "hashValue": vote.value}],
        }
        body = msgspec.json.encode(document)
        self._feedback.post(f"{self._feedback.path}/SubmitFeedback", body, "application/json", repeat=True)


class _Smaller(Exception):  # noqa: N818 - not a failure: a smaller page is asked for
    def __init__(self, flaw: Flaw) -> None:
        super().__init__("a smaller page is needed")
        self.flaw = flaw


class _Position:
    """Where the feed is: since when, with which token, and the newest change seen on the way."""

    def __init__(self, since: int, token: str, newest: int, offered: int) -> None:
        self.since, self.token, self.newest, self.offered = since, token, newest, offered

    @classmethod
    def of(cls, cursor: Cursor | None, now: datetime) -> _Position:
        if not cursor:
            return cls(FIRST, "", FIRST, FIRST)
        return cls(int(cursor["since"]), str(cursor["token"]), int(cursor["newest"]), int(cursor["offered"]))

    def cursor(self, now: datetime) -> Cursor:
        return {
            "since": self.since, "token": self.token, "newest": self.newest, "offered": self.offered,
            "checked": int(now.timestamp()),
        }  # fmt: skip

    def restart(self) -> None:
        """The token is no longer taken: begin again at the time of this round."""
        self.token = ""

    def follow(self, body: bytes, items: list[Item], following: str, now: datetime) -> None:
        """Go on after a page. The checkpoint never lies in the future and never moves back."""
        limit = int(now.timestamp())
        stamps = [int(each.changed_at.timestamp()) for each in items if isinstance(each, Record) and each.changed_at]
        self.newest = max([self.newest, *(stamp for stamp in stamps if stamp <= limit)])
        said = member_in(body, b"nextSetTimestamp")
        if said is not None and said.isdigit():
            self.offered = max(self.offered, min(int(said), limit))
        self.token = following
        if not following:
            self.since = max(self.since, self.offered if self.offered > FIRST else self.newest)

    @property
    def is_behind(self) -> bool:
        """Whether newer changes were seen than the time from which this round asked."""
        return self.newest > self.since

    def past(self, flaw: Flaw, onward: int | None) -> SetAside:
        """Go round a place that cannot be read: begin a round at the newest change seen, or else at ``onward``."""
        name = f"changes after {self.since}" + (", a later page" if self.token else "")
        if not self.is_behind and onward is None:
            name = f"changes after {self.since}, dated later than now"
        elif not self.is_behind and onward is not None and onward > self.since + 1:
            name = f"changes from {self.since} to {onward - 1}"
        self.since = self.newest if self.is_behind else self.since if onward is None else onward
        self.token = ""
        return SetAside(name, flaw)


def record_of(value: Any, raw: str) -> Record:
    """One hash. Raises InputError where it is none."""
    if not isinstance(value, dict):
        raise InputError("record_shape", "A record is not an object.")
    kind, text, status = value.get("signalType"), value.get("hashValue"), value.get("hashStatus")
    if not isinstance(kind, str) or not isinstance(text, str) or not text.strip() or not isinstance(status, str):
        raise InputError("record_members", "A record lacks its type, its value or its status.")
    algorithm, media = TYPES.get(kind, (kind, Media.OTHER))
    cases = value.get("caseNumbers")
    return Record(
        key=f"{kind}\0{text.strip()}",
        raw=clipped(raw),
        fingerprints=((algorithm, text),),
        withdrawn=status.lower() in GONE,
        changed_at=instant(value.get("lastModtimestamp")),
        media=media,
        member=f"{len(cases)} case(s)" if isinstance(cases, dict | list) else "",
        labels=(shown(status, 30).lower(),),
        key_is_content=True,
    )


def _read(body: bytes) -> tuple[list[Item], bool]:
    """The records of a page, and whether something of the page itself was lost."""
    items: list[Item] = []
    try:
        document = json(body)
        found = document["hashRecords"] if isinstance(document, dict) else None
        if not isinstance(found, list):
            raise Unreadable(Flaw.PAGE, "The page has no records.")
    except (Unreadable, KeyError) as error:
        flaw = error.flaw if isinstance(error, Unreadable) and error.flaw is not Flaw.MALFORMED else Flaw.PAGE
        items.append(SetAside(f"page {hashlib.sha256(body).hexdigest()[:12]}", flaw))
        items += [_salvaged(each, place) for place, each in enumerate(objects_in(body, b"hashRecords"))]
        return items, True
    return [_item(each, place) for place, each in enumerate(found)], False


def _item(value: Any, place: int) -> Item:
    raw = msgspec.json.encode(value, order="deterministic").decode()
    try:
        return record_of(value, raw)
    except InputError:
        return SetAside(f"record {place + 1} of a page, {hashlib.sha256(raw.encode()).hexdigest()[:8]}", Flaw.MALFORMED, raw)


def _salvaged(data: bytes, place: int) -> Item:
    try:
        return _item(json(data), place)
    except Unreadable as error:
        name = f"record {place + 1} of a page, {hashlib.sha256(data).hexdigest()[:8]}"
        return SetAside(name, error.flaw, clipped(data.decode("utf-8", "replace")))


def _following(body: bytes, size: int) -> str:
    """The token of the next page. Raises _Smaller where the page is damaged and does not say."""
    try:
        document = json(body)
        more, token = document["hasMoreRecords"], document.get("nextPageToken")
    except (Unreadable, KeyError, TypeError, AttributeError) as error:
        saved = member_in(body, b"nextPageToken")
        if saved:
            return saved
        if size > 1 or re.search(rb'"hasMoreRecords"\s*:\s*false', body) is None:
            raise _Smaller(Flaw.TRUNCATED) from error
        return ""
    return str(token) if more is True and token else ""

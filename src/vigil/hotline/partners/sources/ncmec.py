"""NCMEC hash sharing, version 2: XML by ranges of time, pages by ``next``, votes by PUT.

Written by us and not taken from the public client (docs/decisions/0321): that one drops the exact hashes of images, loses a
whole page to one record, writes local times as UTC, and throws pages away to find out how long a range is.

Ranges are (from, to] in whole seconds of UTC. A range that cannot be read is halved until the second that cannot is known by
name; that second is set aside as a gap and the feed goes on. Ranges grow again while all is well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from vigil.base.clock import instant_of, text_of
from vigil.base.errors import InputError
from vigil.hotline.partners.sources.documents import Unreadable, clipped, instant, shown, xml
from vigil.hotline.partners.sources.limits import GAPS_A_RUN, PAGES_A_RUN
from vigil.hotline.partners.sources.ncmec_pages import BLOCKS, NAMESPACE, plain
from vigil.hotline.partners.sources.record import (
    Cursor,
    FeedBroken,
    Flaw,
    Item,
    Page,
    Record,
    SetAside,
    Vote,
    given,
    unreadable,
)
from vigil.hotline.partners.sources.refusals import Refusals
from vigil.hotline.partners.sources.transport import FetchError, Line

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
SETTLED: Final = timedelta(seconds=60)
"""The last minute is left to the next run: what is being written there may not all be visible yet."""
MOST_IN_RANGE: Final = 500_000
_RECORD: Final = re.compile(
    rb"<(?:[A-Za-z_][\w.-]*:)?(image|video|deletedImage|deletedVideo)(?:\s[^>]*)?>.*?"
    rb"</(?:[A-Za-z_][\w.-]*:)?\1\s*>",
    re.DOTALL,
)
_NEXT: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?next(?:\s[^>]*)?>([^<]*)</")
_PAGING: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?paging\b")
TAIL_BYTES: Final = 4096
"""Where the next page is looked for first: services write it last, and a search through a page costs a fifth of parsing it."""
_VOTED: Final = {
    "md5": "MD5", "sha1": "SHA1", "photodna": "PDNA", "pdq": "PDQ", "netclean": "NETCLEAN", "videntifier": "VIDENTIFIER",
    "tmk_pdqf": "TMK_PDQF", "ssvh_pdna": "SSVH_PDNA", "ssvh_safer_hash": "SSVH_SAFER_HASH",
}  # fmt: skip


@dataclass(slots=True)
class Range:
    """(start, end], and the page in it to go on with."""

    start: datetime
    end: datetime
    following: str = ""

    def cursor(self) -> Cursor:
        return {"from": text_of(self.start), "to": text_of(self.end), "next": self.following}

    @property
    def name(self) -> str:
        return f"{text_of(self.start)} to {text_of(self.end)}"


class Ncmec:
    """One account at one environment. ``line`` holds its credentials; its address is the base without ``/v2``."""

    whole_each_time = False

    def __init__(self, line: Line) -> None:
        self._line = line

    def is_stale(self, cursor: Cursor, now: datetime) -> bool:
        """Never: tombstones stay listed."""
        return False

    def pages(self, cursor: Cursor | None, now: datetime, *, stuck: bool = False) -> Iterator[Page]:
        """See :class:`.record.Feed`."""
        horizon = (now - SETTLED).replace(microsecond=0)
        at = _range_of(cursor, horizon)
        span = horizon - at.start
        refusals = Refusals(stuck=stuck)
        gaps, good = 0, False
        while at.start < horizon:
            try:
                for page in self._range(at, refusals):
                    yield page
                    good = good or not page.flawed
                    gaps += page.flawed
                    self._check_gaps(gaps, good, horizon, refusals)
            except _Shorter as shorter:
                at, span = self._shortened(at, shorter)
                if shorter.page is not None:
                    yield shorter.page
                    gaps += 1
                    self._check_gaps(gaps, good, horizon, refusals)
                continue
            at = Range(at.end, min(at.end + span, horizon))
            span = max(span, timedelta(seconds=1)) * 2

    def _check_gaps(self, gaps: int, good: bool, horizon: datetime, refusals: Refusals) -> None:
        """End the run of a source that is damaged everywhere: it would be asked about every second since 1970."""
        if gaps == 0 or (good and gaps < GAPS_A_RUN.value):
            return
        try:
            last = flaw_of(self._asked(Range(horizon - timedelta(seconds=1), horizon), refusals))
        except _Shorter as shorter:
            last = shorter.flaw
        if gaps >= GAPS_A_RUN.value or last is not None:
            raise refusals.last or unreadable()

    def _shortened(self, at: Range, why: _Shorter) -> tuple[Range, timedelta]:
        """A shorter range from the same start; past the one second that cannot be read."""
        length = at.end - at.start
        if length <= timedelta(seconds=1):
            gap = SetAside(f"seconds {at.name}", why.flaw or Flaw.GAP)
            onward = Range(at.end, at.end + length)
            why.page = Page(at.name, "", given([gap]), onward.cursor(), flawed=True)
            return onward, length
        half = timedelta(seconds=max(int(length.total_seconds()) // why.by, 1))
        return Range(at.start, at.start + half), half

    def _range(self, at: Range, refusals: Refusals) -> Iterator[Page]:
        """All pages of one range; raises _Shorter where it has to be asked for in smaller parts."""
        seen: set[str] = set()
        first = at.following == ""
        for _ in range(PAGES_A_RUN.value):
            body = self._asked(at, refusals)
            refusals.clear()
            following = _next_of(body)
            if first and _too_many(following) and at.end - at.start > timedelta(seconds=1):
                raise _Shorter(by=8)
            first = False
            if following and (following in seen or following == at.following):
                raise _Shorter(flaw=Flaw.CYCLE)
            flaw = flaw_of(body)
            if flaw is not None and at.end - at.start > timedelta(seconds=1):
                raise _Shorter(flaw=flaw)
            seen.add(following)
            done = not following
            onward = Range(at.end, at.end) if done else Range(at.start, at.end, following)
            read_later = _saver(body, at.name, flaw) if flaw is not None else _reader(body, at.name)
            yield Page(at.name, _digest(body), read_later, onward.cursor(), flaw is not None)
            if done:
                return
            at = Range(at.start, at.end, following)
        raise FeedBroken("source_endless", "The source sends page after page without end.")

    def _asked(self, at: Range, refusals: Refusals) -> bytes:
        try:
            if at.following:
                return self._line.get(self._line.path + at.following, accept="application/xml").body
            return self._line.get(f"{self._line.path}/v2/entries?{_query(at)}", accept="application/xml").body
        except FetchError as error:
            if at.following and error.status in (400, 404, 410):
                # A page that is no longer handed out: the range is asked for anew.
                at.following = ""
                return self._asked(at, refusals)
            flaw = Flaw.ENORMOUS if error.status == 413 else refusals.gap_of(error)
            if flaw is not None and (flaw is not Flaw.GAP or self._answers()):
                raise _Shorter(flaw=flaw) from error
            raise

    def _answers(self) -> bool:
        """Whether the source answers at all: then it is this place that it cannot answer for."""
        try:
            self._line.get(f"{self._line.path}/v2/status", accept="application/xml")
        except FetchError:
            return False
        return True

    # ---- votes

    def reasons(self, algorithm: str) -> dict[str, str]:
        """The reasons the source offers against a fingerprint of this type: guid to name."""
        kind = _voted(algorithm)
        root = xml(self._line.get(f"{self._line.path}/v2/feedback/{kind}/reasons", accept="application/xml").body)
        return {
            each.get("guid", ""): each.get("name", "") for each in root.iter() if _tag(each) == "reason" and each.get("guid")
        }

    def vote(self, vote: Vote) -> None:
        """PUT of a vote on one fingerprint of one entry."""
        kind = _voted(vote.algorithm)
        member, _, entry = vote.key.partition("-")
        if not re.fullmatch(r"[0-9]+", member) or not re.fullmatch(r"[A-Za-z0-9._-]+", entry):
            raise InputError("vote_key", "The entry has a name that cannot be voted on.")
        root = Element("feedbackSubmission", {"xmlns": NAMESPACE})
        if vote.agrees:
            SubElement(root, "affirmative")
        else:
            guids = SubElement(SubElement(root, "negative"), "reasonIds")
            SubElement(guids, "guid").text = self._reason(vote)
        target = f"{self._line.path}/v2/entries/{member}/{entry}/{kind}/feedback"
        self._line.put(target, tostring(root), "application/xml; charset=utf-8")

    def _reason(self, vote: Vote) -> str:
        """The guid for the reason that a person named, by guid or by name; the only one where there is one."""
        offered = self.reasons(vote.algorithm)
        chosen = [guid for guid, name in offered.items() if vote.reason in (guid, name)]
        if not vote.reason and len(offered) == 1:
            chosen = list(offered)
        if not chosen:
            raise InputError(
                "vote_reason", "The source does not offer this reason.", where="reason",
                mend="It offers: " + "; ".join(shown(name) for name in offered.values()),
            )  # fmt: skip
        return chosen[0]


class _Shorter(Exception):  # noqa: N818 - not a failure: the range is asked for in smaller parts
    def __init__(self, *, by: int = 2, flaw: Flaw | None = None) -> None:
        super().__init__("a shorter range is needed")
        self.by = by
        self.flaw = flaw
        self.page: Page | None = None


def record_of(element: Element, raw: str = "") -> Record:
    """One entry; ``raw`` as it was sent. Raises InputError where it is none."""
    block = _tag(element).lower()
    if block not in BLOCKS:
        raise InputError("record_kind", "There is no such kind of entry.")
    members = [each for each in element if _tag(each) == "member"]
    ids = [each for each in element if _tag(each) == "id"]
    member = members[0].get("id", "") if len(members) == 1 else ""
    entry = (ids[0].text or "").strip() if len(ids) == 1 else ""
    if not re.fullmatch(r"[0-9]{1,18}", member.strip()) or not entry:
        raise InputError("record_names", "An entry has exactly one member and one id.")
    prints = [each for part in element if _tag(part) == "fingerprints" for each in part]
    labels = [(each.text or "").strip() for each in element if _tag(each) == "classification"]
    stamp = next((each.text for each in element if _tag(each) == "timestamp"), None)
    return Record(
        key=f"{int(member)}-{entry}",
        raw=clipped(raw or tostring(element, encoding="unicode")),
        fingerprints=tuple((_tag(each), each.text.strip()) for each in prints if each.text and each.text.strip()),
        withdrawn=block.startswith("deleted"),
        changed_at=instant((stamp or "").strip()),
        media=BLOCKS[block],
        member=shown(f"{int(member)} {(members[0].text or '').strip()}".strip()),
        labels=tuple(shown(label, 60) for label in labels if label),
    )


def _reader(body: bytes, name: str) -> Callable[[], list[Item]]:
    return lambda: list(read(body, name))


def _saver(body: bytes, name: str, flaw: Flaw) -> Callable[[], list[Item]]:
    return lambda: [SetAside(f"seconds {name}", flaw), *(_salvaged(body) if flaw is not Flaw.DOCTYPE else ())]


def read(body: bytes, name: str) -> Iterator[Item]:
    """The entries of a page; each that cannot be read is named, and the others are used."""
    found = plain(body)
    yield from parsed(body, name) if found is None else found


def parsed(body: bytes, name: str) -> Iterator[Item]:
    """As :func:`read`, by the parser, whatever form the page has."""
    try:
        root = xml(body)
    except Unreadable as error:
        yield SetAside(f"page {name}", error.flaw if error.flaw is not Flaw.MALFORMED else Flaw.PAGE)
        if error.flaw not in (Flaw.DOCTYPE, Flaw.BOMB):
            yield from _salvaged(body)
        return
    elements = [each for block in root if _tag(block) in ("images", "videos") for each in block]
    sent = [found[0].decode() for found in _RECORD.finditer(body)]
    raws = sent if len(sent) == len(elements) else [""] * len(elements)
    for place, (element, raw) in enumerate(zip(elements, raws, strict=True)):
        yield _item(element, place, raw)


def _item(element: Element, place: int, raw: str = "") -> Item:
    try:
        return record_of(element, raw)
    except InputError:
        return SetAside(_name(element, place), Flaw.MALFORMED, clipped(tostring(element, encoding="unicode")))


def _salvaged(body: bytes) -> Iterator[Item]:
    """What can be read of a page that is no document: each entry as a document of its own."""
    for place, found in enumerate(_RECORD.finditer(body)):
        fragment = re.sub(rb"(</?)[A-Za-z_][\w.-]*:", rb"\1", found[0])
        try:
            yield _item(xml(fragment), place)
        except Unreadable as error:
            names = re.findall(rb"<id>([A-Za-z0-9._-]{1,80})</id>", fragment)
            name = f"entry {names[0].decode()}" if names else f"entry {place + 1} of a page"
            yield SetAside(name, error.flaw, clipped(fragment.decode("utf-8", "replace")))


def _name(element: Element, place: int) -> str:
    ids = [(each.text or "").strip() for each in element if _tag(each) == "id"]
    member = next((each.get("id", "?") for each in element if _tag(each) == "member"), "?")
    return shown(f"{member}-{ids[0]}" if ids and ids[0] else f"entry {place + 1} of a page", 150)


def _tag(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _next_of(body: bytes) -> str:
    """The path and query of the next page, relative to the base; empty on the last page."""
    found = _NEXT.findall(body[-TAIL_BYTES:]) or _NEXT.findall(body)
    text = found[-1].decode("ascii", "ignore").strip() if found else ""
    text = text.replace("&amp;", "&").replace("&lt;", "").replace("&gt;", "")
    return text if text.startswith("/v2/entries") and text.isprintable() and " " not in text else ""


def _too_many(following: str) -> bool:
    """Whether the rest of a range is more than one range should have, by what its next page says."""
    query = parse_qs(urlsplit(following).query)
    try:
        return int(query["max"][0]) - int(query["start"][0]) > MOST_IN_RANGE
    except (KeyError, ValueError):
        return False


def flaw_of(body: bytes) -> Flaw | None:
    """What shows without reading the document that it must not be believed about what comes next; None where nothing does."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return Flaw.DOCTYPE
    try:
        body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Flaw.NOT_UTF8
    return None if body.rstrip().endswith(b"queryResult>") else Flaw.TRUNCATED


def _digest(body: bytes) -> str:
    """Of the entries as sent; where the range goes on differs with the clock."""
    tail = max(len(body) - TAIL_BYTES, 0)
    found = list(_PAGING.finditer(body, tail)) or list(_PAGING.finditer(body))
    return hashlib.sha256(memoryview(body)[: found[-1].start()] if found else body).hexdigest()


def _query(at: Range) -> str:
    return urlencode({"from": text_of(at.start), "to": text_of(at.end)})


def _range_of(cursor: Cursor | None, horizon: datetime) -> Range:
    if not cursor:
        return Range(BEGINNING, horizon)
    start, end = instant_of(cursor["from"]), instant_of(cursor["to"])
    following = str(cursor.get("next", ""))
    return Range(start, end if following else horizon, following)


def _voted(algorithm: str) -> str:
    kind = _VOTED.get(algorithm)
    if kind is None:
        raise InputError("vote_type", "The source takes no votes on this type of fingerprint.", where="type")
    return kind

"""A service that clients of NCMEC hash sharing version 2 read: ``BASE/v2/…`` with BASE = ``…/exchange/ncmec/LIST``.

One list is one service, so that lists of different kinds are never mixed. Every entry has one fingerprint; addresses cannot be
said in this form and stand in ``left.csv``. Ranges are (from, to] in whole seconds; a ``to`` ahead of our clock is refused.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from vigil.base.clock import instant_of, text_of
from vigil.base.errors import InputError, VigilError
from vigil.editions.export.model import Reason, left
from vigil.editions.model import HashEntry, UrlEntry
from vigil.hotline.access.clock import now
from vigil.hotline.access.permissions import Permission
from vigil.hotline.doors.errors import problem, problem_of
from vigil.hotline.doors.partner.exchange.asking import (
    asking,
    known_list,
    left_over,
    left_without_form,
    mark_of,
    number_in,
    place_in,
    service,
)
from vigil.hotline.lists.enumerations import Opinion, VoteReason
from vigil.hotline.lists.exchange import journal
from vigil.hotline.lists.exchange.models import ExchangeItem
from vigil.hotline.lists.marking import books
from vigil.hotline.lists.numbers import own_number
from vigil.hotline.lists.quality import Ballot, do_vote
from vigil.match.hashing import algorithm_named

NAMESPACE: Final = "https://hashsharing.ncmec.org/hashsharing/v2"  # a name in documents; nothing is fetched from it
PAGE: Final = 10_000
MEMBER: Final = 1
AHEAD: Final = timedelta(seconds=60)
BODY_BYTES: Final = 64 * 1024
NAMES: Final = {"photodna": "pdna", "tmk_pdqf": "tmk-pdqf"}
VIDEO: Final = frozenset({"vpdq", "tmk_pdqf"})
TYPES: Final = {
    "MD5": "md5", "SHA1": "sha1", "PDNA": "photodna", "PDQ": "pdq", "NETCLEAN": "netclean", "VIDENTIFIER": "videntifier",
    "TMK_PDQF": "tmk_pdqf", "SSVH_PDNA": "ssvh", "SSVH_SAFER_HASH": "ssvh",
}  # fmt: skip
REASONS: Final = {
    "7e6d5a9e-0000-4000-8000-000000000001": VoteReason.NOT_THE_SAME,
    "7e6d5a9e-0000-4000-8000-000000000002": VoteReason.LAWFUL_HERE,
    "7e6d5a9e-0000-4000-8000-000000000003": VoteReason.OWN_CONTENT,
    "7e6d5a9e-0000-4000-8000-000000000004": VoteReason.OTHER,
}
WORDS: Final = {
    VoteReason.NOT_THE_SAME: "Not the same",
    VoteReason.LAWFUL_HERE: "Lawful here",
    VoteReason.OWN_CONTENT: "Own content",
    VoteReason.OTHER: "Other",
}


@service("GET", "HEAD")
def status(request: HttpRequest, name: str) -> HttpResponseBase:
    """Who asks."""
    who = escape(asking(request).name)
    return _document(f'<status xmlns="{NAMESPACE}"><ipAddress>0.0.0.0</ipAddress><username>{who}</username>{_member()}</status>')


@service("GET", "HEAD")
def members(request: HttpRequest, name: str) -> HttpResponseBase:
    """Who contributes: this hotline."""
    return _document(f'<members xmlns="{NAMESPACE}">{_member()}</members>')


@service("GET", "HEAD")
def entries(request: HttpRequest, name: str) -> HttpResponseBase:
    """What changed in (from, to], a page at a time."""
    node, moment = asking(request), now()
    if not known_list(node, name):
        return problem(404)
    start, end = _range(request, moment)
    place = place_in(request.GET.get("at", ""))
    items, onward = journal.read(node.partner, name, moment, after=start, until=end, place=place, limit=PAGE)
    return _document(_page(items, _next(request, node.partner, name, start, end, onward)))


@service("GET", "HEAD")
def left_csv(request: HttpRequest, name: str) -> HttpResponseBase:
    """Which entries this form cannot say, and why."""
    node = asking(request)
    if not known_list(node, name):
        return left_without_form(node, name)
    standing = (item.entry for item in journal.everything(node.partner, name, now()) if not item.gone)
    return left_over(left(entry, Reason.NO_ADDRESSES) for entry in standing if isinstance(entry, UrlEntry))


@service("GET", "HEAD")
def reasons(request: HttpRequest, name: str, kind: str) -> HttpResponseBase:
    """The reasons against a fingerprint. A second copy stands one level down, where the public client looks for it."""
    if kind not in TYPES:
        return problem(404)
    rows = "".join(f'<reason guid="{guid}" name={quoteattr(WORDS[reason])} type="{kind}"/>' for guid, reason in REASONS.items())
    inner = f"<availableFeedbackReasons>{rows}</availableFeedbackReasons>"
    return _document(f'<availableFeedbackReasons xmlns="{NAMESPACE}">{rows}{inner}</availableFeedbackReasons>')


@service("PUT", permission=Permission.VOTE_SEND)
def feedback(request: HttpRequest, name: str, member: int, entry: str, kind: str) -> HttpResponseBase:
    """A vote on the fingerprint of one entry. It is kept and counted; it never withdraws anything by itself."""
    node, moment = asking(request), now()
    if len(request.body) > BODY_BYTES:
        return problem(413)
    item = journal.one(node.partner, name, int(entry), moment) if re.fullmatch(r"[0-9]{1,19}", entry) else None
    if item is None or member != MEMBER or not isinstance(item.entry, HashEntry) or TYPES.get(kind) != item.entry.algorithm:
        return problem(404)
    number = own_number(node.partner, int(entry), books()) if node.partner else int(entry)
    newest = journal.newest(node.partner, moment)
    if number is None or newest is None:
        return problem(404)
    opinion, reason = _opinion(request.body)
    try:
        do_vote(node, Ballot(number, newest.number, opinion, reason))
    except VigilError as error:
        return problem_of(error)
    return HttpResponse(status=204)


def _opinion(body: bytes) -> tuple[Opinion, VoteReason]:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root = fromstring(body, forbid_dtd=True)
    except (DefusedXmlException, ParseError, ValueError) as error:
        raise InputError("vote_malformed", "This is no vote.") from error
    tags = {str(each.tag).rpartition("}")[2]: each for each in root.iter()}
    if "affirmative" in tags:
        return Opinion.CONFIRM, VoteReason.SEEN_AND_AGREED
    reason = REASONS.get((tags["guid"].text or "").strip()) if "negative" in tags and "guid" in tags else None
    if reason is None:
        raise InputError("vote_reason", "A vote against names one of the reasons.", mend="See feedback/TYPE/reasons.")
    return Opinion.REJECT, reason


def _range(request: HttpRequest, moment: datetime) -> tuple[datetime, datetime]:
    start, end = _instant(request.GET.get("from", "1970-01-01T00:00:00Z")), _instant(request.GET.get("to", text_of(moment)))
    if end > moment + AHEAD:
        raise InputError(
            "to_in_the_future", "The end of the range lies in the future.", where="to",
            mend="Set the clock right, and write times in UTC: local time marked Z skips entries.",
        )  # fmt: skip
    return start, end


def _instant(text: str) -> datetime:
    return instant_of(text.replace(" ", "+"))


def _next(
    request: HttpRequest, audience: str, name: str, start: datetime, end: datetime, onward: journal.Place | None
) -> str:
    if onward is None:
        return ""
    first = number_in(request.GET.get("start", ""), 0, 10**9) + PAGE
    most = number_in(request.GET.get("max", ""), 0, 10**9) or ExchangeItem.objects.filter(
        audience=audience, list=name, round__stamp__gt=start, round__stamp__lte=end
    ).count()
    query = {"from": text_of(start), "to": text_of(end), "start": first, "size": PAGE, "max": most, "at": mark_of(onward)}
    return f"/v2/entries?{urlencode(query)}"


def _page(items: list[journal.Item], following: str) -> str:
    images = [item for item in items if not _is_video(item)]
    videos = [item for item in items if _is_video(item)]
    paging = f"<paging><next>{escape(following)}</next></paging>" if following else "<paging/>"
    return f'<queryResult xmlns="{NAMESPACE}">{_block("image", images)}{_block("video", videos)}{paging}</queryResult>'


def _block(kind: str, items: list[journal.Item]) -> str:
    said = [item for item in items if isinstance(item.entry, HashEntry)]
    if not said:
        return f'<{kind}s count="0"/>'
    newest = text_of(max(item.stamp for item in said))
    return f'<{kind}s count="{len(said)}" maxTimestamp="{newest}">{"".join(_entry(kind, item) for item in said)}</{kind}s>'


def _entry(kind: str, item: journal.Item) -> str:
    entry = item.entry
    if not isinstance(entry, HashEntry):
        return ""
    tag = f"deleted{kind.title()}" if item.gone else kind
    head = f"{_member()}<timestamp>{text_of(item.stamp)}</timestamp><id>{entry.entry}</id>"
    if item.gone:
        return f"<{tag}>{head}</{tag}>"
    name = NAMES.get(entry.algorithm, entry.algorithm)
    value = escape(algorithm_named(entry.algorithm).text(entry.value))
    said = f"<classification>{escape(item.kind)}</classification><fingerprints><{name}>{value}</{name}></fingerprints>"
    return f"<{tag}>{head}{said}</{tag}>"


def _is_video(item: journal.Item) -> bool:
    return isinstance(item.entry, HashEntry) and item.entry.algorithm in VIDEO


def _member() -> str:
    return f'<member id="{MEMBER}">{escape(settings.CONFIG.name)}</member>'


def _document(text: str) -> HttpResponse:
    return HttpResponse(text.encode(), content_type="application/xml; charset=utf-8")

"""Lists in the shapes of StopNCII and of ThreatExchange, and as a MISP feed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from vigil.editions.export.misp import write as misp_files
from vigil.editions.export.model import Leftover, Occasion, Reason, alive, left
from vigil.editions.model import HashEntry, UrlEntry
from vigil.hotline.access.clock import now
from vigil.hotline.doors.errors import problem
from vigil.hotline.doors.partner.exchange.asking import (
    asking,
    known_list,
    left_over,
    left_without_form,
    mark_of,
    number_in,
    place_in,
    service,
    whole_seconds,
)
from vigil.hotline.doors.partner.exchange.taxii import collection_id
from vigil.hotline.lists.exchange import journal
from vigil.hotline.lists.exchange.unsaid import words_unsaid
from vigil.match.hashing import algorithm_named
from vigil.match.urls import Scope

MOST: Final = 5000
NCII: Final = {"pdq": "ImagePDQ", "tmk_pdqf": "VideoTMK"}
THREATS: Final = {"pdq": "HASH_PDQ", "md5": "HASH_MD5", "sha1": "HASH_SHA1", "sha256": "HASH_SHA256", "tmk_pdqf": "HASH_TMK"}


@service("GET", "HEAD")
def index(request: HttpRequest) -> HttpResponseBase:
    """Every list this node may have, with its address in each form."""
    node = asking(request)
    at = request.build_absolute_uri
    found = [
        {
            "list": name, "ncmec": at(f"/exchange/ncmec/{name}"), "stopncii": at(f"/exchange/stopncii/{name}"),
            "threatexchange": {"endpoint": at("/exchange/threatexchange"), "privacy_group": group_of(name)},
            "taxii": {"discovery": at("/exchange/taxii/"), "collection": collection_id(name)},
        }
        for name in journal.lists_of(node.partner)
    ]  # fmt: skip
    words = sorted({each.list for each in words_unsaid(node.partner, now())})
    return JsonResponse({"lists": found, "misp": at("/exchange/misp/"), "without_a_form": words})


# ---- StopNCII


@service("GET", "HEAD")
def fetch_hashes(request: HttpRequest, name: str) -> HttpResponseBase:
    """``FetchHashes``: what changed at ``startTimestamp`` or later."""
    node = asking(request)
    if not known_list(node, name):
        return problem(404)
    items, onward = _since(request, name, request.GET.get("startTimestamp", ""), request.GET.get("pageSize", ""), "nextPageToken")
    records = [_ncii(item, algorithm) for item in items if (algorithm := _ncii_type(item)) is not None]
    newest = max((whole_seconds(item.stamp) for item in items), default=0)
    return JsonResponse(
        {
            "count": len(records), "nextPageToken": mark_of(onward) or None, "hasMoreRecords": onward is not None,
            "nextSetTimestamp": newest or _start(request, "startTimestamp"),
            "hashRecords": records,
        }
    )  # fmt: skip


@service("GET", "HEAD")
def ncii_left(request: HttpRequest, name: str) -> HttpResponseBase:
    """Which entries the StopNCII shape cannot say."""
    return _left(request, name, _ncii_type)


def _ncii_type(item: journal.Item) -> str | None:
    entry = item.entry
    if isinstance(entry, HashEntry):
        return NCII.get(entry.algorithm)
    return "URL" if entry.scope is Scope.URL else None


def _ncii(item: journal.Item, kind: str) -> dict[str, Any]:
    status = "Withdrawn" if item.gone else "Active"
    return {
        "lastModtimestamp": whole_seconds(item.stamp), "signalType": kind, "hashValue": _value(item), "hashStatus": status,
        "caseNumbers": {str(item.entry.entry): status}, "CSPFeedbacks": [],
    }  # fmt: skip


# ---- ThreatExchange


def group_of(name: str) -> int:
    """The privacy group of a list: a number that stays."""
    return int(hashlib.sha256(f"privacy group {name}".encode()).hexdigest()[:12], 16)


@service("GET", "HEAD")
def threat_updates(request: HttpRequest, group: int) -> HttpResponseBase:
    """``threat_updates``: what changed at ``start_time`` or later."""
    node = asking(request)
    name = next((each for each in journal.lists_of(node.partner) if group_of(each) == group), None)
    if name is None:
        return problem(404)
    items, onward = _since(request, name, request.GET.get("start_time", ""), request.GET.get("limit", ""), "after")
    document: dict[str, Any] = {"data": [_threat(item, kind) for item in items if (kind := _threat_type(item)) is not None]}
    if onward is not None:
        query = urlencode({**{key: value for key, value in request.GET.items() if key != "after"}, "after": mark_of(onward)})
        document["paging"] = {"next": request.build_absolute_uri(f"{request.path}?{query}")}
    return JsonResponse(document)


@service("GET", "HEAD")
def threat_left(request: HttpRequest, group: int) -> HttpResponseBase:
    """Which entries the ThreatExchange shape cannot say."""
    name = next((each for each in journal.lists_of(asking(request).partner) if group_of(each) == group), "")
    return _left(request, name, _threat_type)


def _threat_type(item: journal.Item) -> str | None:
    entry = item.entry
    if isinstance(entry, HashEntry):
        return THREATS.get(entry.algorithm)
    return "URI" if entry.scope is Scope.URL else None


def _threat(item: journal.Item, kind: str) -> dict[str, Any]:
    stamp, number = whole_seconds(item.stamp), str(item.entry.entry)
    shown: dict[str, Any] = {
        "id": number, "indicator": _value(item), "type": kind, "last_updated": stamp, "should_delete": item.gone,
    }  # fmt: skip
    if not item.gone:
        tags = [{"text": label} for label in (item.kind, *item.entry.labels)]
        opinion = {"id": number, "owner": {"id": "1"}, "status": "MALICIOUS", "tags": {"data": tags}, "added_on": stamp}
        shown["descriptors"] = {"data": [opinion]}
    return shown


# ---- MISP


@service("GET", "HEAD")
def misp_file(request: HttpRequest, name: str) -> HttpResponseBase:
    """One file of the feed: ``manifest.json``, ``hashes.csv`` or ``<uuid>.json``."""
    files, _ = _misp(request)
    content = files.get(name)
    if content is None:
        return problem(404)
    return HttpResponse(content, content_type="text/csv" if name.endswith(".csv") else "application/json")


@service("GET", "HEAD")
def misp_left(request: HttpRequest) -> HttpResponseBase:
    """Which entries the feed cannot say, or only in part."""
    return left_over([*_misp(request)[1], *words_unsaid(asking(request).partner, now())])


def _misp(request: HttpRequest) -> tuple[dict[str, bytes], list[Leftover]]:
    node, moment = asking(request), now()
    newest = journal.newest(node.partner, moment)
    if newest is None:
        return {"manifest.json": b"{}\n", "hashes.csv": b""}, []
    everything = [item for name in journal.lists_of(node.partner) for item in journal.everything(node.partner, name, moment)]
    standing = journal.contents_of((item for item in everything if not item.gone), {})
    before = journal.contents_of(everything, {})
    # Dated by the last change, so that a reader that compares times fetches again only what changed.
    occasion = Occasion(newest.number, newest.stamp, before)
    return misp_files(alive(standing, moment), occasion)


# ---- what the shapes share


def _since(request: HttpRequest, name: str, start: str, size: str, token: str) -> tuple[list[journal.Item], journal.Place | None]:
    """A page from a time on, that time included: these readers ask again for the newest second they have."""
    after = datetime.fromtimestamp(number_in(start, 0, 10**11), UTC) - timedelta(seconds=1)
    limit = number_in(size, MOST, MOST) or MOST
    place = place_in(request.GET.get(token, ""))
    return journal.read(asking(request).partner, name, now(), after=after, place=place, limit=limit)


def _start(request: HttpRequest, name: str) -> int:
    return number_in(request.GET.get(name, ""), 0, 10**11)


def _left(request: HttpRequest, name: str, kind_of: Any) -> HttpResponseBase:
    node = asking(request)
    if not known_list(node, name):
        return left_without_form(node, name)
    return left_over(_missing(node.partner, name, kind_of))


def _missing(audience: str, name: str, kind_of: Any) -> Iterator[Leftover]:
    for item in journal.everything(audience, name, now()):
        if item.gone or kind_of(item) is not None:
            continue
        yield left(item.entry, Reason.HASH_TYPE if isinstance(item.entry, HashEntry) else Reason.WOULD_WIDEN)


def _value(item: journal.Item) -> str:
    entry = item.entry
    if isinstance(entry, UrlEntry):
        return entry.url.text()
    return algorithm_named(entry.algorithm).text(entry.value)



"""TAXII 2.1: each list is a collection of STIX indicators, by the time since when they stand there; revoked ones stay."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from vigil.base.clock import instant_of
from vigil.editions.export.model import left
from vigil.editions.export.stix import NAMESPACE, TLP_RED, indicator
from vigil.hotline.access.clock import now
from vigil.hotline.doors.errors import problem
from vigil.hotline.doors.partner.exchange.asking import asking, left_over, mark_of, number_in, place_in, service
from vigil.hotline.lists.exchange import journal

MEDIA: Final = "application/taxii+json;version=2.1"
STIX: Final = "application/stix+json;version=2.1"
PAGE: Final = 1000
MOST: Final = 10_000


@service("GET", "HEAD")
def discovery(request: HttpRequest) -> HttpResponseBase:
    """Where the API root is."""
    root = request.build_absolute_uri("/exchange/taxii/api/")
    return _answer({"title": settings.CONFIG.name, "default": root, "api_roots": [root]})


@service("GET", "HEAD")
def api_root(request: HttpRequest) -> HttpResponseBase:
    """The one API root."""
    return _answer({"title": settings.CONFIG.name, "versions": [MEDIA], "max_content_length": 4 * 1024 * 1024})


@service("GET", "HEAD")
def collections(request: HttpRequest) -> HttpResponseBase:
    """One collection for each list."""
    return _answer({"collections": [_collection(name) for name in journal.lists_of(asking(request).partner)]})


@service("GET", "HEAD")
def collection(request: HttpRequest, known: str) -> HttpResponseBase:
    """One of them."""
    name = _list_of(request, known)
    return problem(404) if name is None else _answer(_collection(name))


@service("GET", "HEAD")
def objects(request: HttpRequest, known: str) -> HttpResponseBase:
    """The indicators of a collection, oldest first; ``added_after``, ``limit``, ``next`` and ``match`` as in the standard."""
    return _list(request, known, "objects")


@service("GET", "HEAD")
def manifest(request: HttpRequest, known: str) -> HttpResponseBase:
    """The same as names, times and versions."""
    return _list(request, known, "manifest")


@service("GET", "HEAD")
def one_object(request: HttpRequest, known: str, wanted: str) -> HttpResponseBase:
    """One indicator by its id."""
    name = _list_of(request, known)
    found = None if name is None else _find(asking(request).partner, name, wanted)
    if found is None:
        return problem(404)
    return _dated(_answer({"objects": [found[0]]}), [found[1]])


@service("GET", "HEAD")
def versions(request: HttpRequest, known: str, wanted: str) -> HttpResponseBase:
    """The versions of one object: the newest is kept."""
    name = _list_of(request, known)
    found = None if name is None else _find(asking(request).partner, name, wanted)
    if found is None:
        return problem(404)
    return _dated(_answer({"versions": [found[0]["modified"]]}), [found[1]])


@service("GET", "HEAD")
def left_csv(request: HttpRequest, known: str) -> HttpResponseBase:
    """Which entries this form says only in part, and why."""
    name = _list_of(request, known)
    if name is None:
        return problem(404)
    missing = []
    for item in journal.everything(asking(request).partner, name, now()):
        _, reason = indicator(item.entry, item.kind, item.stamp)
        if reason is not None and not item.gone:
            missing.append(left(item.entry, reason, partly=True))
    return left_over(missing)


def collection_id(name: str) -> str:
    """The id of a list's collection: the same for ever."""
    return str(uuid.uuid5(NAMESPACE, f"collection {name}"))


def _list(request: HttpRequest, known: str, form: str) -> HttpResponseBase:
    name = _list_of(request, known)
    if name is None:
        return problem(404)
    asked = request.GET
    after = instant_of(asked["added_after"]) if asked.get("added_after") else None
    limit = number_in(asked.get("limit", ""), PAGE, MOST) or PAGE
    items, onward = journal.read(
        asking(request).partner, name, now(), after=after, place=place_in(asked.get("next", "")), limit=limit
    )
    shown = [(_said(item), item.stamp) for item in items]
    wanted = {each for each in asked.get("match[id]", "").split(",") if each}
    types = {each for each in asked.get("match[type]", "").split(",") if each}
    shown = [each for each in shown if (not wanted or each[0]["id"] in wanted) and (not types or each[0]["type"] in types)]
    document: dict[str, Any] = {"more": onward is not None}
    if onward is not None:
        document["next"] = mark_of(onward)
    if shown:
        document["objects"] = [_about(*each) for each in shown] if form == "manifest" else [each for each, _ in shown]
    return _dated(_answer(document), [item.stamp for item in items])


def _said(item: journal.Item) -> dict[str, Any]:
    said, _ = indicator(item.entry, item.kind, item.stamp)
    return said | ({"revoked": True} if item.gone else {})


def _about(said: dict[str, Any], stamp: datetime) -> dict[str, Any]:
    return {"id": said["id"], "date_added": _time(stamp), "version": said["modified"], "media_type": STIX}


def _find(audience: str, name: str, wanted: str) -> tuple[dict[str, Any], datetime] | None:
    if wanted == TLP_RED["id"]:
        return {**TLP_RED, "modified": TLP_RED["created"]}, now()
    for item in journal.everything(audience, name, now()):
        said = _said(item)
        if said["id"] == wanted:
            return said, item.stamp
    return None


def _list_of(request: HttpRequest, known: str) -> str | None:
    return next((name for name in journal.lists_of(asking(request).partner) if collection_id(name) == known), None)


def _collection(name: str) -> dict[str, Any]:
    return {
        "id": collection_id(name), "title": name, "description": f"List {name}. TLP:RED: do not pass on.", "can_read": True,
        "can_write": False, "media_types": [STIX],
    }  # fmt: skip


def _answer(document: dict[str, Any]) -> HttpResponse:
    return HttpResponse(json.dumps(document).encode(), content_type=MEDIA)


def _dated(answer: HttpResponse, stamps: list[datetime]) -> HttpResponse:
    if stamps:
        answer["X-TAXII-Date-Added-First"], answer["X-TAXII-Date-Added-Last"] = _time(min(stamps)), _time(max(stamps))
    return answer


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

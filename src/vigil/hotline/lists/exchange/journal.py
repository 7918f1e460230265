"""The journal: for each audience, what stands on its lists and since when it is visible.

Written by the office when an edition has come into force, by comparing what was published with what the journal has. So what
partners read here is what they read in editions, marks and all, and never more. A stamp lies a minute ahead of the moment
in which it is written, and nothing is shown before its stamp: whoever asked up to any time in the past, or in a clock's honest
error ahead, has seen everything that will ever stand there (facts that readers rely on: ranges are never revised).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from vigil.base.clock import instant_of, text_of
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.sealing import matching_digest
from vigil.hotline.lists.exchange.models import ExchangeItem, ExchangeRound
from vigil.hotline.lists.sharing import shares_now
from vigil.match.hashing import algorithm_named
from vigil.match.urls import EntryFlag, Scope, canonical

HOUSE: Final = ""
AHEAD: Final = timedelta(seconds=61)
"""A reader's clock may be a minute ahead of ours; what is written now shows after that."""
_AT_ONCE: Final = 2000

Entry = UrlEntry | HashEntry


@dataclass(frozen=True, slots=True)
class Item:
    """One entry as an audience sees it. ``stamp``: since when in this state."""

    entry: Entry
    kind: str
    gone: bool
    stamp: datetime


def do_take(person: Person, contents: EditionContents, number: int, moment: datetime) -> None:
    """Note what edition ``number``, made of ``contents``, shows to each audience."""
    must(person, Permission.PUBLICATION_BUILD)
    copies = [(HOUSE, contents), *shares_now(person, contents, moment)]
    known = set(ExchangeItem.objects.values_list("audience", flat=True).distinct())
    copies += [(audience, EditionContents(())) for audience in sorted(known - {audience for audience, _ in copies})]
    for audience, copy in copies:
        _take(audience, copy, number, moment)


def _take(audience: str, contents: EditionContents, number: int, moment: datetime) -> None:
    with transaction.atomic():
        there = {
            (name, entry): (pk, digest, gone)
            for pk, name, entry, digest, gone in ExchangeItem.objects.filter(audience=audience).values_list(
                "pk", "list", "entry", "digest", "gone"
            )
        }
        stated = _stated(contents)
        fresh = [key for key in stated if key not in there]
        changed = [key for key, text in stated.items() if key in there and there[key][1:] != (_digest(text), False)]
        gone = [key for key, (_, _, was_gone) in there.items() if key not in stated and not was_gone]
        if not fresh and not changed and not gone:
            return
        made = ExchangeRound.objects.create(audience=audience, number=number, stamp=_stamp(audience, moment))
        ExchangeItem.objects.bulk_create(
            (
                ExchangeItem(audience=audience, list=name, entry=entry, round=made, digest=_digest(stated[name, entry]),
                             content=stated[name, entry])
                for name, entry in fresh
            ),
            batch_size=_AT_ONCE,
        )  # fmt: skip
        for key in changed:
            ExchangeItem.objects.filter(pk=there[key][0]).update(
                round=made, gone=False, digest=_digest(stated[key]), content=stated[key]
            )
        pks = [there[key][0] for key in gone]
        for start in range(0, len(pks), _AT_ONCE):
            ExchangeItem.objects.filter(pk__in=pks[start : start + _AT_ONCE]).update(round=made, gone=True)


def _stamp(audience: str, moment: datetime) -> datetime:
    """Whole seconds, later than every stamp before."""
    stamp = (moment + AHEAD).replace(microsecond=0)
    last = ExchangeRound.objects.filter(audience=audience).order_by("-stamp").first()
    return stamp if last is None or last.stamp < stamp else last.stamp + timedelta(seconds=1)


def _stated(contents: EditionContents) -> dict[tuple[str, int], str]:
    kinds = {info.name: info.kind for info in contents.lists}
    entries: tuple[Entry, ...] = (*contents.urls, *contents.hashes)
    return {(entry.list, entry.entry): _text(entry, kinds[entry.list]) for entry in entries}


def _digest(text: str) -> str:
    return matching_digest("exchange-item", text)


def _text(entry: Entry, kind: str) -> str:
    stated: dict[str, Any] = {"kind": kind, "labels": list(entry.labels)}
    if entry.expires is not None:
        stated["expires"] = text_of(entry.expires)
    if isinstance(entry, UrlEntry):
        stated |= {"url": entry.url.text(), "scope": entry.scope.value, "flags": int(entry.flags)}
    else:
        stated |= {"algorithm": entry.algorithm, "value": algorithm_named(entry.algorithm).text(entry.value)}
    return json.dumps(stated, sort_keys=True)


def _entry(row: ExchangeItem) -> tuple[Entry, str]:
    stated = json.loads(row.content.open())
    expires = instant_of(stated["expires"]) if "expires" in stated else None
    labels = tuple(stated["labels"])
    if "url" in stated:
        return UrlEntry(
            row.entry, row.list, canonical(stated["url"]), Scope(stated["scope"]), EntryFlag(stated["flags"]), labels, expires
        ), stated["kind"]  # fmt: skip
    value = algorithm_named(stated["algorithm"]).parse(stated["value"])
    return HashEntry(row.entry, row.list, stated["algorithm"], value, labels, expires), stated["kind"]


# ---- reading


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a reader is: after this entry of this round. The order in which everything is handed out."""

    round: int = 0
    entry: int = -1


def lists_of(audience: str) -> list[str]:
    """The lists on which an audience has, or had, anything."""
    found = ExchangeItem.objects.filter(audience=audience).values_list("list", flat=True)
    return sorted(found.distinct().order_by())


def read(
    audience: str, name: str, moment: datetime, *, after: datetime | None = None, until: datetime | None = None,
    place: Place | None = None, limit: int,
) -> tuple[list[Item], Place | None]:  # fmt: skip
    """Up to ``limit`` items of one list with ``after`` < stamp <= ``until``, beyond ``place``; and where to go on, or None.

    By key and never by offset: an item that changes while somebody pages leaves its old place and is met at its new one.
    """
    found = ExchangeItem.objects.filter(audience=audience, list=name, round__stamp__lte=min(moment, until or moment))
    if after is not None:
        found = found.filter(round__stamp__gt=after)
    if place is not None:
        found = found.filter(round_id__gte=place.round).exclude(round_id=place.round, entry__lte=place.entry)
    rows = list(found.select_related("round").order_by("round_id", "entry")[: limit + 1])
    items = [_item(row, moment) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return items, None if last is None else Place(last.round_id, last.entry)


def one(audience: str, name: str, entry: int, moment: datetime) -> Item | None:
    """One visible item by its number."""
    found = ExchangeItem.objects.filter(audience=audience, list=name, entry=entry, round__stamp__lte=moment)
    row = found.select_related("round").first()
    return None if row is None else _item(row, moment)


def everything(audience: str, name: str, moment: datetime) -> Iterator[Item]:
    """All visible items of one list."""
    found = ExchangeItem.objects.filter(audience=audience, list=name, round__stamp__lte=moment)
    for row in found.select_related("round").order_by("round_id", "entry").iterator(chunk_size=_AT_ONCE):
        yield _item(row, moment)


def newest(audience: str, moment: datetime) -> ExchangeRound | None:
    """The last round that an audience can see."""
    return ExchangeRound.objects.filter(audience=audience, stamp__lte=moment).order_by("-stamp").first()


def contents_of(items: Iterable[Item], infos: dict[str, ListInfo]) -> EditionContents:
    """Items as the contents that the export formats take."""
    urls, hashes, names = [], [], {}
    for item in items:
        entry = item.entry
        names[entry.list] = infos.get(entry.list) or ListInfo(entry.list, item.kind)
        if isinstance(entry, UrlEntry):
            urls.append(entry)
        else:
            hashes.append(entry)
    return EditionContents(tuple(names[name] for name in sorted(names)), tuple(urls), tuple(hashes))


def _item(row: ExchangeItem, moment: datetime) -> Item:
    entry, kind = _entry(row)
    over = entry.expires is not None and entry.expires <= moment
    return Item(entry, kind, row.gone or over, row.round.stamp)

"""Entries that match far too often, as nodes tell them: taken in, added up, held where it is a flood.

A node tells of an entry only when it matched at least a floor of times within an hour, and only in steps of that floor: no single
request, and no rarely asked page, is ever told of. Numbers are those of the node's own copy and are translated here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from django.db import transaction
from django.db.models import Sum

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.editions.opaque import LARGEST
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.lists.marking import books
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.numbers import own_number
from vigil.hotline.lists.quality import do_hold_flood, is_flood
from vigil.hotline.partners.models import Node
from vigil.hotline.statistics.counts import OLDEST, SKEW, UnprocessableError
from vigil.hotline.statistics.models import EntryCount

FLOOR: Final = 100
ROWS: Final = Limit(50, "entries", "a node tells of its fullest entries; the rest are no flood")
BODY_BYTES: Final = Limit(16 * 1024, "bytes", "fifty rows of numbers")
BASELINE: Final = timedelta(days=14)


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``number`` matches of ``entry`` (in the numbers of the node's copy), a multiple of the floor."""

    entry: Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
    number: Annotated[int, msgspec.Meta(ge=FLOOR, le=2**53)]


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The wire form: docs/reference/edge-api.md."""

    v: Literal[1]
    node: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    edition: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    hour: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:00Z$")]
    floor: Annotated[int, msgspec.Meta(ge=FLOOR, le=2**31)]
    entries: Annotated[tuple[Row, ...], msgspec.Meta(min_length=1, max_length=ROWS.value)]


def read_told(body: bytes) -> Told:
    """The rows in ``body``. Raises InputError for what is not JSON, UnprocessableError for what is no such message."""
    try:
        return msgspec.json.decode(body, type=Told)
    except msgspec.ValidationError as error:
        raise UnprocessableError("matches_wrong", "These are no counts of entries.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("json_malformed", "This is not JSON.") from error


def check_take_matches(node: Node, told: Told) -> datetime:
    """Refuse another node's rows, an hour that cannot be, and numbers that were not rounded; gives the hour."""
    must(node, Permission.COUNTS_SEND)
    if told.node != node.name:
        raise UnprocessableError("node_differs", "The message names another node than the token.", where="node")
    try:
        hour = datetime.strptime(told.hour, "%Y-%m-%dT%H:00Z").replace(tzinfo=UTC)
    except ValueError as error:
        raise UnprocessableError("hour_malformed", "There is no such hour.", where="hour") from error
    if hour > now() + SKEW or hour < now() - OLDEST:
        raise UnprocessableError("hour_implausible", "The hour is in the future or too long ago.", where="hour")
    if any(row.number % told.floor for row in told.entries):
        raise UnprocessableError("count_not_rounded", "A number is no multiple of the floor.", where="entries")
    return hour


def do_take_matches(node: Node, body: bytes) -> int:
    """Keep what a node tells; gives how many entries were held back because of it. The larger number of an hour stays."""
    told = read_told(body)
    hour = check_take_matches(node, told)
    known = books()
    found = [(number, row.number) for row in told.entries if (number := own_number(node.partner, row.entry, known)) is not None]
    held = 0
    for number, matches in found:
        with transaction.atomic():
            _keep(node, number, told.edition, hour, matches)
            held += _hold_if_flood(number, hour)
    return held


def _keep(node: Node, entry: int, edition: int, hour: datetime, matches: int) -> None:
    row, made = EntryCount.objects.select_for_update().get_or_create(
        node=node, entry=entry, edition=edition, hour=hour, defaults={"number": matches, "created_by": node.label}
    )
    if not made and row.number < matches:
        EntryCount.objects.filter(pk=row.pk).update(number=matches)


def _hold_if_flood(number: int, hour: datetime) -> bool:
    entry = ListEntry.objects.select_related("list").filter(pk=number).first()
    if entry is None:
        return False
    total = sum(hours_of(number, hour, hour + timedelta(hours=1)))
    if not is_flood(entry, total, hours_of(number, hour - BASELINE, hour)):
        return False
    return do_hold_flood(entry, total) is not None


def hours_of(number: int, since: datetime, until: datetime) -> Sequence[int]:
    """Matches of an entry over all nodes, for each hour in which any node told of it."""
    rows = EntryCount.objects.filter(entry=number, hour__gte=since, hour__lt=until)
    return [row["total"] for row in rows.values("hour").annotate(total=Sum("number")).order_by("hour")]

"""Taking what nodes carry from small hours into days and weeks: sums in steps of k (facts: counting, section 4, choice A).

A node tells of a list and period once. The same bytes again change nothing; other bytes under the same key are refused.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from vigil.base.errors import InputError
from vigil.editions import selftest
from vigil.editions.node_signatures import COUNTS
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.lists.models import List
from vigil.hotline.partners.models import Node
from vigil.hotline.statistics.classes import CountClass
from vigil.hotline.statistics.counts import (
    LARGEST_K,
    NO_LIST,
    OLDEST,
    SKEW,
    VECTOR_BYTES,
    MessageName,
    UnprocessableError,
    place_of,
)
from vigil.hotline.statistics.keeping import keep_once
from vigil.hotline.statistics.models import CarriedCount
from vigil.hotline.statistics.node_keys import check_signature

LENGTHS: Final = {"day": timedelta(days=1), "week": timedelta(days=7)}
CELLS_MOST: Final = 100_000  # hours of a day, times editions that came within them
Number = Annotated[int, msgspec.Meta(ge=1, le=2**40)]


class Carried(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The wire form (docs/reference/edge-api.md)."""

    v: Literal[1]
    rules: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    node: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    list: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    period: Literal["day", "week"]
    start: date
    counts: dict[CountClass, Number]
    cells: dict[str, Annotated[int, msgspec.Meta(ge=1, le=CELLS_MOST)]]
    k: Annotated[int, msgspec.Meta(ge=2, le=LARGEST_K)]
    messages: dict[MessageName, Number] | None = None

    @property
    def since(self) -> datetime:
        """The first instant of the period."""
        return datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)

    def numbers(self) -> dict[str, int]:
        """Everything that is told, by name."""
        return {**{kind.value: number for kind, number in self.counts.items()}, **(self.messages or {})}


def is_carried(body: bytes) -> bool:
    """True where a body says a period, as vectors of hours do not."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(found, dict) and "period" in found


def read_carried(body: bytes) -> Carried:
    """What is in ``body``. Raises InputError for what is not JSON, UnprocessableError for what is not of this form."""
    if len(body) > VECTOR_BYTES.value:
        raise UnprocessableError("vector_too_large", f"A vector has at most {VECTOR_BYTES.value} bytes.")
    try:
        return msgspec.json.decode(body, type=Carried)
    except msgspec.ValidationError as error:
        raise UnprocessableError("vector_wrong", "These are no carried counts.", where=place_of(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("json_malformed", "This is not JSON.") from error


def check_take_carried(node: Node, told: Carried) -> None:
    """Refuse what another node should send, and what cannot be true."""
    must(node, Permission.COUNTS_SEND)
    if told.node != node.name:
        raise UnprocessableError("node_differs", "The vector names another node than the token.", where="node")
    if told.list not in (NO_LIST, selftest.LIST) and not List.objects.filter(name=told.list).exists():
        raise UnprocessableError("list_unknown", "There is no list of that name.", where="list")
    over = told.since + LENGTHS[told.period]
    if over > now() + SKEW or told.since < now() - OLDEST or (told.period == "week" and told.start.weekday()):
        raise UnprocessableError("period_implausible", "The period is not over, too long ago, or no week.", where="start")
    numbers = told.numbers()
    if not numbers or set(told.cells) != set(numbers):
        raise UnprocessableError("vector_wrong", "Each number says of how many it is made.", where="cells")
    if told.list == NO_LIST and set(told.counts) - {CountClass.UNKNOWN, CountClass.BYPASSED}:
        raise UnprocessableError("class_without_list", "Only unchecked requests belong to no list.", where="counts")
    for name, number in numbers.items():
        _check_number(number, told.cells[name], told.k)


def _check_number(number: int, cells: int, k: int) -> None:
    """A sum of a day or a week is in steps of k, and no more than all but one of the numbers hidden in it could make alone."""
    if number % k or number > (cells - 1) * (k - 1):
        raise UnprocessableError("count_not_suppressed", "A sum is not in steps of k, or tells too much.", where="counts")


def do_take_carried(node: Node, body: bytes, signature: str = "") -> bool:
    """Keep what a node carried; False where the same bytes were there. Raises as ``do_take_counts`` does."""
    signed = check_signature(node, signature, COUNTS, body)
    told = read_carried(body)
    check_take_carried(node, told)

    def known() -> CarriedCount | None:
        same = CarriedCount.objects.filter(node=node, list=told.list, period=told.period, start=told.start, k=told.k)
        return same.first()

    def keep(digest: str) -> CarriedCount:
        made: CarriedCount = CarriedCount.objects.create(
            node=node, list=told.list, period=told.period, start=told.start, rules=told.rules, k=told.k,
            counts={kind.value: number for kind, number in told.counts.items()}, cells=told.cells,
            messages=told.messages or {}, signed=signed, body_digest=digest, created_by=node.label,
        )  # fmt: skip
        return made

    return keep_once(node, body, known, keep, where="start")[1]

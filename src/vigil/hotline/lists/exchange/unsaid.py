"""What no form of a clearing house can say: the words of keyword lists. Told by list and number, never by what they are."""

from __future__ import annotations

from datetime import datetime

from vigil.editions.export.model import Leftover, Reason
from vigil.hotline.lists.enumerations import Signal
from vigil.hotline.lists.exchange.journal import HOUSE
from vigil.hotline.lists.marking import books
from vigil.hotline.lists.queries import in_force
from vigil.hotline.lists.sharing import grants_at


def words_unsaid(audience: str, moment: datetime) -> list[Leftover]:
    """Words in force on the lists of an audience, under the numbers by which it knows them."""
    rows = list(in_force(moment).filter(signal=Signal.KEYWORD.value).values_list("list__name", "number"))
    if audience != HOUSE:
        rows = _as_shown(audience, rows, moment)
    return [Leftover(name, number, Reason.KEYWORD) for name, number in rows]


def _as_shown(partner: str, rows: list[tuple[str, int]], moment: datetime) -> list[tuple[str, int]]:
    granted = {name for grant in grants_at(moment) if grant.partner == partner for name in grant.lists}
    known = books()
    if not granted or not known:
        return []
    numbers = known[0].numbers_of(partner)
    return [(name, int(numbers.shown([number])[0])) for name, number in rows if name in granted]

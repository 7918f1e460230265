"""From the entry numbers of a partner's copy back to the hotline's own."""

from __future__ import annotations

from collections.abc import Sequence

from vigil.editions.marks import MarkBook, is_mark_number
from vigil.hotline.lists.models import ListEntry


def own_number(partner: str, shown: int, books: Sequence[MarkBook]) -> int | None:
    """The hotline's number of an entry that a node of ``partner`` (empty: of the hotline) calls ``shown``.

    None where there is no such entry, and for marks. Copies of an older book have other numbers: the newest that fits counts.
    """
    candidates = [shown] if not partner else [int(book.numbers_of(partner).meant([shown])[0]) for book in books]
    known = [number for number in candidates if not is_mark_number(number)]
    found = set(ListEntry.objects.filter(pk__in=known).values_list("pk", flat=True))
    return next((number for number in known if number in found), None)

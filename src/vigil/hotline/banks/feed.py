"""What has changed in the banks since a turn, for the platform's own nodes. Read in one transaction, page by page.

A page is ``{"after", "next", "more", "live", "banks", "types", "contents", "gone"}``: ``next`` is where to ask on,
``contents`` rows of ``[number, bank, until, furthest, added, [[type, value], …]]``, ``gone`` numbers of what is deleted.
Banks and types are complete in each page. ``live`` is the number of contents that exist; a follower that holds another
number at the end of the pages has missed something and begins anew.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django.db import transaction
from django.db.models import Min, Q

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.banks.models import Bank, BankContent, Machine, MachineRole, TypeRatio

PAGE: Final = Limit(5000, "contents", "a page is opened from its seals in memory, within the time of one request")
PLACE: Final = re.compile(r"(\d{1,18})\.(\d{1,18})", re.ASCII)
START: Final = "0.0"


def page_after(person: Person, place: str) -> dict[str, Any]:
    """The page after ``place`` (the ``next`` of the page before; ``0.0`` at the beginning)."""
    must(person, Permission.BANK_FOLLOW)
    found = PLACE.fullmatch(place)
    if found is None:
        raise InputError("feed_place", "This is no place in the feed.", where="after", mend="Begin with after=0.0.")
    turn, number = int(found[1]), int(found[2])
    _note(person, turn)
    with transaction.atomic():
        later = Q(changed__gt=turn) | Q(changed=turn, number__gt=number)
        rows = list(
            BankContent.objects.filter(later, bank__deleted_at=None)
            .select_related("bank__policy")
            .prefetch_related("signals")
            .order_by("changed", "number")[: PAGE.value + 1]
        )
        more = len(rows) > PAGE.value
        return {
            "after": place,
            "next": f"{rows[-2 if more else -1].changed}.{rows[-2 if more else -1].number}" if rows else place,
            "more": more,
            "live": BankContent.objects.filter(gone=False, bank__deleted_at=None).count(),
            "banks": [
                [each.number, each.name, each.ratio, each.list.name]
                for each in Bank.objects.filter(deleted_at=None).select_related("list")
            ],
            "types": dict(TypeRatio.objects.values_list("name", "ratio")),
            "contents": [_row(row) for row in rows[: PAGE.value] if not row.gone],
            "gone": [row.number for row in rows[: PAGE.value] if row.gone],
        }


def _row(content: BankContent) -> list[Any]:
    signals = [[each.type, each.value.open()] for each in content.signals.all()]
    added = int(content.added_at.timestamp())
    return [content.number, content.bank_id, content.until, content.bank.policy.max_distance, added, signals]


def indexed() -> int:
    """The turn that every follower in force has taken up; -1 where nobody follows."""
    followers = Machine.objects.filter(role=MachineRole.FOLLOWER.value, revoked_at=None, expires_at__gt=now())
    slowest: int | None = followers.aggregate(slowest=Min("followed"))["slowest"]
    return -1 if slowest is None else slowest


def _note(person: Person, turn: int) -> None:
    """A follower that asks on from a turn has taken up everything until there."""
    if isinstance(person, Machine) and person.followed != turn:
        Machine.objects.filter(pk=person.pk).update(followed=turn)

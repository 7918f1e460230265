"""Keep and forget filters: one's own arrangement, so no audit row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.hotline.access.models import User
from vigil.hotline.desks.models import KeptFilter

MOST_FILTERS: Final = Limit(30, "filters of one page", "a list of filters longer than the page helps nobody")
NAME_CHARACTERS: Final = Limit(60, "characters", "a name is shown on a button")


def filters_of(person: User, page: str) -> QuerySet[KeptFilter]:
    """The filters that ``person`` keeps for a page, by name."""
    return KeptFilter.objects.filter(owner=person, page=page)


def do_keep_filter(person: User, page: str, name: str, query: Mapping[str, str]) -> KeptFilter:
    """Keep ``query`` under ``name``; a filter of the same name is replaced."""
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_CHARACTERS.value:
        raise InputError("filter_name", f"Give the filter a name of up to {NAME_CHARACTERS.value} characters.", where="name")
    with transaction.atomic():
        others = filters_of(person, page).exclude(name=name)
        if others.count() >= MOST_FILTERS.value:
            raise InputError("filters_many", f"You keep {MOST_FILTERS.value} filters already.", mend="Forget one of them first.")
        kept, _ = KeptFilter.objects.update_or_create(
            owner=person, page=page, name=name, defaults={"query": dict(query)}, create_defaults={
                "query": dict(query), "created_by": person.label},
        )  # fmt: skip
    return kept


def do_forget_filter(person: User, kept: KeptFilter) -> None:
    """Forget one of one's own filters."""
    if kept.owner_id != person.pk:
        raise InputError("no_such_filter", "There is no such filter.")
    kept.delete()

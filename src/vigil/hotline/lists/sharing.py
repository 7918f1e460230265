"""What each partner gets: the lists and the jurisdictions of its agreements in force, as a marked copy of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from vigil.editions.marks import MarkBook
from vigil.editions.model import EditionContents, HashEntry, UrlEntry
from vigil.editions.opaque import OpaqueNumbers
from vigil.hotline.access.people import Person
from vigil.hotline.lists.marking import book_now
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.words import files_for
from vigil.hotline.partners.agreements import agreements_in_force
from vigil.hotline.partners.models import Agreement, Partner
from vigil.hotline.partners.recipients import ended_keys

Entry = TypeVar("Entry", UrlEntry, HashEntry)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the agreements of one partner allow together: for each list the jurisdictions, None for all of them."""

    partner: str
    lists: dict[str, frozenset[str] | None]

    def allows(self, entry: UrlEntry | HashEntry, jurisdictions: Collection[str]) -> bool:
        """Whether this entry, listed for ``jurisdictions`` (none: for every one), may be handed to the partner."""
        if entry.list not in self.lists:
            return False
        wanted = self.lists[entry.list]
        return wanted is None or not jurisdictions or not wanted.isdisjoint(jurisdictions)


def grants_at(moment: datetime) -> list[Grant]:
    """The grant of each partner with an agreement in force, by code."""
    found = groupby(agreements_in_force(moment), key=lambda agreement: agreement.partner.code)
    return [grant_of(code, agreements) for code, agreements in found]


def grant_of(partner: str, agreements: Iterable[Agreement]) -> Grant:
    """Several agreements add up."""
    lists: dict[str, frozenset[str] | None] = {}
    for agreement in agreements:
        wanted = frozenset(agreement.jurisdictions) or None
        for name in agreement.lists:
            known = lists.get(name, frozenset())
            lists[name] = None if wanted is None or known is None else known | wanted
    return Grant(partner, lists)


@dataclass(frozen=True, slots=True)
class PartnerCopy:
    """What one partner gets with an edition. ``words`` are files of keyword lists, which travel encrypted only.

    ``ended``: public keys that it had before and for which nothing may be encrypted any more.
    """

    partner: str
    recipient: str
    contents: EditionContents
    words: dict[str, bytes]
    ended: frozenset[str] = frozenset()


def copies_now(person: Person, contents: EditionContents, moment: datetime) -> list[PartnerCopy]:
    """Every partner's copy of ``contents``, which is the whole state at ``moment``. Without a public key there is none."""
    grants = grants_at(moment)
    if not grants:
        return []
    book, jurisdictions = book_now(person), jurisdictions_of()
    recipients, ended = dict(Partner.objects.exclude(recipient="").values_list("code", "recipient")), ended_keys()
    return [
        PartnerCopy(
            grant.partner, recipients[grant.partner], copy_of(grant, contents, jurisdictions, book),
            _words(grant, moment, book.numbers_of(grant.partner)), ended.get(grant.partner, frozenset()),
        )
        for grant in grants
        if grant.partner in recipients
    ]  # fmt: skip


def shares_now(person: Person, contents: EditionContents, moment: datetime) -> list[tuple[str, EditionContents]]:
    """What each partner with an agreement in force is shown of ``contents``, with or without a public key: (code, copy)."""
    grants = grants_at(moment)
    if not grants:
        return []
    book, jurisdictions = book_now(person), jurisdictions_of()
    return [(grant.partner, copy_of(grant, contents, jurisdictions, book)) for grant in grants]


def _words(grant: Grant, moment: datetime, numbers: OpaqueNumbers) -> dict[str, bytes]:
    return files_for(grant.lists, moment, lambda number: int(numbers.shown([number])[0]))


def jurisdictions_of(*, tombstones: bool = False) -> dict[int, tuple[str, ...]]:
    """The jurisdictions of entries (in force, or withdrawn) that are not listed for all of them, by number."""
    rows = ListEntry.objects.filter(tombstone=tombstones).exclude(jurisdictions=[]).values_list("number", "jurisdictions")
    return {number: tuple(codes) for number, codes in rows.iterator(chunk_size=5000)}


def copy_of(
    grant: Grant, contents: EditionContents, jurisdictions: dict[int, tuple[str, ...]], book: MarkBook
) -> EditionContents:
    """One partner's copy: what its agreements allow, marked, under numbers of its own."""

    def allowed(entries: Iterable[Entry]) -> tuple[Entry, ...]:
        return tuple(entry for entry in entries if grant.allows(entry, jurisdictions.get(entry.entry, ())))

    lists = tuple(info for info in contents.lists if info.name in grant.lists)
    given = EditionContents(lists, allowed(contents.urls), allowed(contents.hashes), contents.audit)
    return book.copy_for(grant.partner, given)

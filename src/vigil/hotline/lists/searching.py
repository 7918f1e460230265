"""Finding entries by what they hold, through keyed digests and the canonical form; each search is logged, without its words."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.base.redaction import Sealed
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.enumerations import Signal
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.proposals import HashProposal, digests_covering
from vigil.match.hashing import ALGORITHMS
from vigil.match.urls import canonical, canonical_from_person, hosts_of

FOUND: Final = Limit(200, "entries", "a search is for looking, not for taking a list out")


def do_search(person: Person, text: str, how: str) -> list[ListEntry]:
    """Entries, withdrawn ones too, the newest first: ``covers`` an address, on its ``host`` or below, or this ``hash``."""
    must(person, Permission.CONTENT_REVEAL)
    must(person, Permission.ENTRY_READ)
    found = {"covers": _covering, "host": _on_host, "hash": _hash}.get(how, _covering)(text.strip())
    with transaction.atomic():
        record(person, codes.SEARCHED, "lists", how=how, found=len(found))
    return found


def _covering(text: str) -> list[ListEntry]:
    return _of_digests(digests_covering(canonical_from_person(text)))


def _on_host(text: str) -> list[ListEntry]:
    """Every entry on a host or a name below it. Contents are sealed, so this opens one after the other."""
    wanted = canonical_from_person(text).host
    rows = ListEntry.objects.filter(signal=Signal.URL.value).select_related("list").order_by("-number")
    found = []
    for entry in rows.iterator(chunk_size=2000):
        if wanted in hosts_of(canonical(entry.content.open())):
            found.append(entry)
        if len(found) == FOUND.value:
            break
    return found


def _hash(text: str) -> list[ListEntry]:
    digests = []
    for name in ALGORITHMS:
        try:
            digests.append(HashProposal(name, Sealed(text)).digest())
        except InputError:
            continue  # the text is no value of this algorithm
    if not digests:
        raise InputError("hash_malformed", "This is not the value of any hash.", where="text")
    return _of_digests(digests)


def _of_digests(digests: list[str]) -> list[ListEntry]:
    rows = ListEntry.objects.filter(digest__in=digests).select_related("list").order_by("-number")
    return list(rows[: FOUND.value])

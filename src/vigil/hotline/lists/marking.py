"""The books of marks of this installation: which is in use, and all there ever were, for tracing."""

from __future__ import annotations

import secrets
from typing import Final

from django.conf import settings
from django.db import transaction

from vigil.base.errors import RefusedError
from vigil.editions.marks import MarkBook
from vigil.editions.model import EditionContents
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.models import List, MarkGeneration
from vigil.hotline.partners.models import Agreement

KEY_BYTES: Final = 32


def book_now(person: Person) -> MarkBook:
    """The book in use. A new one begins when the names or the length of the code in the configuration have changed."""
    must(person, Permission.PUBLICATION_BUILD)
    wanted = settings.CONFIG.lists
    newest = MarkGeneration.objects.order_by("-number").first()
    if newest is None or (tuple(newest.domains), newest.positions) != (wanted.canary_domains, wanted.mark_positions):
        newest = _begin(person, wanted.canary_domains, wanted.mark_positions, newest.number + 1 if newest else 1)
    return _book(newest)


def books() -> list[MarkBook]:
    """Every book that was ever in use, the newest first."""
    return [_book(generation) for generation in MarkGeneration.objects.order_by("-number")]


def do_take_book(person: Person) -> MarkBook:
    """The newest book, to trace with on another machine; logged, since with it marks can be told from entries."""
    must(person, Permission.PARTNER_STOP)
    newest = MarkGeneration.objects.order_by("-number").first()
    if newest is None:
        raise RefusedError("no_marks", "No partner has had a copy yet, so there are no marks.")
    with transaction.atomic():
        record(person, codes.MARKS_TAKEN, f"marks:{newest.number}", number=newest.number)
    return _book(newest)


def own_contents(person: Person, contents: EditionContents) -> EditionContents:
    """The hotline's own copy: with every mark of every partner, labelled, so that its own nodes count hits on them."""
    return book_now(person).own(contents) if _partner_codes() else contents


def _begin(person: Person, domains: tuple[str, ...], positions: int, number: int) -> MarkGeneration:
    with transaction.atomic():
        made: MarkGeneration = MarkGeneration.objects.create(
            number=number, key=secrets.token_hex(KEY_BYTES), domains=list(domains), positions=positions, created_by=person.label
        )
        record(person, codes.MARKS_BEGUN, made, number=number, domains=len(domains), positions=positions)
    return made


def _book(generation: MarkGeneration) -> MarkBook:
    lists = tuple(sorted(List.objects.values_list("name", "kind")))
    return MarkBook(
        bytes.fromhex(generation.key.open()), tuple(generation.domains), lists, _partner_codes(), generation.positions
    )


def _partner_codes() -> tuple[str, ...]:
    """Everybody with whom an agreement was ever approved: who might have had a copy."""
    found = Agreement.objects.filter(approved_at__isnull=False).values_list("partner__code", flat=True).order_by("partner__code")
    return tuple(found.distinct())

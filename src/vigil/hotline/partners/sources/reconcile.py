"""The end of a full fetch: what vanished, and the mirror digest over what is in force."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet

from vigil.hotline.partners.sources.ahead import shorter_turns
from vigil.hotline.partners.sources.keeping import erase
from vigil.hotline.partners.sources.limits import LARGE_REMOVAL_LEAST, LARGE_REMOVAL_SHARE
from vigil.hotline.partners.sources.mirror import Mirror
from vigil.hotline.partners.sources.models import ImportedEntry, ImportedFingerprint, ImportedPage, Source
from vigil.hotline.partners.sources.pages import outlines

_AT_ONCE: Final = 2000
_PAGES_AT_ONCE: Final = 20


def unseen(source: Source, generation: int) -> QuerySet[ImportedEntry]:
    """Entries in force that the full fetch ``generation`` did not show."""
    older = Q(generation__lt=generation, page__generation__lt=generation)
    return ImportedEntry.objects.filter(older, source=source, gone=False)


def is_large(missing: int, in_force: int) -> bool:
    """Whether so many vanished that a person should look first: a source may have failed rather than removed."""
    return missing >= LARGE_REMOVAL_LEAST and missing * 100 > in_force * LARGE_REMOVAL_SHARE


def vanished(source: Source, generation: int, moment: datetime) -> int:
    """Let go of what a full fetch did not show; gives how many. Inside a transaction."""
    number = 0
    while some := list(unseen(source, generation).values_list("pk", "page_id", "position")[:_AT_ONCE]):
        pks = [pk for pk, _, _ in some]
        prints = ImportedFingerprint.objects.filter(entry__in=pks)
        prints._raw_delete(prints.db)
        ImportedEntry.objects.filter(pk__in=pks).update(gone=True, kept_at=moment)
        erase((page, position) for _, page, position in some)
        number += len(some)
    return number


def empty_pages(source: Source) -> int:
    """Delete pages on which no entry stands any more; gives how many."""
    empty = ImportedPage.objects.filter(source=source, entries=None, records__gt=0)
    return empty.delete()[0]


def mirror_of(source: Source) -> Mirror:
    """The digest over everything in force, computed from what is kept, page by page.

    A page is opened and counted in a thread of its own while the database hands out the next one.
    """
    mirror = Mirror()
    pages = ImportedPage.objects.filter(source=source, records__gt=0).order_by("pk")
    with shorter_turns(), ThreadPoolExecutor(1, "mirror") as thread:
        counting: Future[None] | None = None
        for row in pages.iterator(chunk_size=_PAGES_AT_ONCE):
            standing = list(ImportedEntry.objects.filter(page=row, gone=False).values_list("position", flat=True))
            if counting is not None:
                counting.result()
            counting = thread.submit(_count, mirror, row.content, standing)
        if counting is not None:
            counting.result()
    return mirror


def _count(mirror: Mirror, content: str, positions: list[int]) -> None:
    """Count the entries at ``positions`` of a page."""
    if positions:
        records = outlines(content)
        for position in positions:
            mirror.add(records[position].key, records[position].fingerprints)


def counts(source: Source) -> dict[str, int]:
    """Fingerprints in force by type."""
    found: dict[str, int] = defaultdict(int)
    rows = ImportedFingerprint.objects.filter(entry__source=source).values_list("algorithm")
    from django.db.models import Count

    for name, number in rows.annotate(number=Count("pk")).order_by("algorithm"):
        found[name] = number
    return dict(found)

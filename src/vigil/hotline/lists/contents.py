"""The state of all lists at a moment, as an edition or an export takes it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, cast

from django.db.models import QuerySet

from vigil.editions.model import AuditAnchor, EditionContents, HashEntry, ListInfo, ListKind, UrlEntry
from vigil.hotline.lists.enumerations import Signal
from vigil.hotline.lists.live import labels_of, left_out
from vigil.hotline.lists.models import List, ListEntry
from vigil.hotline.lists.queries import in_force
from vigil.hotline.reports.captures import captures_on
from vigil.match.hashing import algorithm_named
from vigil.match.urls import EntryFlag, Scope, canonical

TEST: Final = "test"
WITHDRAWN_SHOWN: Final = timedelta(days=400)


def contents_now(moment: datetime, anchor: AuditAnchor | None = None) -> EditionContents:
    """All lists and every entry in force at ``moment`` that the live policy of its list lets through. Keywords travel apart."""
    watching = captures_on()
    with _streamed(in_force(moment).order_by("number")) as found:
        kept = (entry for entry in found if not left_out(entry, moment, watching=watching))
        return _contents(kept, moment, anchor, watching)


def withdrawn_before(moment: datetime) -> EditionContents:
    """What an export of ``moment`` has to take back at readers who collect: entries withdrawn in the last 400 days."""
    gone = ListEntry.objects.filter(tombstone=True, removed_at__gt=moment - WITHDRAWN_SHOWN, approval_due=False)
    with _streamed(gone.select_related("list").order_by("number")) as rows:
        found = _contents(rows, moment, None, watching=False)
    return replace(
        found,
        urls=tuple(replace(each, expires=None) for each in found.urls),
        hashes=tuple(replace(each, expires=None) for each in found.hashes),
    )


@contextmanager
def _streamed(rows: QuerySet[ListEntry]) -> Iterator[Iterator[ListEntry]]:
    """The rows, not all at once; the database's cursor is closed even where reading ends in an error."""
    entries = cast("Generator[ListEntry, None, None]", rows.iterator(chunk_size=2000))
    try:
        yield entries
    finally:
        entries.close()


def list_infos() -> tuple[ListInfo, ...]:
    """Every list that leaves the house, in its order: banks are a platform's own."""
    return tuple(
        ListInfo(each.name, each.kind, tuple(each.jurisdictions), each.max_distance)
        for each in List.objects.exclude(kind=ListKind.BANK.value)
    )


def _contents(
    entries: Iterable[ListEntry], moment: datetime, anchor: AuditAnchor | None, watching: bool
) -> EditionContents:
    urls: list[UrlEntry] = []
    hashes: list[HashEntry] = []
    for entry in entries:
        if entry.signal == Signal.URL:
            urls.append(_url_entry(entry, moment, watching))
        elif entry.signal == Signal.HASH:
            hashes.append(_hash_entry(entry, moment, watching))
    return EditionContents(list_infos(), tuple(urls), tuple(hashes), anchor)


def _url_entry(entry: ListEntry, moment: datetime, watching: bool) -> UrlEntry:
    return UrlEntry(
        entry=entry.number,
        list=entry.list.name,
        url=canonical(entry.content.open()),
        scope=Scope(entry.scope),
        flags=EntryFlag(entry.flags),
        labels=_labels(entry, moment, watching),
        expires=entry.expires_at,
    )


def _hash_entry(entry: ListEntry, moment: datetime, watching: bool) -> HashEntry:
    return HashEntry(
        entry=entry.number,
        list=entry.list.name,
        algorithm=entry.algorithm,
        value=algorithm_named(entry.algorithm).parse(entry.content.open()),
        labels=_labels(entry, moment, watching),
        expires=entry.expires_at,
    )


def _labels(entry: ListEntry, moment: datetime, watching: bool) -> tuple[str, ...]:
    """Those of the entry, what its live policy adds, and the mark of benign test entries, which are counted apart."""
    test = (TEST,) if entry.list.kind == ListKind.TEST else ()
    return tuple(sorted({*entry.labels, *labels_of(entry, moment, watching=watching), *test}))


def counts_of(contents: EditionContents) -> dict[str, int]:
    """Number of entries by list."""
    counts = {each.name: 0 for each in contents.lists}
    entries: list[UrlEntry | HashEntry] = [*contents.urls, *contents.hashes]
    for entry in entries:
        counts[entry.list] += 1
    return counts

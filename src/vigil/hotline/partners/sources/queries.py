"""Questions about sources and what came from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from vigil.base.errors import InputError
from vigil.hotline.partners.sources.fingerprints import digests_covering, digests_of
from vigil.hotline.partners.sources.models import (
    ImportedEntry,
    ImportedFingerprint,
    QuarantinedRecord,
    Source,
    SourceVote,
)
from vigil.hotline.partners.sources.pages import Kept, unpacked
from vigil.match.urls import UrlRefused, canonical_from_person


@dataclass(frozen=True, slots=True)
class Met:
    """An imported entry that a file or an address of a case meets exactly."""

    entry: ImportedEntry
    source: str
    by: str


def sources() -> QuerySet[Source]:
    """All sources by name."""
    return Source.objects.order_by("name")


def source_named(name: str) -> Source:
    """The source of that name."""
    try:
        return Source.objects.get(name=name)
    except Source.DoesNotExist as error:
        raise InputError(
            "no_such_source", "There is no source of that name.", mend="See `vigil hotline source list`."
        ) from error


def source_with(pk: UUID) -> Source:
    """The source with this number of ours."""
    found = Source.objects.filter(pk=pk).first()
    if found is None:
        raise InputError("no_such_source", "There is no such source.")
    return found


def entry_called(source: Source, key: str) -> ImportedEntry:
    """The entry of a source by its key."""
    found = ImportedEntry.objects.filter(source=source, key=key).select_related("source", "page").first()
    if found is None:
        raise InputError("no_such_imported_entry", "The source has no entry of that name.", where="key")
    return found


def entry_with(pk: UUID) -> ImportedEntry:
    """The entry with this number of ours."""
    found = ImportedEntry.objects.filter(pk=pk).select_related("source", "page").first()
    if found is None:
        raise InputError("no_such_imported_entry", "There is no such entry of a source.")
    return found


def entries_of(source: Source, after: str, most: int) -> list[ImportedEntry]:
    """Entries in force after a key, in the order of their keys."""
    found = ImportedEntry.objects.filter(source=source, gone=False, key__gt=after).prefetch_related("fingerprints")
    return list(found.order_by("key")[:most])


def types_of(entry: ImportedEntry) -> list[str]:
    """The types of the fingerprints of an entry that are in force."""
    return sorted({each.algorithm for each in entry.fingerprints.all()})


def votes(source: Source | None = None) -> QuerySet[SourceVote]:
    """Opinions on entries, the latest first."""
    found = SourceVote.objects.select_related("entry__source").order_by("-created_at", "-pk")
    return found if source is None else found.filter(entry__source=source)


def quarantine(source: Source | None = None) -> QuerySet[QuarantinedRecord]:
    """What is set aside and not settled, the latest first."""
    found = QuarantinedRecord.objects.filter(settled_at=None).select_related("source")
    return found if source is None else found.filter(source=source)


def met_by_address(address: str, sources: Iterable[Source]) -> list[Met]:
    """Entries in force of ``sources`` that cover an address; none where it cannot be read."""
    try:
        url = canonical_from_person(address)
    except UrlRefused:
        return []
    return _met(dict.fromkeys(digests_covering(url), "address"), sources)


def met_by_hashes(pairs: Iterable[tuple[str, str]], sources: Iterable[Source]) -> list[Met]:
    """Entries in force of ``sources`` with one of these (type, value) fingerprints."""
    return _met(digests_of(pairs), sources)


def _met(digests: dict[bytes, str], sources: Iterable[Source]) -> list[Met]:
    asked = list(sources)
    if not asked or not digests:
        return []
    found = ImportedFingerprint.objects.filter(digest__in=list(digests), entry__gone=False, entry__source__in=asked)
    seen: dict[tuple[object, str], Met] = {}
    for each in found.select_related("entry__source").order_by("entry__source__name", "pk"):
        by = digests[bytes(each.digest)]
        seen.setdefault((each.entry_id, by), Met(each.entry, each.entry.source.name, by))
    return list(seen.values())


def kept_of(entries: Iterable[ImportedEntry]) -> Iterator[tuple[ImportedEntry, Kept]]:
    """What entries hold, opened page by page."""
    by_page: dict[int, list[ImportedEntry]] = {}
    for entry in entries:
        by_page.setdefault(entry.page_id, []).append(entry)
    for standing in by_page.values():
        records = unpacked(standing[0].page.content)
        for entry in standing:
            yield entry, records[entry.position]

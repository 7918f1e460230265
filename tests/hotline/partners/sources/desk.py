"""What every test of a source does: set it up, fetch it, look at what is kept."""

from __future__ import annotations

from typing import Any

from tests.hotline.partners.sources.server import open_hasty

from vigil.hotline.access.people import OPERATOR
from vigil.hotline.partners.sources import fetching
from vigil.hotline.partners.sources.actions import do_add_source
from vigil.hotline.partners.sources.keeping import Tally
from vigil.hotline.partners.sources.mirror import Mirror
from vigil.hotline.partners.sources.models import ImportedEntry, ImportedFingerprint, QuarantinedRecord, Source, SourceKind
from vigil.hotline.partners.sources.queries import kept_of
from vigil.hotline.partners.sources.reconcile import mirror_of
from vigil.hotline.partners.sources.record import Place

CREDENTIALS = {
    SourceKind.NCMEC: {"user": "zorblat", "password": "quimber"},
    SourceKind.STOPNCII: {"fetch_key": "zorblat", "subscription_key": "quimber", "feedback_key": "snarp"},
    SourceKind.THREATEXCHANGE: {"token": "12345678|zorblat_quimber_snarp_0001"},
    SourceKind.MISP: {"key": "zorblat"},
    SourceKind.TAXII: {"user": "zorblat", "password": "quimber"},
}


def added(kind: SourceKind, address: str, name: str = "", **options: Any) -> Source:
    credentials = CREDENTIALS.get(kind, {})
    return do_add_source(OPERATOR, name or kind.value.replace("_", "-"), kind, Place(address, credentials, options))


def fetched(source: Source, *, whole: bool = False) -> Tally:
    """One fetch in this process; the source is read anew."""
    source.refresh_from_db()
    if whole:
        Source.objects.filter(pk=source.pk).update(whole_at=None)
    claimed = fetching.claim(source)
    assert claimed is not None
    tally = fetching.fetch(claimed, open_hasty)
    source.refresh_from_db()
    return tally


def in_force(source: Source) -> dict[str, set[tuple[str, str]]]:
    """Key to fingerprints of everything in force, opened."""
    entries = ImportedEntry.objects.filter(source=source, gone=False).select_related("page")
    found = {entry.key: set(kept.fingerprints) for entry, kept in kept_of(entries)}
    assert all(kept.key == entry.key for entry, kept in kept_of(entries))
    rows = ImportedFingerprint.objects.filter(entry__source=source)
    assert rows.count() == sum(len(values) for values in found.values())
    assert not rows.filter(entry__gone=True).exists()
    return found


def set_aside(source: Source) -> set[tuple[str, str]]:
    """(name, flaw) of what is set aside and not settled."""
    return set(QuarantinedRecord.objects.filter(source=source, settled_at=None).values_list("name", "flaw"))


def mirror(entries: dict[str, set[tuple[str, str]]]) -> str:
    made = Mirror()
    for key, prints in entries.items():
        made.add(key, prints)
    return made.hexdigest()


def check_mirror(source: Source) -> None:
    """The digest on the source is that of what is kept, computed twice, independently."""
    source.refresh_from_db()
    assert mirror_of(source).hexdigest() == mirror(in_force(source))
    assert source.mirror in ("", mirror(in_force(source)))

"""Questions about lists, entries, publications and appeals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from vigil.base.errors import InputError
from vigil.editions.model import ListKind
from vigil.hotline.access.prepared import SAMPLE_ID, Prepared, loaded
from vigil.hotline.lists.enumerations import ProposalState, PublicationState
from vigil.hotline.lists.models import AllowEntry, Appeal, Decision, EntryProposal, List, ListEntry, Publication
from vigil.hotline.lists.proposals import digests_covering
from vigil.hotline.reports.models import Report
from vigil.hotline.reports.models.capture import Hash, Media, Sighting
from vigil.match.urls import UrlRefused, canonical_from_person


def list_of_kind(kind: ListKind) -> List:
    """The first list of a kind."""
    found = List.objects.filter(kind=kind.value).first()
    if found is None:
        raise InputError(
            "no_list_of_kind", f"There is no list of the kind {kind.value}.", mend="Set one up: `vigil hotline list add`."
        )
    return found


def in_force(moment: datetime) -> QuerySet[ListEntry]:
    """Entries that the next edition holds: not withdrawn, not expired, not held back, and approved where that is asked for."""
    alive = Q(expires_at=None) | Q(expires_at__gt=moment)
    return ListEntry.objects.filter(alive, tombstone=False, approval_due=False, held_at=None).select_related("list")


def approvals_due() -> QuerySet[ListEntry]:
    """Guarded entries that wait for a second approver."""
    return ListEntry.objects.filter(approval_due=True, tombstone=False).select_related("list").order_by("number")


def held() -> QuerySet[ListEntry]:
    """Entries that are held back and wait for a person's decision."""
    return ListEntry.objects.filter(held_at__isnull=False, tombstone=False).select_related("list").order_by("held_at")


def proposals_waiting(moment: datetime) -> QuerySet[EntryProposal]:
    """Proposed entries that wait for a second person."""
    waiting = EntryProposal.objects.filter(state=ProposalState.PENDING.value, expires_at__gt=moment)
    return waiting.select_related("list").order_by("created_at")


def allowed_rows() -> QuerySet[AllowEntry]:
    """The allow list, the newest first."""
    return AllowEntry.objects.filter(ended_at=None)


def entry_numbered(number: int) -> ListEntry:
    """The entry of that number."""
    found = ListEntry.objects.select_related("list", "decision__assessment").filter(pk=number).first()
    if found is None:
        raise InputError("no_such_entry", "There is no entry of that number.")
    return found


def entries_of(report: Report) -> QuerySet[ListEntry]:
    """Entries that rest on one case."""
    return ListEntry.objects.filter(decision__report=report).select_related("list")


_BY_DIGEST: Final = Prepared(
    ListEntry,
    lambda digests: ListEntry.objects.filter(digest__in=digests, tombstone=False).select_related("list").order_by("number"),
    ["digest of an entry"],
)


def entries_with(digests: Sequence[str]) -> list[ListEntry]:
    """Entries in force with one of these digests, by their numbers."""
    return _BY_DIGEST.all(digests)


def entries_covering(address: str) -> list[ListEntry]:
    """Entries in force that cover an address; none where the address cannot be read."""
    try:
        digests = digests_covering(canonical_from_person(address))
    except UrlRefused:
        return []
    return entries_with(digests)


def media_of(report: Report) -> QuerySet[Media]:
    """Files seen in a case, each once."""
    return Media.objects.filter(sightings__report=report).distinct().prefetch_related("hashes").order_by("sha256")


_FILES: Final = Prepared(
    Media,
    lambda report: Media.objects.filter(pk__in=Sighting.objects.filter(report_id=report).values("media")).order_by("sha256"),
    SAMPLE_ID,
)
_HASHES: Final = Prepared(Hash, lambda media: Hash.objects.filter(media_id__in=media), [SAMPLE_ID])


def files_of(report: Report) -> list[Media]:
    """What :func:`media_of` gives, with the hashes loaded."""
    files = _FILES.all(report.pk)
    by_file: dict[UUID, list[Hash]] = {row.pk: [] for row in files}
    for each in _HASHES.all(list(by_file)) if files else ():
        by_file[each.media_id].append(each)
    for row in files:
        loaded(row, "hashes", by_file[row.pk])
    return files


def latest_decision(report: Report) -> Decision | None:
    """The listing decision in force for a case."""
    found: Decision | None = Decision.objects.filter(report=report).order_by("-created_at", "-pk").first()
    return found


def people_behind(entries: Iterable[ListEntry]) -> frozenset[str]:
    """Labels of everybody who assessed, decided or added any of ``entries``."""
    labels: set[str] = set()
    for entry in entries:
        labels.add(entry.added_by)
        if entry.decision is not None:
            labels |= {entry.decision.created_by, entry.decision.proposed_by}
            labels |= set(entry.decision.report.assessments.values_list("created_by", flat=True))
    return frozenset(labels)


def reviews_due() -> QuerySet[ListEntry]:
    """Withdrawals by one person that nobody has reviewed yet."""
    return ListEntry.objects.filter(review_due=True).select_related("list").order_by("removed_at")


def publications() -> QuerySet[Publication]:
    """All publications, the latest first."""
    return Publication.objects.order_by("-created_at", "-pk")


_LAST: Final = Prepared(
    Publication, lambda: Publication.objects.filter(state=PublicationState.PUBLISHED.value).order_by("-number")[:1]
)


def last_published() -> Publication | None:
    """The edition in force."""
    return next(iter(_LAST.all()), None)


def changes_since_last(moment: datetime) -> tuple[int, int]:
    """(added, removed) since the edition in force was built: what a new one would change."""
    last = last_published()
    since = last.building_at if last else None
    new = Q(added_at__gt=since) | Q(approved_at__gt=since)
    added = in_force(moment).filter(new) if since else in_force(moment)
    gone = (
        Q(tombstone=True, removed_at__gt=since, approval_due=False)
        | Q(tombstone=False, expires_at__gt=since, expires_at__lte=moment)
        | Q(tombstone=False, held_at__gt=since)
    )
    return added.count(), ListEntry.objects.filter(gone, added_at__lte=since).count() if since else 0


def open_appeals() -> QuerySet[Appeal]:
    """Appeals that wait, the oldest first."""
    return Appeal.objects.filter(decided_at=None).order_by("created_at")


def decided_appeals() -> QuerySet[Appeal]:
    """Appeals that were decided, the latest first."""
    return Appeal.objects.filter(decided_at__isnull=False).order_by("-decided_at")


def appeal_by_reference(ref: str) -> Appeal | None:
    """The appeal with this canonical reference (see ``reports.references.read_reference``)."""
    return Appeal.objects.filter(ref=ref).first()

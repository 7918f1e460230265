"""Setting sources up, and what people decide about what came from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.partners.sources import codes, registry
from vigil.hotline.partners.sources.models import (
    ImportedEntry,
    ImportedPage,
    QuarantinedRecord,
    Source,
    SourceKind,
    SourceVote,
)
from vigil.hotline.partners.sources.reconcile import vanished
from vigil.hotline.partners.sources.record import Place

SETTINGS: Final = ("every_minutes", "requests_a_minute", "reconcile_days", "empty_hours")
FEWEST: Final = {"every_minutes": 1, "requests_a_minute": 1, "reconcile_days": 1, "empty_hours": 0}
MOST: Final = {"every_minutes": 7 * 24 * 60, "requests_a_minute": 6000, "reconcile_days": 365, "empty_hours": 30 * 24}


def place_of(source: Source) -> Place:
    """Where a source is and how it is asked, with the credentials open."""
    sealed = source.credentials
    return Place(source.address, json.loads(sealed.open()) if sealed is not None else {}, dict(source.options))


def check_add_source(
    person: Person, name: str, kind: SourceKind, place: Place, settings: Mapping[str, int] | None = None
) -> None:
    """Refuse a source that could not work, or whose name is taken."""
    must(person, Permission.SOURCE_MANAGE)
    registry.check(kind, place)
    _check_settings(settings or {})
    try:
        Source(name=name, kind=kind.value, address=place.address, created_by=person.label).full_clean(exclude=["credentials"])
    except ValidationError as error:
        raise InputError("source_refused", "The source cannot be set up: " + " ".join(error.messages), where="name") from error


def do_add_source(
    person: Person, name: str, kind: SourceKind, place: Place, settings: Mapping[str, int] | None = None
) -> Source:
    """Set up a source; the worker fetches it next. Nothing that comes from it is listed by itself."""
    check_add_source(person, name, kind, place, settings)
    with transaction.atomic():
        source = Source.objects.create(
            name=name, kind=kind.value, address=place.address, options=place.options,
            credentials=json.dumps(place.credentials) if place.credentials else None, created_by=person.label,
            **dict(settings or {}),
        )  # fmt: skip
        record(person, codes.ADDED, source, name=name, kind=kind.value)
    return source


def do_change_source(
    person: Person, source: Source, *, credentials: dict[str, str] | None = None, address: str | None = None,
    paused: bool | None = None, settings: Mapping[str, int] | None = None,
) -> Source:  # fmt: skip
    """Change how a source is asked. New credentials or a new address let it be tried again at once."""
    must(person, Permission.SOURCE_MANAGE)
    _check_settings(settings or {})
    with transaction.atomic():
        held = Source.objects.select_for_update().get(pk=source.pk)
        place = place_of(held)
        place = Place(address or place.address, place.credentials if credentials is None else credentials, place.options)
        registry.check(SourceKind(held.kind), place)
        changes: dict[str, Any] = dict(settings or {})
        if credentials is not None:
            changes["credentials"] = json.dumps(credentials)
        if address is not None:
            changes["address"] = address
        if paused is not None:
            changes["paused"] = paused
        for name, value in changes.items():
            setattr(held, name, value)
        held.next_try_at = now()
        held.save(update_fields=[*changes, "next_try_at"])
        record(person, codes.CHANGED, held, name=held.name, what=" ".join(sorted(changes)))
    return held


def do_fetch_now(person: Person, source: Source, *, whole: bool = False) -> Source:
    """Let the worker fetch a source next; ``whole``: everything, so that what vanished is found."""
    must(person, Permission.SOURCE_MANAGE)
    with transaction.atomic():
        held = Source.objects.select_for_update().get(pk=source.pk)
        held.next_try_at = now()
        if whole:
            held.whole_at = None
        held.save(update_fields=["next_try_at", "whole_at"])
        record(person, codes.CHANGED, held, name=held.name, what="fetch whole" if whole else "fetch")
    return held


def do_remove_source(person: Person, source: Source) -> int:
    """Remove a source with everything that came from it; gives how many entries went. Refused while it is fetched."""
    must(person, Permission.SOURCE_MANAGE)
    with transaction.atomic():
        held = Source.objects.select_for_update().get(pk=source.pk)
        if held.is_running(now()):
            raise RefusedError("source_running", "The source is being fetched.", mend="Pause it, wait, then remove it.")
        entries = ImportedEntry.objects.filter(source=held)
        number = entries.count()
        SourceVote.objects.filter(entry__source=held).delete()
        try:
            entries.delete()
        except ProtectedError as error:
            raise RefusedError(
                "source_in_use", "A use of its entries was agreed on.", mend="Pause the source; end the use in the console."
            ) from error
        ImportedPage.objects.filter(source=held).delete()
        record(person, codes.REMOVED, held, name=held.name, entries=number)
        held.delete()
    return number


def check_accept_removals(person: Person, source: Source) -> None:
    """Refuse unless there are vanished entries that wait."""
    must(person, Permission.LIST_MANAGE)
    if not source.held_back:
        raise RefusedError("nothing_held_back", "No vanished entries wait for a decision.")


def do_accept_removals(person: Person, source: Source) -> int:
    """Let go of the entries that vanished from a source in its last full fetch."""
    with transaction.atomic():
        held = Source.objects.select_for_update().get(pk=source.pk)
        check_accept_removals(person, held)
        number = vanished(held, held.generation, now())
        held.held_back, held.empty_since = 0, None
        held.mirror, held.mirror_at = "", None
        held.save(update_fields=["held_back", "empty_since", "mirror", "mirror_at"])
        record(person, codes.REMOVALS_ACCEPTED, held, name=held.name, entries=number)
    return number


def do_settle(person: Person, row: QuarantinedRecord) -> None:
    """Note that somebody looked at a record that was set aside and needs nothing more of it."""
    must(person, Permission.LIST_MANAGE)
    with transaction.atomic():
        held = QuarantinedRecord.objects.select_for_update().get(pk=row.pk)
        if held.settled_at is not None:
            return
        held.settled_at, held.settled_by = now(), person.label
        held.save(update_fields=["settled_at", "settled_by"])
        record(person, codes.SET_ASIDE_SETTLED, held, name=held.source.name)


def check_vote(person: Person, entry: ImportedEntry, algorithm: str, reason: str) -> None:
    """Refuse an opinion on what is gone, on a fingerprint that the entry lacks, or with a reason that is no short text."""
    must(person, Permission.SOURCE_VOTE)
    if entry.gone or not entry.fingerprints.filter(algorithm=algorithm).exists():
        raise InputError("vote_type", "The entry has no fingerprint of this type in force.", where="type")
    if len(reason) > 100 or not reason.isprintable():
        raise InputError("vote_reason", "A reason is a short text.", where="reason")


def do_vote(person: Person, entry: ImportedEntry, algorithm: str, *, agrees: bool, reason: str = "") -> SourceVote:
    """Record an opinion; the worker sends it to the source. A later one replaces one that has not been sent."""
    check_vote(person, entry, algorithm, reason)
    try:
        with transaction.atomic():
            SourceVote.objects.filter(entry=entry, algorithm=algorithm, state="queued").delete()
            vote = SourceVote.objects.create(
                entry=entry, algorithm=algorithm, agrees=agrees, reason=reason, created_by=person.label
            )
            record(person, codes.VOTED, entry, name=entry.source.name, agrees=agrees, type=algorithm, reason=reason)
    except IntegrityError as error:
        raise RefusedError("vote_under_way", "Somebody else is voting on this entry.", mend="Look again, then vote.") from error
    return vote


def _check_settings(settings: Mapping[str, int]) -> None:
    for name, value in settings.items():
        if name not in SETTINGS or not FEWEST[name] <= value <= MOST[name]:
            raise InputError("source_setting", "A setting of the source is out of range.", where=name)

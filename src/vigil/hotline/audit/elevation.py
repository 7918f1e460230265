"""Elevated sessions: more rights for half an hour, explained in writing and logged. Acts on the room below."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import Elevation, ElevationPurpose, User
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.queries import has_elevation
from vigil.hotline.audit import codes
from vigil.hotline.audit.actions import record

LENGTH: Final = timedelta(minutes=30)
SHORTEST_REASON: Final = 15
LONGEST_REASON: Final = 2000

is_elevated = has_elevation


def check_elevate(person: Person, reason: str) -> None:
    """Who may, with a reason that somebody else can judge."""
    must(person, Permission.SESSION_ELEVATE)
    if not SHORTEST_REASON <= len(reason.strip()) <= LONGEST_REASON:
        raise InputError(
            "reason_length", f"Give a reason of {SHORTEST_REASON} to {LONGEST_REASON} characters.", where="reason",
            mend="Say what you need to see, and for what. Auditors read it.",
        )  # fmt: skip


def do_elevate(person: User, purpose: ElevationPurpose, reason: str, subject: str = "") -> Elevation:
    """Begin an elevated session; one that is in force for the same subject is ended first."""
    with transaction.atomic():
        check_elevate(person, reason)
        Elevation.objects.filter(user=person, subject=subject, ended_at=None, ends_at__gt=now()).update(ended_at=now())
        made = Elevation.objects.create(
            user=person, purpose=purpose.value, subject=subject, reason=reason.strip(), ends_at=now() + LENGTH,
            created_by=person.label,
        )  # fmt: skip
        minutes = int(LENGTH.total_seconds() // 60)
        record(person, codes.ELEVATED, subject or made, purpose=purpose.value, minutes=minutes)
    return made


def do_end_elevations(person: User) -> int:
    """End every elevated session of ``person`` that is in force; how many there were."""
    with transaction.atomic():
        ended = Elevation.objects.filter(user=person, ended_at=None, ends_at__gt=now()).update(ended_at=now())
        if ended:
            record(person, codes.ELEVATION_ENDED, person)
    return ended


def do_show_reason(person: Person, elevation: Elevation) -> str:
    """The written reason, for who may read it; the showing is logged."""
    if elevation.user.label != person.label:
        must(person, Permission.ELEVATION_READ)
    if elevation.reason is None:
        raise RefusedError("reason_gone", "The reason is not kept any more.")
    with transaction.atomic():
        record(person, codes.ELEVATION_SHOWN, elevation)
    return str(elevation.reason.open())

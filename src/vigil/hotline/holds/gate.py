"""What stands in the way of an act on a case. Notices, listings, referrals and disposals ask here before they act."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from vigil.base.errors import RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.holds.enumerations import CLEARED, STOPS, Clearance, Stopped
from vigil.hotline.holds.models import ClearanceNote, Hold
from vigil.hotline.reports.models import Report, Submission, Url


def hosts_of(report: Report) -> list[str]:
    """The hosts that a case names."""
    return list(Url.objects.filter(submissions__report=report).values_list("host", flat=True).distinct())


def holds_on(report: Report) -> QuerySet[Hold]:
    """Holds in force that reach this case, their time over or not."""
    return reaching(report.pk).select_related("owner")


def reaching(case: UUID) -> QuerySet[Hold]:
    """Holds in force on a case or on a host that it names."""
    hosts = Url.objects.filter(submissions__report_id=case).values("host")
    return Hold.objects.filter(Q(report_id=case) | Q(scope="host", host__in=hosts), released_at=None)


def holding(report: Report, act: Stopped) -> list[Hold]:
    """The holds that stop ``act`` on this case."""
    kinds = [kind.value for kind, stops in STOPS.items() if act in stops]
    return list(holds_on(report).filter(kind__in=kinds))


def kept_by_law(cases: Iterable[UUID]) -> set[UUID]:
    """Those of the cases of which nothing may be deleted, because a hold in force on them or on their host says so."""
    keys = list(cases)
    kinds = [kind.value for kind, stops in STOPS.items() if Stopped.DISPOSAL in stops]
    there = Hold.objects.filter(kind__in=kinds, released_at=None)
    hosts = there.filter(scope="host").values("host")
    found = set(there.filter(report__in=keys).values_list("report", flat=True))
    return found | set(Submission.objects.filter(report__in=keys, url__host__in=hosts).values_list("report", flat=True))


def lock_reached(report: Report, hosts: Iterable[str]) -> None:
    """Lock the cases that a hold is about to keep: a deletion that runs ends first, one that comes later sees it."""
    reached = Report.objects.filter(Q(pk=report.pk) | Q(submissions__url__host__in=list(hosts)))
    keys = reached.values("pk")
    list(Report.objects.select_for_update().filter(pk__in=keys).order_by("pk").values_list("pk"))


def clearance_of(report: Report) -> Clearance:
    """The clearance of the police as noted last; ``not_required`` where nothing was noted."""
    note = ClearanceNote.objects.filter(report=report).order_by("-created_at", "-pk").first()
    return Clearance(note.state) if note else Clearance.NOT_REQUIRED


def require_clear(report: Report, act: Stopped) -> None:
    """Refuse while a hold stops ``act``; and notices and referrals while a clearance was asked for and not given."""
    if holding(report, act):
        raise RefusedError("held", "A hold stops this.", where=act.value, mend="See the holds of the case.")
    if act in (Stopped.NOTICE, Stopped.REFERRAL) and clearance_of(report) not in CLEARED:
        raise RefusedError("not_cleared", "The police have not given clearance.", mend="Wait for it, or ask the police liaison.")


def overdue(moment: datetime | None = None) -> QuerySet[Hold]:
    """Holds whose time is over now, or at ``moment``, and that nobody released: they still hold."""
    over = Hold.objects.filter(released_at=None, expires_at__lte=moment or now())
    return over.select_related("owner", "report").order_by("expires_at")


def overdue_of(person: User, moment: datetime | None = None) -> QuerySet[Hold]:
    """Those of one owner."""
    return overdue(moment).filter(owner=person)


def in_force() -> QuerySet[Hold]:
    """All holds that were not released, the first to expire first."""
    return Hold.objects.filter(released_at=None).select_related("owner", "report").order_by("expires_at")

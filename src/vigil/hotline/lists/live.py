"""Is what we list still there? Asked before each edition through captures, and so through the configured proxy only.

Where captures are off, nothing is asked and nothing is left out for want of an answer: the pages of the console say so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q

from vigil.base.errors import RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.people import Person
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.enumerations import LivePolicy, Signal
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.queries import in_force
from vigil.hotline.reports.captures import captures_on, do_request_capture
from vigil.hotline.reports.models.capture import OPEN, Capture, CaptureStatus

NOT_RECHECKED: Final = "not_rechecked"
ASKED_AT_ONCE: Final = Limit(50, "captures", "the worker visits one page after the other; reports come first")


def is_stale(entry: ListEntry, moment: datetime) -> bool:
    """Whether the last time its page was seen lies before the window of its list. A new entry has its window from the start."""
    if entry.signal != Signal.URL or entry.list.live_hours is None or entry.list.live_policy == LivePolicy.OFF:
        return False
    seen = max(filter(None, (entry.last_live_at, entry.added_at)))
    return moment - seen > timedelta(hours=entry.list.live_hours)


def left_out(entry: ListEntry, moment: datetime, *, watching: bool) -> bool:
    """Whether an edition of ``moment`` goes without this entry because nobody has seen its page lately. ``watching``: captures
    are on; without them nothing is left out."""
    return watching and entry.list.live_policy == LivePolicy.LEAVE_OUT and is_stale(entry, moment)


def labels_of(entry: ListEntry, moment: datetime, *, watching: bool) -> tuple[str, ...]:
    """What the edition says about an entry whose page nobody has seen lately, where it stays in."""
    flagged = watching and entry.list.live_policy == LivePolicy.FLAG and is_stale(entry, moment)
    return (NOT_RECHECKED,) if flagged else ()


def take_answers() -> int:
    """Note on the entries what finished captures saw; gives how many entries were looked at anew."""
    watched = ListEntry.objects.filter(
        signal=Signal.URL.value, tombstone=False, decision__isnull=False, list__live_hours__isnull=False
    )
    fresh = watched.filter(_newer_capture()).select_related("decision__report").distinct()
    count = 0
    for entry in fresh:
        count += _take_answer(entry)
    return count


def _newer_capture() -> Q:
    path = "decision__report__captures__finished_at"
    return Q(**{f"{path}__isnull": False}) & (Q(last_check_at=None) | Q(**{f"{path}__gt": F("last_check_at")}))


def _take_answer(entry: ListEntry) -> int:
    report = entry.decision.report if entry.decision else None
    last = Capture.objects.filter(report=report, finished_at__isnull=False).order_by("-finished_at").first()
    if last is None or last.finished_at == entry.last_check_at:
        return 0
    seen = last.status == CaptureStatus.DONE and last.http_status is not None and 200 <= last.http_status < 400
    live = last.finished_at if seen else entry.last_live_at
    return ListEntry.objects.filter(pk=entry.pk).update(last_check_at=last.finished_at, last_live_at=live)


def do_ask(person: Person, moment: datetime) -> int:
    """Ask for captures of listed pages that nobody has seen for half of their window; gives how many were asked for."""
    if not captures_on():
        return 0
    asked = 0
    for entry in _due(moment):
        report = entry.decision.report if entry.decision else None
        submission = report.submissions.exclude(url=None).first() if report else None
        if report is None or submission is None or submission.url is None:
            continue
        try:
            do_request_capture(person, report, submission.url)
        except RefusedError:
            continue  # one is under way, or it is no page that is fetched: it stays as it is and is asked about again
        asked += 1
    if asked:
        with transaction.atomic():
            record(person, codes.LIVE_ASKED, "lists", number=asked)
    return asked


def _due(moment: datetime) -> list[ListEntry]:
    """Entries whose page was last seen, or first listed, more than half a window ago, and that were not asked about since."""
    watched = (
        in_force(moment)
        .filter(signal=Signal.URL.value, decision__isnull=False, list__live_hours__isnull=False)
        .exclude(list__live_policy=LivePolicy.OFF.value)
        .exclude(decision__report__captures__status__in=OPEN)
        .select_related("decision__report")
        .order_by(F("last_check_at").asc(nulls_first=True), "number")
    )
    due = []
    for entry in watched.iterator(chunk_size=500):
        half = timedelta(hours=(entry.list.live_hours or 0) / 2)
        if moment - max(filter(None, (entry.last_check_at, entry.added_at))) > half:
            due.append(entry)
        if len(due) == ASKED_AT_ONCE.value:
            break
    return due

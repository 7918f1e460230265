"""Setting, extending and releasing holds; noting the clearance of the police; alerting owners."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.approvals.actions import do_request, spend
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.audit.actions import record
from vigil.hotline.holds import codes
from vigil.hotline.holds.enumerations import STOPS, Clearance, HoldKind, HoldScope, Stopped
from vigil.hotline.holds.gate import hosts_of, lock_reached, overdue
from vigil.hotline.holds.models import ClearanceNote, Hold
from vigil.hotline.reports.models import Report

LONGEST: Final = timedelta(days=90)
"""A hold is looked at again after this at the latest; it may then be extended."""
REASON_CODE: Final = re.compile(r"[a-z][a-z_]{1,38}")


def check_set_hold(person: Person, expires_at: datetime, agency: str, reason_code: str) -> None:
    """By who manages holds; an agency, a coded reason, and an end in the next 90 days."""
    must(person, Permission.HOLD_MANAGE)
    if not agency.strip() or len(agency) > 120:
        raise InputError("agency_missing", "Name the agency, in at most 120 characters.", where="agency")
    if not REASON_CODE.fullmatch(reason_code):
        raise InputError("reason_code", "A reason is a short code: small letters and underscores.", where="reason_code")
    _check_expiry(expires_at)


def _check_expiry(expires_at: datetime) -> None:
    if not now() < expires_at <= now() + LONGEST:
        raise InputError("expiry", f"A hold ends within {LONGEST.days} days, and can be extended.", where="expires_at")


def do_set_hold(
    person: Person,
    report: Report,
    kind: HoldKind,
    *,
    owner: User,
    agency: str,
    reason_code: str,
    expires_at: datetime,
    scope: HoldScope = HoldScope.CASE,
    reference: str = "",
) -> Hold:
    """Set a hold. One person may: stopping is safe; releasing needs two."""
    check_set_hold(person, expires_at, agency, reason_code)
    hosts = hosts_of(report) if scope is HoldScope.HOST else []
    if scope is HoldScope.HOST and len(hosts) != 1:
        raise InputError("host_unclear", "This case does not name exactly one host.", where="scope")
    with transaction.atomic():
        if Stopped.DISPOSAL in STOPS[kind]:
            lock_reached(report, hosts)
        hold = Hold.objects.create(
            report=report,
            host=hosts[0] if hosts else "",
            kind=kind.value,
            scope=scope.value,
            agency=agency.strip(),
            reason_code=reason_code,
            reference=reference or None,
            owner=owner,
            starts_at=now(),
            expires_at=expires_at,
            created_by=person.label,
        )
        record(person, codes.SET, hold, case=str(report.pk), kind=kind.value, scope=scope.value, reason=reason_code)
    return hold


def do_extend_hold(person: Person, hold: Hold, expires_at: datetime) -> Hold:
    """Give a hold more time, overdue or not."""
    must(person, Permission.HOLD_MANAGE)
    _check_expiry(expires_at)
    with transaction.atomic():
        fresh = _locked(hold)
        fresh.expires_at, fresh.alerted_at = expires_at, None
        fresh.save(update_fields=["expires_at", "alerted_at"])
        record(person, codes.EXTENDED, fresh, case=str(fresh.report_id), kind=fresh.kind)
    return fresh


def do_ask_release(person: Person, hold: Hold, reason: str) -> ApprovalRequest:
    """Ask a second person to approve the release."""
    must(person, Permission.HOLD_MANAGE)
    return do_request(person, TwoPersonAct.HOLD_RELEASE, hold, reason)


def do_release_hold(person: Person, hold: Hold) -> Hold:
    """Release a hold whose release a second person has approved."""
    with transaction.atomic():
        fresh = _locked(hold)
        fresh.released_by = spend(person, TwoPersonAct.HOLD_RELEASE, fresh)
        fresh.released_at = now()
        fresh.save(update_fields=["released_at", "released_by"])
        record(person, codes.RELEASED, fresh, case=str(fresh.report_id), kind=fresh.kind)
    return fresh


def _locked(hold: Hold) -> Hold:
    fresh = Hold.objects.select_for_update(of=("self",)).get(pk=hold.pk)
    if fresh.released_at is not None:
        raise RefusedError("hold_released", "This hold is released already.")
    return fresh


def do_set_clearance(person: Person, report: Report, state: Clearance, *, agency: str = "", reference: str = "") -> ClearanceNote:
    """Note what the police said, or that they were asked."""
    must(person, Permission.HOLD_MANAGE)
    if state is not Clearance.NOT_REQUIRED and not agency.strip():
        raise InputError("agency_missing", "Name the agency.", where="agency")
    with transaction.atomic():
        note = ClearanceNote(
            report=report, state=state.value, agency=agency.strip()[:120], reference=reference or None, created_by=person.label
        )
        note.save(force_insert=True)
        record(person, codes.CLEARANCE, report, state=state.value)
    return note


def do_alert(person: Person) -> int:
    """Alert the owners of holds whose time is over, once each; the holds stay. The number of alerts."""
    with transaction.atomic():
        late = list(overdue().filter(alerted_at=None).select_for_update(of=("self",)))
        for hold in late:
            hold.alerted_at = now()
            hold.save(update_fields=["alerted_at"])
            record(person, codes.OVERDUE, hold, case=str(hold.report_id), kind=hold.kind, owner=hold.owner.label)
    return len(late)

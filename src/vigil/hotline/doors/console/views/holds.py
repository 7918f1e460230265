"""Holds and the clearance of the police: of one case, and all that are in force."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from vigil.base.errors import InputError, VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.queries import approved
from vigil.hotline.audit.actions import subject_of
from vigil.hotline.doors.console.casework_forms import ClearanceForm, DaysForm, HoldForm, ReasonForm
from vigil.hotline.doors.console.requests import Staff, action, done
from vigil.hotline.doors.console.views.case import report_by
from vigil.hotline.holds.actions import do_ask_release, do_extend_hold, do_release_hold, do_set_clearance, do_set_hold
from vigil.hotline.holds.enumerations import Clearance, HoldKind, HoldScope
from vigil.hotline.holds.gate import clearance_of, holds_on, in_force
from vigil.hotline.holds.models import Hold
from vigil.hotline.reports.models import Report
from vigil.hotline.retention.queries import gone_from


@requires(Permission.HOLD_READ)
@require_safe
def holds(request: Staff) -> HttpResponse:
    """All holds in force, the first to be looked at again first."""
    return render(request, "console/holds.html", {"rows": [_row(request, hold) for hold in in_force()]})


def _row(request: Staff, hold: Hold) -> dict[str, Any]:
    return {
        "hold": hold,
        "stops": sorted(str(act.label) for act in hold.stops),
        "approved": request.person.may(Permission.HOLD_MANAGE)
        and approved(TwoPersonAct.HOLD_RELEASE, subject_of(hold)) is not None,
    }


@requires(Permission.HOLD_READ)
@require_safe
def case_holds(request: Staff, pk: UUID) -> HttpResponse:
    """What the police or the law stops in one case."""
    return _page(request, report_by(pk))


def _page(request: Staff, report: Report, form: HoldForm | None = None, clearance: ClearanceForm | None = None,
          status: int = 200) -> HttpResponse:  # fmt: skip
    manages = request.person.may(Permission.HOLD_MANAGE)
    context = {
        "report": report, "gone": gone_from(report),
        "rows": [_row(request, hold) for hold in holds_on(report)],
        "clearance": clearance_of(report).label,
        "form": form or (HoldForm(initial={"owner": str(request.person.pk)}) if manages else None),
        "clearance_form": clearance or (ClearanceForm(initial={"state": clearance_of(report)}) if manages else None),
        "days_form": DaysForm(), "reason_form": ReasonForm(), "manages": manages,
    }  # fmt: skip
    return render(request, "console/case_holds.html", context, status=status)


@requires(Permission.HOLD_MANAGE)
@action(back="case_holds")
def set_hold(request: Staff, pk: UUID) -> HttpResponse:
    """Set a hold: one person may, because stopping is safe."""
    report, form = report_by(pk), HoldForm(request.POST)
    if not form.is_valid():
        return _page(request, report, form, status=422)
    chosen = form.cleaned_data
    try:
        do_set_hold(
            request.person, report, HoldKind(chosen["kind"]), owner=User.objects.get(pk=chosen["owner"]), agency=chosen["agency"],
            reason_code=chosen["reason_code"], expires_at=now() + timedelta(days=chosen["days"]),
            scope=HoldScope(chosen["scope"]), reference=chosen["reference"],
        )  # fmt: skip
    except VigilError as error:
        form.add_error(None, str(error))
        return _page(request, report, form, status=409)
    done(request, "The hold is set. It stops what it says from now on.")
    return redirect("case_holds", pk=pk)


@requires(Permission.HOLD_MANAGE)
@action(back="case_holds")
def clearance(request: Staff, pk: UUID) -> HttpResponse:
    """Note what the police said."""
    report, form = report_by(pk), ClearanceForm(request.POST)
    if not form.is_valid():
        return _page(request, report, clearance=form, status=422)
    chosen = form.cleaned_data
    do_set_clearance(request.person, report, Clearance(chosen["state"]), agency=chosen["agency"], reference=chosen["reference"])
    done(request, "The clearance is noted.")
    return redirect("case_holds", pk=pk)


def _hold(pk: UUID, hold: UUID) -> Hold:
    return get_object_or_404(Hold, pk=hold, report=pk)


@requires(Permission.HOLD_MANAGE)
@action(back="case_holds", keep=("pk",))
def extend(request: Staff, pk: UUID, hold: UUID) -> HttpResponse:
    """Give a hold more time."""
    form = DaysForm(request.POST)
    if not form.is_valid():
        raise InputError("expiry", "A hold is extended by 1 to 90 days.")
    do_extend_hold(request.person, _hold(pk, hold), now() + timedelta(days=form.cleaned_data["days"]))
    done(request, "The hold goes on.")
    return redirect("case_holds", pk=pk)


@requires(Permission.HOLD_MANAGE)
@action(back="case_holds", keep=("pk",))
def ask_release(request: Staff, pk: UUID, hold: UUID) -> HttpResponse:
    """Ask a second person to approve the release."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise InputError("reason_missing", "Say why, for the person who approves.")
    do_ask_release(request.person, _hold(pk, hold), form.cleaned_data["reason"])
    done(request, "A second person is asked. Come back when they have approved.")
    return redirect("case_holds", pk=pk)


@requires(Permission.HOLD_MANAGE)
@action(back="case_holds", keep=("pk",))
def release(request: Staff, pk: UUID, hold: UUID) -> HttpResponse:
    """Release a hold whose release was approved."""
    do_release_hold(request.person, _hold(pk, hold))
    done(request, "The hold is released.")
    return redirect("case_holds", pk=pk)

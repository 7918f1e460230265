"""How long things are kept: the policy, the proofs, legal holds; a reporter's contact; what is held about somebody."""

from __future__ import annotations

import json
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.approvals.actions import do_request
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.queries import approved
from vigil.hotline.audit.actions import subject_of
from vigil.hotline.doors.console.requests import Staff, action, done, waits
from vigil.hotline.reports.models import Report
from vigil.hotline.retention.actions import do_place_hold, do_release_hold, kept_under, policy_in_force
from vigil.hotline.retention.contacts import contact_of, do_open_contact
from vigil.hotline.retention.models import LegalHold
from vigil.hotline.retention.policy import Policy
from vigil.hotline.retention.queries import gone_from, holds_in_force, latest_disposals
from vigil.hotline.retention.subjects import do_export_subject
from vigil.hotline.vault.actions import do_set_legal_hold
from vigil.hotline.vault.queries import under_hold


@requires(Permission.RETENTION_READ)
@require_safe
def overview(request: Staff) -> HttpResponse:
    """The policy, holds in force, the latest proofs."""
    holds = [
        {"hold": hold, "approved": approved(TwoPersonAct.RETENTION_OVERRIDE, subject_of(hold)), "gone": gone_from(hold.kept)}
        for hold in holds_in_force()
    ]
    kept = [{"object": each, "approved": approved(TwoPersonAct.RETENTION_OVERRIDE, subject_of(each))} for each in under_hold()]
    context = {"policy": _policy(request), "holds": holds, "kept": kept, "disposals": latest_disposals()}
    return render(request, "console/retention.html", context)


def _policy(request: Staff) -> Policy | None:
    """The policy in force; None, with the reason on the page, where the operator's file cannot be used."""
    try:
        return policy_in_force()
    except VigilError as error:
        waits(request, str(error))
        return None


@requires(Permission.RETENTION_MANAGE)
@action(back="retention", keep=())
def let_go(request: Staff, pk: UUID) -> HttpResponse:
    """Ask a second person; once they approved, let the date of a piece of evidence count again."""
    found = get_object_or_404(under_hold(), pk=pk)
    if approved(TwoPersonAct.RETENTION_OVERRIDE, subject_of(found)):
        do_set_legal_hold(request.person, found, held=False)
        done(request, "Its date counts again.")
    else:
        do_request(request.person, TwoPersonAct.RETENTION_OVERRIDE, found, request.POST.get("reason", ""))
        done(request, "A second person is asked.")
    return redirect("retention")


@requires(Permission.RETENTION_MANAGE)
@require_POST
@action(back="retention", keep=())
def place_hold(request: Staff) -> HttpResponse:
    """Keep a case, by its reference, or who answers at a partner, by its code."""
    hold = do_place_hold(request.person, kept_under(request.POST.get("reference", "")), request.POST.get("reason", ""))
    gone = gone_from(hold.kept)
    done(request, " ".join(["The hold is in force.", f"Deleted before it: {', '.join(gone)}." if gone else ""]).strip())
    return redirect("retention")


@requires(Permission.RETENTION_MANAGE)
@require_POST
@action(back="retention", keep=())
def release_hold(request: Staff, pk: UUID) -> HttpResponse:
    """Ask a second person; once they approved, release the hold."""
    hold = get_object_or_404(LegalHold, pk=pk)
    if approved(TwoPersonAct.RETENTION_OVERRIDE, subject_of(hold)):
        do_release_hold(request.person, hold)
        done(request, "The hold is released.")
    else:
        do_request(request.person, TwoPersonAct.RETENTION_OVERRIDE, hold, request.POST.get("reason", ""))
        done(request, "A second person is asked.")
    return redirect("retention")


@requires(Permission.SUBJECT_EXPORT)
@require_POST
@action(back="retention", keep=())
def export_subject(request: Staff) -> HttpResponse:
    """What is held about a reporter, as a file."""
    held = do_export_subject(request.person, request.POST.get("reference", ""), request.POST.get("purpose", ""))
    answer = HttpResponse(json.dumps(held, indent=1, ensure_ascii=False), content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="held.json"'
    return answer


@requires(Permission.IDENTITY_RELEASE)
@require_safe
def contact(request: Staff, pk: UUID) -> HttpResponse:
    """Whether a contact is held for a case, and the way to open it."""
    return _contact(request, get_object_or_404(Report, pk=pk), "")


@requires(Permission.IDENTITY_RELEASE)
@require_POST
@action(back="contact")
def contact_open(request: Staff, pk: UUID) -> HttpResponse:
    """Ask a second person; once they approved, show the contact, this once."""
    report = get_object_or_404(Report, pk=pk)
    held = contact_of(report)
    if held is None:
        return redirect("contact", pk=pk)
    if approved(TwoPersonAct.REPORTER_IDENTITY_RELEASE, subject_of(held)):
        return _contact(request, report, do_open_contact(request.person, held))
    do_request(request.person, TwoPersonAct.REPORTER_IDENTITY_RELEASE, held, request.POST.get("reason", ""))
    done(request, "A second person is asked.")
    return redirect("contact", pk=pk)


def _contact(request: Staff, report: Report, opened: str) -> HttpResponse:
    held = contact_of(report)
    ready = held is not None and bool(approved(TwoPersonAct.REPORTER_IDENTITY_RELEASE, subject_of(held)))
    return render(request, "console/contact.html", {"report": report, "held": held, "ready": ready, "opened": opened})

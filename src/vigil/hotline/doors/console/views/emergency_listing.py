"""Listing out of turn: one person asks, another approves, the first carries it out; for a day, and narrow only."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from vigil.base.errors import InputError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.queries import approved, waiting
from vigil.hotline.assessments.queries import in_force
from vigil.hotline.audit.actions import subject_of
from vigil.hotline.doors.console.casework_forms import ReasonForm
from vigil.hotline.doors.console.requests import Staff, action, done
from vigil.hotline.doors.console.views.case import report_by, url_of
from vigil.hotline.lists.actions import EMERGENCY_LIFE, do_ask_emergency, do_emergency_list
from vigil.hotline.lists.proposals import Proposal, of_media, of_url
from vigil.hotline.lists.queries import media_of


@requires(Permission.LIST_EMERGENCY)
@require_safe
def emergency(request: Staff, pk: UUID) -> HttpResponse:
    """Whether a case can be listed out of turn, and how far that has come."""
    report = report_by(pk)
    subject, assessment = subject_of(report), in_force(report)
    act = TwoPersonAct.LIST_EMERGENCY_ADD
    context = {
        "report": report, "url": url_of(report), "files": media_of(report), "hours": int(EMERGENCY_LIFE.total_seconds() // 3600),
        "found": assessment is not None and assessment.found, "approved": approved(act, subject),
        "waits": waiting().filter(act=act.value, subject=subject).exists(), "form": ReasonForm(),
    }  # fmt: skip
    return render(request, "console/emergency_listing.html", context)


@requires(Permission.LIST_EMERGENCY)
@action(back="case_emergency")
def ask(request: Staff, pk: UUID) -> HttpResponse:
    """Ask a second person."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise InputError("reason_missing", "Say why it cannot wait, for the person who approves.")
    do_ask_emergency(request.person, report_by(pk), form.cleaned_data["reason"])
    done(request, "A second person is asked. Come back when they have approved.")
    return redirect("case_emergency", pk=pk)


@requires(Permission.LIST_EMERGENCY)
@action(back="case_emergency")
def carry_out(request: Staff, pk: UUID) -> HttpResponse:
    """List what was chosen, with the approval that is there."""
    report = report_by(pk)
    url, wanted = url_of(report), set(request.POST.getlist("pictures"))
    proposals: list[Proposal] = [of_url(url)] if url is not None and request.POST.get("page") else []
    proposals += of_media(row for row in media_of(report) if str(row.pk) in wanted)
    decision = do_emergency_list(request.person, report, proposals)
    number = decision.entries.count()
    done(request, f"{number} new {'entry' if number == 1 else 'entries'} out of turn. The usual looks go on.")
    return redirect("case_emergency", pk=pk)

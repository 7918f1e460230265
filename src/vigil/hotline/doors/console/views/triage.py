"""The desk's other queues: emergencies, what rules closed, and children's cases; and answers about brands."""

from __future__ import annotations

from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.requests import Staff, action, done
from vigil.hotline.doors.console.views.queue import PAGE_ROWS
from vigil.hotline.reports.children import child_cases, do_set_child_outcome
from vigil.hotline.reports.enumerations import ChildOutcome, Priority, Status
from vigil.hotline.reports.models import ChildCase
from vigil.hotline.triage.actions import do_check_closing, do_pass_on_emergency, do_see_emergency
from vigil.hotline.triage.answering import do_answer_likeness, do_take_back
from vigil.hotline.triage.models import AutoClosing, Emergency, Likeness
from vigil.hotline.triage.queries import closings_to_check, emergencies, quality


@requires(Permission.REPORT_TRIAGE)
@require_safe
def emergency_list(request: Staff) -> HttpResponse:
    """Children said to be in danger now: those that nobody took up first."""
    return render(request, "console/emergencies.html", {"emergencies": emergencies()})


@requires(Permission.REPORT_TRIAGE)
@require_POST
@action(back="emergencies", keep=())
def emergency_see(request: Staff, pk: UUID) -> HttpResponse:
    """Take one up."""
    emergency = do_see_emergency(request.person, get_object_or_404(Emergency, pk=pk))
    return redirect("case", pk=emergency.report_id)


@requires(Permission.REPORT_TRIAGE)
@require_POST
@action(back="emergencies", keep=())
def emergency_pass_on(request: Staff, pk: UUID) -> HttpResponse:
    """Note that the police were told."""
    do_pass_on_emergency(request.person, get_object_or_404(Emergency, pk=pk), request.POST.get("to_whom", ""))
    return redirect("emergencies")


@requires(Permission.REPORT_TRIAGE)
@require_safe
def closings(request: Staff) -> HttpResponse:
    """What rules closed: the sample to check, and how often they were wrong."""
    page = Paginator(closings_to_check(), PAGE_ROWS).get_page(request.GET.get("page"))
    return render(request, "console/closings.html", {"page": page, "quality": quality()})


@requires(Permission.REPORT_TRIAGE)
@require_POST
@action(back="closings", keep=())
def closing_check(request: Staff, pk: UUID) -> HttpResponse:
    """Say that a rule closed rightly, or open the case again."""
    closing = get_object_or_404(AutoClosing, pk=pk)
    do_check_closing(request.person, closing, right=request.POST.get("right") == "yes")
    return redirect("closings")


@requires(Permission.CHILD_CASE_WORK)
@require_safe
def children(request: Staff) -> HttpResponse:
    """The queue of children's cases."""
    page = Paginator(child_cases(request.person), PAGE_ROWS).get_page(request.GET.get("page"))
    rows = [
        {
            "case": case,
            "status": words.STATUS[Status(case.report.status)],
            "priority": words.PRIORITY[Priority(case.report.priority)],
        }
        for case in page.object_list
        if case.report is not None
    ]
    context = {"page": page, "rows": rows, "outcomes": [(each.value, each.value.replace("_", " ")) for each in ChildOutcome]}
    return render(request, "console/children.html", context)


@requires(Permission.CHILD_CASE_WORK)
@require_POST
@action(back="children", keep=())
def child_outcome(request: Staff, pk: UUID) -> HttpResponse:
    """Choose what the child is told."""
    case = get_object_or_404(ChildCase, pk=pk)
    chosen = request.POST.get("outcome", "")
    if chosen in set(ChildOutcome):
        do_set_child_outcome(request.person, case, ChildOutcome(chosen))
    return redirect("children")


@requires(Permission.REPORT_TRIAGE)
@action(back="case", keep=("pk",))
def brand(request: Staff, pk: UUID, likeness: UUID) -> HttpResponse:
    """Say that a case which looks like this one's brand is it, is not, or take that back."""
    found = get_object_or_404(Likeness.objects.filter(Q(report=pk) | Q(other=pk)).select_related("report", "other"), pk=likeness)
    _answer(request, found)
    return redirect("case", pk=pk)


def _answer(request: Staff, likeness: Likeness) -> None:
    answer = request.POST.get("answer", "")
    if answer == "back":
        do_take_back(request.person, likeness)
        done(request, "The answer is taken back: it is a proposal again.")
    elif answer in {"same", "apart"}:
        do_answer_likeness(request.person, likeness, same=answer == "same")
        done(request, "Noted as one brand." if answer == "same" else "Noted: not one brand. These names are not proposed again.")

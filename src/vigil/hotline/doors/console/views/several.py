"""One act on several cases: choose, look at what would happen, do it, take it back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from vigil.base.errors import InputError
from vigil.hotline.access.models import User
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.assessments import scheme
from vigil.hotline.desks.actions import do_forget_filter, do_keep_filter, filters_of
from vigil.hotline.desks.models import BulkRun
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.forms import QueueFilter
from vigil.hotline.doors.console.requests import Staff, action, allowed, done
from vigil.hotline.reports.bulk import BulkAct, Order, check_undo, chosen, do_bulk, do_undo, preview
from vigil.hotline.reports.enumerations import Outcome, Priority
from vigil.hotline.reports.lifecycle import DESK_OUTCOMES
from vigil.hotline.reports.models import Report

QUEUE: Final = "queue"


def orders() -> list[tuple[str, str]]:
    """Every order as the form names it (``act:value``), with its words."""
    priorities = [(f"priority:{each.value}", f"Set priority: {words.PRIORITY[each].text.lower()}") for each in Priority]
    outcomes = sorted(DESK_OUTCOMES, key=lambda each: list(Outcome).index(each))
    closing = [(f"close:{each.value}", f"Close: {_outcome(each)}") for each in outcomes]
    return [*priorities, *closing, ("release:", "Give back")]


def _outcome(outcome: Outcome) -> str:
    return str(scheme.OUTCOMES.get(outcome, outcome.value.replace("_", " "))).lower()


def _order_of(form: QueryDict) -> Order:
    act, _, value = form.get("order", "").partition(":")
    if act not in set(BulkAct):
        raise InputError("bulk_value", "Choose what to do.", where="order")
    return Order(BulkAct(act), value)


def _cases_of(person: User, form: QueryDict) -> list[Report]:
    try:
        return chosen(person, (UUID(value) for value in form.getlist("case")))
    except ValueError as error:
        raise InputError("bulk_number", "A case of the form is none of ours.", where="case") from error


@requires(Permission.REPORT_TRIAGE)
@action(back="queue")
def look(request: Staff) -> HttpResponse:
    """What would happen to each case. Nothing has changed yet."""
    order = _order_of(request.POST)
    prospects = preview(request.person, order, _cases_of(request.person, request.POST))
    context = {
        "order": request.POST["order"],
        "words": dict(orders())[f"{order.act.value}:{order.value}"],
        "would": [each.report for each in prospects if not each.refusal],
        "would_not": [each for each in prospects if each.refusal],
    }
    return render(request, "console/several.html", context)


@requires(Permission.REPORT_TRIAGE)
@action(back="queue")
def act(request: Staff) -> HttpResponse:
    """Do it."""
    run = do_bulk(request.person, _order_of(request.POST), _cases_of(request.person, request.POST))
    return redirect("several_run", pk=run.pk)


@requires(Permission.REPORT_TRIAGE)
@require_safe
def run(request: Staff, pk: UUID) -> HttpResponse:
    """What was done, with the way back while there is one."""
    found = get_object_or_404(BulkRun, pk=pk, owner=request.person)
    context = {
        "run": found, "words": dict(orders()).get(f"{found.act}:{found.value}", found.act),
        "reports": _reports(found.items), "can_undo": allowed(check_undo, request.person, found),
    }  # fmt: skip
    return render(request, "console/several_run.html", context)


def _reports(items: Iterable[dict[str, Any]]) -> list[Report]:
    return list(Report.objects.filter(pk__in=[UUID(item["case"]) for item in items]).order_by("ref"))


@requires(Permission.REPORT_TRIAGE)
@action(back="several_run")
def undo(request: Staff, pk: UUID) -> HttpResponse:
    """Take it back, where nobody changed the case since."""
    back, left = do_undo(request.person, get_object_or_404(BulkRun, pk=pk, owner=request.person))
    others = f" {left} had changed since and stay as they are." if left else ""
    done(request, f"Taken back for {back} case{'' if back == 1 else 's'}.{others}")
    return redirect("several_run", pk=pk)


# ---- kept filters


@requires(Permission.QUEUE_READ)
@action(back="queue")
def keep_filter(request: Staff) -> HttpResponse:
    """Keep the present filter of the queue under a name."""
    form = QueueFilter(request.POST)
    query = {name: form.chosen(name) for name in form.fields if form.chosen(name)}
    kept = do_keep_filter(request.person, QUEUE, request.POST.get("name", ""), query)
    done(request, "The filter is kept.")
    return redirect(address_of(kept.query))


@requires(Permission.QUEUE_READ)
@action(back="queue")
def forget_filter(request: Staff) -> HttpResponse:
    """Forget one of one's filters."""
    kept = filters_of(request.person, QUEUE).filter(name=request.POST.get("name", "")).first()
    if kept is not None:
        do_forget_filter(request.person, kept)
        done(request, "The filter is forgotten.")
    return redirect("queue")


def address_of(query: dict[str, str]) -> str:
    """The queue with this filter: enumeration values only."""
    return f"{reverse('queue')}?{urlencode(query)}"

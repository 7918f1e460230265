"""The overview and the queue."""

from __future__ import annotations

from typing import Any, Final

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import open_to_all, requires
from vigil.hotline.assessments.actions import do_take_next_fit
from vigil.hotline.compartments.access import hidden_from
from vigil.hotline.desks.actions import filters_of
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.forms import QueueFilter
from vigil.hotline.doors.console.requests import Staff, action, waits
from vigil.hotline.doors.console.views import several
from vigil.hotline.reports.enumerations import URGENCY, Priority, Status, Theme
from vigil.hotline.reports.models import Report
from vigil.hotline.reports.queries import concluded, in_hand_of, queue, waiting

PAGE_ROWS: Final = 50


@open_to_all("Asked by whatever watches over the process; says only that it answers.")
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@requires(Permission.CONSOLE_ENTER)
@require_safe
def overview(request: Staff) -> HttpResponse:
    """What is in my hands and what waits; the first page after signing in."""
    context: dict[str, Any] = {}
    if request.person.may(Permission.QUEUE_READ):
        hidden = hidden_from(request.person)
        context = {"mine": rows(in_hand_of(request.person)), "waiting": waiting().exclude(pk__in=hidden).count(),
                   "second": waiting(Status.SECOND_REVIEW).exclude(pk__in=hidden).count()}  # fmt: skip
    return render(request, "console/overview.html", context)


@requires(Permission.QUEUE_READ)
@require_safe
def cases(request: Staff) -> HttpResponse:
    """The queue, in the order in which cases should be taken."""
    chosen = QueueFilter(request.GET)
    page = Paginator(_chosen(request, chosen), PAGE_ROWS).get_page(request.GET.get("page"))
    view = chosen.chosen("view")
    context = {
        "filter": QueueFilter(initial={name: chosen.chosen(name) for name in chosen.fields}),
        "title": dict(QueueFilter.VIEWS)[view],
        "view": view,
        "page": page,
        "rows": rows(page.object_list),
        "filtered": bool(chosen.chosen("status") or chosen.chosen("priority")),
        "chosen": [(name, chosen.chosen(name)) for name in ("status", "priority") if chosen.chosen(name)],
        "kept": filters_of(request.person, "queue"),
        "orders": several.orders() if request.person.may(Permission.REPORT_TRIAGE) and view != "concluded" else [],
    }
    return render(request, "console/queue.html", context)


def _chosen(request: Staff, chosen: QueueFilter) -> QuerySet[Report]:
    found = {
        "": waiting(),
        "mine": in_hand_of(request.person),
        "second": waiting(Status.SECOND_REVIEW),
        "open": queue(),
        "concluded": concluded(),
    }[chosen.chosen("view")]
    found = found.exclude(pk__in=hidden_from(request.person))
    if status := chosen.chosen("status"):
        found = found.filter(status=status)
    if priority := chosen.chosen("priority"):
        found = found.filter(urgency=URGENCY[Priority(priority)])  # the same by a rule of the table, and what the index holds
    return found


def rows(reports: Any) -> list[dict[str, Any]]:
    """Cases as rows of a list: nothing confidential."""
    return [
        {
            "report": report,
            "status": words.STATUS[Status(report.status)],
            "priority": words.PRIORITY[Priority(report.priority)],
            "theme": words.THEME[Theme(report.theme_claimed)] if report.theme_claimed else "",
        }
        for report in reports
    ]


@requires(Permission.QUEUE_READ)
@require_POST
@action(back="queue")
def take_next(request: Staff) -> HttpResponse:
    """Take the first case that waits: two people never get the same one."""
    report = do_take_next_fit(request.person)
    if report is None:
        waits(request, "Nothing waits at the moment.")
        return redirect("queue")
    return redirect("case", pk=report.pk)

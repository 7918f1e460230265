"""Statistics and the audit log."""

from __future__ import annotations

import json
from typing import Any, Final

from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from vigil.hotline.access.clock import now
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.audit.actions import record
from vigil.hotline.audit.codes import EXPORTED, REGISTRY
from vigil.hotline.audit.heads import export_lines, latest_head
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import AuditReport, verify
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.requests import Staff
from vigil.hotline.statistics.queries import overview

ROWS: Final = 100


@requires(Permission.STATISTICS_READ)
@require_safe
def statistics(request: Staff) -> HttpResponse:
    """The figures of the last weeks: each chart with its table, definition and caveat."""
    return render(request, "console/statistics.html", {"overview": overview(now())})


@requires(Permission.AUDIT_READ)
@require_safe
def audit(request: Staff) -> HttpResponse:
    """The log, the newest events first."""
    return _page(request)


@requires(Permission.AUDIT_READ)
@require_POST
def audit_verify(request: Staff) -> HttpResponse:
    """Walk the whole chain and say what does not fit."""
    return _page(request, verify())


@requires(Permission.AUDIT_READ, elevated=True)
@require_safe
def audit_export(request: Staff) -> StreamingHttpResponse:
    """The whole log with its signed tree heads, as JSON lines; within an elevated session only."""
    with transaction.atomic():
        record(request.person, EXPORTED, "audit", events=AuditEvent.objects.count())
    answer = StreamingHttpResponse(export_lines(), content_type="application/x-ndjson")
    answer["Content-Disposition"] = 'attachment; filename="audit-log.jsonl"'
    return answer


def _page(request: Staff, report: AuditReport | None = None) -> HttpResponse:
    found = AuditEvent.objects.order_by("-seq")
    code = request.GET.get("code", "")
    code = code if code in REGISTRY else ""
    page = Paginator(found.filter(code=code) if code else found, ROWS).get_page(request.GET.get("page"))
    context = {"page": page, "rows": [_row(event) for event in page.object_list], "report": report,
               "codes": sorted(REGISTRY), "code": code, "head": latest_head()}  # fmt: skip
    return render(request, "console/audit.html", context)


def _row(event: AuditEvent) -> dict[str, Any]:
    details = json.loads(event.details)
    return {
        "event": event,
        "who": words.actor(event.actor),
        "text": words.act(event.code),
        "details": ", ".join(f"{name} {value}" for name, value in details.items()),
    }

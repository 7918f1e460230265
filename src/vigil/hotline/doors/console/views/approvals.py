"""Two-person acts: what waits for a second person, its reason on request, approving and refusing."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.approvals.actions import check_decide_request, do_approve, do_refuse, do_show_reason
from vigil.hotline.approvals.acts import ApprovalResult
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.approvals.queries import seen_by, waiting_for
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.requests import Staff, action, allowed, done
from vigil.hotline.doors.console.words import Tag

ROWS: Final = 50
STATES: Final[dict[ApprovalResult, Tag]] = {
    ApprovalResult.PENDING: Tag("waits", "Waits for a second person"),
    ApprovalResult.APPROVED: Tag("working", "Approved, not carried out yet"),
    ApprovalResult.REFUSED: Tag("done", "Refused"),
    ApprovalResult.EXPIRED: Tag("done", "Expired"),
}


@requires(Permission.APPROVAL_READ)
@require_safe
def approvals(request: Staff) -> HttpResponse:
    """What waits for this person first, then everything they have a seat in."""
    page = Paginator(seen_by(request.person), ROWS).get_page(request.GET.get("page"))
    context = {
        "waiting": [_row(found) for found in waiting_for(request.person)],
        "rows": [_row(found) for found in page.object_list],
        "page": page,
    }
    return render(request, "console/approvals.html", context)


def _row(found: ApprovalRequest) -> dict[str, Any]:
    tag = Tag("done", "Carried out") if found.spent_at else STATES[found.state]
    return {
        "act": found,
        "tag": tag,
        "subject": found.subject.replace(":", " ", 1),
        "asked_by": words.actor(found.created_by),
        "decided_by": words.actor(found.decided_by) if found.decided_by else "",
    }


def _found(request: Staff, pk: UUID) -> ApprovalRequest:
    return get_object_or_404(seen_by(request.person), pk=pk)


@requires(Permission.APPROVAL_READ)
@require_safe
def approval(request: Staff, pk: UUID) -> HttpResponse:
    """One request, with the two answers for who may give them."""
    return _page(request, _found(request, pk))


def _page(request: Staff, found: ApprovalRequest, reason: str = "") -> HttpResponse:
    own = found.created_by == request.person.label
    context = {
        **_row(found), "reason": reason, "own": own, "pending": found.state is ApprovalResult.PENDING,
        "can_decide": allowed(check_decide_request, request.person, found),
    }  # fmt: skip
    return render(request, "console/approval.html", context)


@requires(Permission.APPROVAL_READ)
@action(back="approval")
def reason(request: Staff, pk: UUID) -> HttpResponse:
    """Show the reason: on this answer only, and logged before."""
    found = _found(request, pk)
    return _page(request, found, do_show_reason(request.person, found))


@requires(Permission.APPROVAL_READ)
@action(back="approval")
def approve(request: Staff, pk: UUID) -> HttpResponse:
    """Say yes as the second person."""
    do_approve(request.person, _found(request, pk))
    done(request, "Approved. Who asked for it can carry it out now, once.")
    return redirect("approvals")


@requires(Permission.APPROVAL_READ)
@action(back="approval")
def refuse(request: Staff, pk: UUID) -> HttpResponse:
    """Say no as the second person."""
    do_refuse(request.person, _found(request, pk))
    done(request, "Refused. Nothing happens.")
    return redirect("approvals")

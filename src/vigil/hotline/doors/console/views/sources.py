"""Sources of lists: how they do, what was set aside, and what their entries are used for."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from vigil.base.errors import InputError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.requests import Staff, action, allowed, done
from vigil.hotline.lists.exchange.models import ImportPolicy, PolicyUse
from vigil.hotline.lists.exchange.policies import (
    check_approve_policy,
    do_approve_policy,
    do_end_policy,
    do_propose_policy,
)
from vigil.hotline.lists.models import List
from vigil.hotline.partners.sources.models import Source, SourceKind, VoteState
from vigil.hotline.partners.sources.queries import quarantine, sources, votes
from vigil.hotline.partners.sources.reconcile import counts
from vigil.hotline.partners.sources.record import FLAW_WORDS, Flaw
from vigil.hotline.partners.sources.registry import KINDS
from vigil.hotline.partners.sources.status import Status, status_of

ROWS: Final = 100
TAGS: Final = {
    "ok": "done", "running": "waits", "waiting": "waits", "failing": "danger", "paused": "waits", "held_back": "danger",
}  # fmt: skip


@requires(Permission.SOURCE_READ)
@require_safe
def all_sources(request: Staff) -> HttpResponse:
    """Every source with how it does, in words."""
    return render(request, "console/sources.html", {"rows": [_row(status_of(source)) for source in sources()]})


@requires(Permission.SOURCE_READ)
@require_safe
def source(request: Staff, pk: UUID) -> HttpResponse:
    """One source: figures, what is set aside, and the uses of its entries."""
    found = get_object_or_404(Source, pk=pk)
    page = Paginator(quarantine(found), ROWS).get_page(request.GET.get("page"))
    context = {
        **_row(status_of(found)), "page": page, "counts": counts(found),
        "aside": [(row, FLAW_WORDS[Flaw(row.flaw)]) for row in page.object_list],
        "policies": [_policy(request, policy) for policy in ImportPolicy.objects.filter(source=found).select_related("list")],
        "lists": List.objects.filter(kind__startswith="hash"), "refused": votes(found).filter(state=VoteState.REFUSED).count(),
        "may_propose": request.person.may(Permission.PARTNER_PROPOSE),
    }  # fmt: skip
    return render(request, "console/source.html", context)


@requires(Permission.PARTNER_PROPOSE)
@action(back="source")
def propose_policy(request: Staff, pk: UUID) -> HttpResponse:
    """Propose what entries of a source are used for."""
    found = get_object_or_404(Source, pk=pk)
    use = request.POST.get("use", "")
    if use not in set(PolicyUse):
        raise InputError("policy_use", "Choose what the entries are used for.", where="use")
    target = List.objects.filter(name=request.POST.get("list", "")).first() if use == PolicyUse.LIST else None
    types = tuple(request.POST.get("types", "").split()) if use == PolicyUse.LIST else ()
    do_propose_policy(request.person, found, PolicyUse(use), target=target, algorithms=types)
    done(request, "Proposed. Somebody else has to approve it.")
    return redirect("source", pk=pk)


@requires(Permission.PARTNER_APPROVE)
@action(back="source")
def approve_policy(request: Staff, pk: UUID) -> HttpResponse:
    """Approve the proposal that is named."""
    do_approve_policy(request.person, _named(request, pk))
    done(request, "Approved. It is in force.")
    return redirect("source", pk=pk)


@requires(Permission.PARTNER_STOP)
@action(back="source")
def end_policy(request: Staff, pk: UUID) -> HttpResponse:
    """End the use that is named."""
    do_end_policy(request.person, _named(request, pk))
    done(request, "Ended. What it listed is let go.")
    return redirect("source", pk=pk)


def _named(request: Staff, pk: UUID) -> ImportPolicy:
    found = [each for each in ImportPolicy.objects.filter(source=pk) if str(each.pk) == request.POST.get("policy")]
    if not found:
        raise InputError("no_such_policy", "There is no such proposal.", where="policy")
    return found[0]


def _policy(request: Staff, policy: ImportPolicy) -> dict[str, Any]:
    return {
        "policy": policy, "by": words.actor(policy.created_by), "approved_by": words.actor(policy.approved_by),
        "may_approve": allowed(check_approve_policy, request.person, policy), "types": " ".join(policy.algorithms),
        "may_end": request.person.may(Permission.PARTNER_STOP) and policy.ended_at is None,
    }  # fmt: skip


def _row(status: Status) -> dict[str, Any]:
    return {
        "status": status, "source": status.source, "kind": KINDS[SourceKind(status.source.kind)].title,
        "tag": TAGS[status.state], "state": status.state.replace("_", " "),
    }  # fmt: skip

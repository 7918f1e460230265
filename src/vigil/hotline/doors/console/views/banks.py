"""Banks of a platform: what they are for, by two people; which there are, and how full. Never what they hold."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.banks.models import BankPolicy, Machine
from vigil.hotline.banks.policy import (
    RETENTION_DAYS,
    TEXT,
    check_approve_policy,
    do_approve_policy,
    do_propose_policy,
    policy_in_force,
    waiting_policies,
)
from vigil.hotline.banks.queries import banks as all_banks
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.forms import StrictForm
from vigil.hotline.doors.console.requests import Staff, action, allowed, done, waits

AREA: Final = forms.Textarea(attrs={"rows": 3})


class PolicyForm(StrictForm):
    """What banks are for, as somebody proposes it."""

    purpose = forms.CharField(max_length=TEXT.value, widget=AREA, label="What banks are for")
    legal_basis = forms.CharField(max_length=TEXT.value, widget=AREA, label="On what legal basis hashes are kept")
    owner = forms.CharField(max_length=200, label="Who answers for what is banked")
    retention_days = forms.IntegerField(min_value=1, max_value=RETENTION_DAYS.value, label="Days after which a content is erased")


@requires(Permission.BANK_POLICY)
@require_safe
def banks(request: Staff) -> HttpResponse:
    """The policy in force, what waits for a second person, banks and machines."""
    return _page(request, PolicyForm())


def _page(request: Staff, form: PolicyForm) -> HttpResponse:
    counted = all_banks().select_related("list").annotate(held=Count("contents", filter=Q(contents__gone=False)))
    context = {
        "form": form,
        "policy": _shown(request, _in_force()),
        "waiting": [_shown(request, each) for each in waiting_policies()],
        "banks": counted,
        "machines": Machine.objects.filter(revoked_at=None).order_by("name"),
    }
    return render(request, "console/banks.html", context, status=422 if form.errors else 200)


def _in_force() -> BankPolicy | None:
    try:
        return policy_in_force()
    except VigilError:
        return None


def _shown(request: Staff, policy: BankPolicy | None) -> dict[str, Any] | None:
    if policy is None:
        return None
    return {
        "policy": policy,
        "proposed_by": words.actor(policy.created_by),
        "approved_by": words.actor(policy.approved_by) if policy.approved_by else "",
        "can_approve": allowed(check_approve_policy, request.person, policy),
    }


@requires(Permission.BANK_POLICY)
@action(back="banks")
def propose(request: Staff) -> HttpResponse:
    """Propose a policy; nothing changes until a second person approves it."""
    form = PolicyForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    do_propose_policy(request.person, **form.cleaned_data)
    done(request, "Proposed. Another person has to approve it.")
    return redirect("banks")


@requires(Permission.BANK_POLICY)
@require_POST
def approve(request: Staff, pk: UUID) -> HttpResponse:
    """Approve what somebody else proposed."""
    try:
        do_approve_policy(request.person, get_object_or_404(BankPolicy, pk=pk))
        done(request, "Approved. Banks made from now on follow this policy.")
    except VigilError as error:
        waits(request, str(error))
    return redirect("banks")

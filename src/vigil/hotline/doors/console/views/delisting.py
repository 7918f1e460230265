"""Taking an entry off by policy: one person asks, another approves, the first carries it out."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from vigil.base.errors import InputError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.queries import approved, waiting
from vigil.hotline.doors.console.casework_forms import ReasonForm
from vigil.hotline.doors.console.requests import Staff, action, done
from vigil.hotline.doors.console.views.entries import entry_numbered
from vigil.hotline.lists.actions import name_of
from vigil.hotline.lists.withdrawals import do_ask_delisting, do_delist

ACT = TwoPersonAct.POLICY_DELISTING


@requires(Permission.ENTRY_WITHDRAW)
@require_safe
def delisting(request: Staff, number: int) -> HttpResponse:
    """How far taking this entry off by policy has come."""
    entry = entry_numbered(number)
    context = {
        "entry": entry, "form": ReasonForm(), "approved": approved(ACT, name_of(entry)),
        "waits": waiting().filter(act=ACT.value, subject=name_of(entry)).exists(),
    }  # fmt: skip
    return render(request, "console/delisting.html", context)


@requires(Permission.ENTRY_WITHDRAW)
@action(back="delisting")
def ask(request: Staff, number: int) -> HttpResponse:
    """Ask a second person."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise InputError("reason_missing", "Say which policy, for the person who approves.")
    do_ask_delisting(request.person, entry_numbered(number), form.cleaned_data["reason"])
    done(request, "A second person is asked. Come back when they have approved.")
    return redirect("delisting", number=number)


@requires(Permission.ENTRY_WITHDRAW)
@action(back="delisting")
def carry_out(request: Staff, number: int) -> HttpResponse:
    """Take it off, with the approval that is there."""
    do_delist(request.person, entry_numbered(number))
    done(request, f"Entry {number} is off. An edition without it is being made now.")
    return redirect("entry", number=number)

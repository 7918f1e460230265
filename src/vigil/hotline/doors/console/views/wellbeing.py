"""One's own exposure and ways out; and the welfare lead's page, as far as policy and the people themselves allow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from vigil.base.errors import InputError
from vigil.hotline.access.clock import now
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.roles import Role
from vigil.hotline.access.rules import requires
from vigil.hotline.doors.console.casework_forms import BreakForm, PreferencesForm, ShiftForm
from vigil.hotline.doors.console.requests import Staff, action, done
from vigil.hotline.doors.console.words import Tag
from vigil.hotline.lists.outcomes import outcomes_for
from vigil.hotline.reports.actions import do_release
from vigil.hotline.reports.queries import in_hand_of
from vigil.hotline.welfare.actions import (
    WORDS,
    do_answer_buddy,
    do_ask_buddy,
    do_come_back,
    do_read_as_lead,
    do_set_policy,
    do_set_preferences,
    do_swap,
    do_take_break,
    do_withdraw_buddy,
)
from vigil.hotline.welfare.limits import Fitness, Policy
from vigil.hotline.welfare.models import BuddyRequest, LeadSees, WellbeingCheck
from vigil.hotline.welfare.queries import (
    days_of,
    lead_rows,
    open_buddy_requests,
    policies_in_force,
    policy_for,
    preferences_of,
    state_for,
    totals,
)

STATES: dict[Fitness, Tag] = {
    Fitness.FIT: Tag("done", "All is well within the limits"),
    Fitness.NEAR_LIMIT: Tag("waits", "Near the limit of the day"),
    Fitness.BREAK_DUE: Tag("waits", "A break is due"),
    Fitness.ON_BREAK: Tag("working", "On a break"),
    Fitness.DAY_OVER: Tag("waits", "Enough for today"),
    Fitness.WEEK_OVER: Tag("waits", "Enough for this week"),
    Fitness.SWAPPED: Tag("working", "On other work"),
}


@requires(Permission.WELFARE_OWN)
@require_safe
def wellbeing(request: Staff) -> HttpResponse:
    """One's own page: nobody else sees it."""
    return _page(request)


def _page(request: Staff, form: PreferencesForm | None = None, status: int = 200) -> HttpResponse:
    person = request.person
    state, chosen = state_for(person), preferences_of(person)
    initial = {name: getattr(chosen, name) for name in ("greyscale", "sketch", "blur", "tile_side", "opt_outs", "share")}
    context = {
        "tag": STATES[state.fitness],
        "state": state,
        "words": WORDS.get(state.fitness, ""),
        "policy": policy_for(person),
        "today": totals(person, now() - timedelta(hours=24)),
        "week": totals(person, now() - timedelta(days=7)),
        "whole": totals(person),
        "days": days_of(person),
        "since": person.created_at,
        "form": form or PreferencesForm(initial=initial),
        "break_form": BreakForm(),
        "asked": BuddyRequest.objects.filter(analyst=person, closed_at=None).exists(),
        "buddies": open_buddy_requests(person),
        "check": WellbeingCheck.objects.filter(analyst=person, created_at__gte=now() - timedelta(hours=24)).exists(),
        "outcomes": outcomes_for(person),
        "swapped": state.fitness is Fitness.SWAPPED,
        "leads": person.may(Permission.WELFARE_LEAD),
    }
    return render(request, "console/wellbeing.html", context, status=status)


@requires(Permission.WELFARE_OWN)
@action(back="wellbeing")
def take_break(request: Staff) -> HttpResponse:
    """Begin a break."""
    form = BreakForm(request.POST)
    if not form.is_valid():
        raise InputError("break_length", "A break has 1 to 120 minutes.")
    taken = do_take_break(request.person, form.cleaned_data["minutes"])
    done(request, f"Your break runs until {taken.ends_at:%H:%M} UTC. Nothing waits that cannot wait.")
    return redirect("wellbeing")


@requires(Permission.WELFARE_OWN)
@action(back="wellbeing")
def swap(request: Staff) -> HttpResponse:
    """Go over to work without content: the cases in one's hands go back to the queue."""
    do_swap(request.person)
    held = list(in_hand_of(request.person))
    for report in held:
        do_release(request.person, report)
    done(request, f"You are on other work now. {len(held)} cases went back to the queue. Come back when you like.")
    return redirect("wellbeing")


@requires(Permission.WELFARE_OWN)
@action(back="wellbeing")
def come_back(request: Staff) -> HttpResponse:
    """End the swap."""
    do_come_back(request.person)
    return redirect("wellbeing")


@requires(Permission.WELFARE_OWN)
@action(back="wellbeing")
def buddy(request: Staff) -> HttpResponse:
    """Ask for company, or take that back."""
    if BuddyRequest.objects.filter(analyst=request.person, closed_at=None).exists():
        do_withdraw_buddy(request.person)
    else:
        do_ask_buddy(request.person)
        done(request, "Your colleagues see on their own pages that you would like company. No reason is shown.")
    return redirect("wellbeing")


@requires(Permission.WELFARE_OWN)
@action(back="wellbeing")
def buddy_answer(request: Staff, pk: UUID) -> HttpResponse:
    """Say that one comes."""
    do_answer_buddy(request.person, get_object_or_404(BuddyRequest, pk=pk))
    done(request, "Thank you. Go and see them.")
    return redirect("wellbeing")


@requires(Permission.WELFARE_OWN)
@action(back="wellbeing")
def preferences(request: Staff) -> HttpResponse:
    """Keep what one chose."""
    form = PreferencesForm(request.POST)
    if not form.is_valid():
        return _page(request, form, 422)
    do_set_preferences(request.person, **form.cleaned_data)
    done(request, "Kept. Nobody else sees what you chose.")
    return redirect("wellbeing")


@requires(Permission.WELFARE_LEAD)
@require_safe
def lead(request: Staff) -> HttpResponse:
    """The welfare lead's page: by name, never by amount, and each showing is logged."""
    return _lead(request)


def _lead(request: Staff, form: ShiftForm | None = None, status: int = 200) -> HttpResponse:
    rows = lead_rows(request.person)
    do_read_as_lead(request.person, sum(row.totals is not None for row in rows))
    policies = policies_in_force()
    context: dict[str, Any] = {
        "rows": rows,
        "form": form or ShiftForm.opened(policies[0]),
        "policies": [(row.role.replace("_", " ") or "everybody", row) for row in policies],
    }
    return render(request, "console/wellbeing_lead.html", context, status=status)


@requires(Permission.WELFARE_LEAD)
@action(back="wellbeing_lead")
def limits(request: Staff) -> HttpResponse:
    """Set limits and breaks."""
    form = ShiftForm(request.POST)
    if not form.is_valid():
        return _lead(request, form, 422)
    chosen = form.cleaned_data
    policy = Policy(
        chosen["daily_soft"] * 60, chosen["daily"] * 60, chosen["weekly"] * 60, chosen["break_every"] * 60,
        chosen["break_length"] * 60, chosen["hard"],
    )  # fmt: skip
    role = Role(chosen["role"]) if chosen["role"] else None
    do_set_policy(request.person, policy, role=role, lead_sees=LeadSees(chosen["lead_sees"]))
    done(request, "The limits are set. They count from now on.")
    return redirect("wellbeing_lead")

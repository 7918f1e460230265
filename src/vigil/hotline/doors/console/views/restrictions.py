"""Who may open a restricted case: names only, nothing of the case."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from vigil.base.errors import InputError
from vigil.hotline.access.models import User
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.compartments.access import in_force
from vigil.hotline.compartments.actions import do_let_in, do_lift, do_restrict, do_take_out
from vigil.hotline.compartments.models import Ground
from vigil.hotline.doors.console.requests import Staff, action, done
from vigil.hotline.reports.models import Report

GROUNDS: Final[dict[Ground, str]] = {
    Ground.CHILD_HAND_OVER: "A child's own case",
    Ground.POLICE_OPERATION: "An operation of the police",
    Ground.COLLEAGUE_CONCERNED: "It concerns a colleague",
    Ground.LEGAL_ADVICE: "Legal advice",
    Ground.OTHER: "Another ground",
}


class RestrictForm(forms.Form):
    """Why, and who stays in."""

    ground = forms.ChoiceField(label="Why", choices=[(each.value, text) for each, text in GROUNDS.items()])
    people = forms.ModelMultipleChoiceField(
        label="Who may open it", queryset=User.objects.none(), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["people"].queryset = _staff()  # type: ignore[attr-defined]


class PersonForm(forms.Form):
    """One person."""

    person = forms.ModelChoiceField(label="Person", queryset=User.objects.none(), empty_label="Choose …")

    def __init__(self, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["person"].queryset = _staff()  # type: ignore[attr-defined]


def _staff() -> object:
    return User.objects.filter(is_active=True).order_by("display_name")


@requires(Permission.CASE_RESTRICT)
@require_safe
def people(request: Staff, pk: UUID) -> HttpResponse:
    """Whether the case is restricted, and to whom."""
    report = get_object_or_404(Report.objects.only("pk", "ref"), pk=pk)
    compartment = in_force(pk)
    members = compartment.members.filter(removed_at=None).select_related("user") if compartment else []
    context = {
        "report": report, "compartment": compartment, "members": members, "form": RestrictForm(), "person_form": PersonForm(),
        "ground": GROUNDS[Ground(compartment.ground)] if compartment else "",
    }  # fmt: skip
    return render(request, "console/case_people.html", context)


@requires(Permission.CASE_RESTRICT)
@action(back="case_people")
def restrict(request: Staff, pk: UUID) -> HttpResponse:
    """Restrict the case to the people chosen."""
    get_object_or_404(Report.objects.only("pk"), pk=pk)
    form = RestrictForm(request.POST)
    if not form.is_valid():
        raise InputError("nobody_named", "Choose why, and at least one person.", where="people")
    do_restrict(request.person, pk, Ground(form.cleaned_data["ground"]), form.cleaned_data["people"])
    done(request, "The case is restricted: others neither open it nor meet it in lists.")
    return redirect("case_people", pk=pk)


@requires(Permission.CASE_RESTRICT)
@action(back="case_people")
def let_in(request: Staff, pk: UUID) -> HttpResponse:
    """Name one more person."""
    do_let_in(request.person, pk, _chosen(request))
    done(request, "Named. They can open the case now.")
    return redirect("case_people", pk=pk)


@requires(Permission.CASE_RESTRICT)
@action(back="case_people")
def take_out(request: Staff, pk: UUID) -> HttpResponse:
    """Take a person's name away."""
    do_take_out(request.person, pk, _chosen(request))
    done(request, "They can no longer open the case.")
    return redirect("case_people", pk=pk)


@requires(Permission.CASE_RESTRICT)
@action(back="case_people")
def lift(request: Staff, pk: UUID) -> HttpResponse:
    """Lift the restriction."""
    do_lift(request.person, pk)
    done(request, "The restriction is lifted: whoever works on cases may open it.")
    return redirect("case_people", pk=pk)


def _chosen(request: Staff) -> User:
    form = PersonForm(request.POST)
    if not form.is_valid():
        raise InputError("nobody_named", "Choose a person from the list.", where="person")
    chosen: User = form.cleaned_data["person"]
    return chosen

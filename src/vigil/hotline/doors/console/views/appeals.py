"""The appeals inbox: read, reveal, decide. The one who decides took no part in the listing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.assessments.actions import do_reveal
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.forms import AppealEntryForm, AppealForm
from vigil.hotline.doors.console.requests import Staff, allowed, done, waits
from vigil.hotline.doors.console.views.entries import row as entry_row
from vigil.hotline.lists.appeals import (
    check_decide_appeal,
    check_interim,
    check_name_entry,
    check_set_standing,
    do_decide_appeal,
    do_interim_delist,
    do_lay_before_police,
    do_name_entry,
    do_note_police_view,
    do_set_standing,
    do_tell,
)
from vigil.hotline.lists.enumerations import AppealOutcome, AppellantType, PoliceView
from vigil.hotline.lists.models import Appeal
from vigil.hotline.lists.queries import decided_appeals, open_appeals

ROWS: Final = 50


@requires(Permission.APPEAL_READ)
@require_safe
def appeals(request: Staff) -> HttpResponse:
    """Appeals that wait, the oldest first; or those decided."""
    view = "decided" if request.GET.get("view") == "decided" else ""
    found = decided_appeals() if view else open_appeals()
    page = Paginator(found.prefetch_related("entries"), ROWS).get_page(request.GET.get("page"))
    context = {"page": page, "rows": [_row(appeal) for appeal in page.object_list], "view": view}
    return render(request, "console/appeals.html", context)


def _row(found: Appeal) -> dict[str, Any]:
    outcome = words.APPEAL_OUTCOME[AppealOutcome(found.outcome)].partition(":")[0] if found.outcome else ""
    return {"appeal": found, "by": words.APPELLANT[AppellantType(found.appellant_type)], "outcome": outcome}


def _appeal(pk: UUID) -> Appeal:
    return get_object_or_404(Appeal.objects.select_related("reassessor"), pk=pk)


@requires(Permission.APPEAL_READ)
@require_safe
def appeal(request: Staff, pk: UUID) -> HttpResponse:
    """One appeal, with the decision form for who may decide it."""
    return _page(request, _appeal(pk))


def _page(
    request: Staff,
    found: Appeal,
    form: AppealForm | None = None,
    naming: AppealEntryForm | None = None,
    *,
    revealed: bool = False,
    status: int = 200,
) -> HttpResponse:
    entries = list(found.entries.select_related("list"))
    refusal = _refusal(request, found)
    context = {
        **_row(found),
        "entries": [entry_row(entry) for entry in entries],
        "police_view": words.POLICE_VIEW[PoliceView(found.police_view)] if found.police_view else "",
        "form": form or (None if refusal else AppealForm(None, entries)),
        "naming": naming or (AppealEntryForm() if allowed(check_name_entry, request.person, found) else None),
        "refusal": refusal if found.is_open and request.person.may(Permission.APPEAL_DECIDE) else "",
        "revealed": revealed,
        "steps": _steps(request, found),
        "can_reveal": request.person.may(Permission.CONTENT_REVEAL),
    }
    return render(request, "console/appeal.html", context, status=status)


STEPS: dict[str, tuple[str, Callable[[Any, Appeal], object]]] = {
    "interim": ("Take its entries off while it runs", do_interim_delist),
    "standing-yes": ("They may appeal", lambda person, found: do_set_standing(person, found, accepted=True)),
    "standing-no": ("They may not appeal", lambda person, found: do_set_standing(person, found, accepted=False)),
    "police": ("Lay it before the police", do_lay_before_police),
    "view-criminal": ("The police: criminal", lambda person, found: do_note_police_view(person, found, PoliceView.CRIMINAL)),
    "view-not-criminal": (
        "The police: not criminal",
        lambda person, found: do_note_police_view(person, found, PoliceView.NOT_CRIMINAL),
    ),
    "told": ("The appellant was told", do_tell),
}
"""Steps of an appeal besides its decision: address, words on the button, act."""


def _steps(request: Staff, found: Appeal) -> list[tuple[str, str]]:
    """The steps that make sense now and that this person may take."""
    person, decides = request.person, request.person.may(Permission.APPEAL_DECIDE)
    offered = []
    if found.is_open and allowed(check_interim, person, found):
        offered.append("interim")
    if found.is_open and found.standing_accepted is None and allowed(check_set_standing, person, found):
        offered += ["standing-yes", "standing-no"]
    if decides and found.police_asked_at is None and found.outcome not in (AppealOutcome.UPHELD, AppealOutcome.PARTLY_UPHELD):
        offered.append("police")
    if found.is_open and found.police_asked_at and not found.police_view:
        offered += ["view-criminal", "view-not-criminal"] if decides or person.may(Permission.HOLD_MANAGE) else []
    if not found.is_open and found.told_at is None and decides:
        offered.append("told")
    return [(name, STEPS[name][0]) for name in offered]


@requires(Permission.APPEAL_READ)
@require_POST
def step(request: Staff, pk: UUID, step: str) -> HttpResponse:
    """One step of an appeal besides its decision."""
    if step not in STEPS:
        raise Http404
    try:
        STEPS[step][1](request.person, _appeal(pk))
        done(request, f"Noted: {STEPS[step][0].lower()}.")
    except VigilError as error:
        waits(request, str(error))
    return redirect("appeal", pk=pk)


def _refusal(request: Staff, found: Appeal) -> str:
    """Why this person may not decide it; empty where they may."""
    try:
        check_decide_appeal(request.person, found)
    except VigilError as error:
        return str(error)
    return ""


@requires(Permission.CONTENT_REVEAL)
@require_POST
def reveal(request: Staff, pk: UUID) -> HttpResponse:
    """Show what somebody wrote: on this answer only, and logged before."""
    found = _appeal(pk)
    do_reveal(request.person, found, "appeal")
    return _page(request, found, revealed=True)


@requires(Permission.APPEAL_DECIDE)
@require_POST
def name_entry(request: Staff, pk: UUID) -> HttpResponse:
    """Note which entry an appeal is about, where the address did not tell."""
    found = _appeal(pk)
    form = AppealEntryForm(request.POST)
    if not form.is_valid():
        return _page(request, found, naming=form, status=422)
    try:
        do_name_entry(request.person, found, form.cleaned_data["number"])
    except VigilError as error:
        form.add_error(None, str(error))
        return _page(request, found, naming=form, status=409)
    return redirect("appeal", pk=pk)


@requires(Permission.APPEAL_DECIDE)
def decide(request: Staff, pk: UUID) -> HttpResponse:
    """Decide an appeal; upheld withdraws its entries."""
    found = _appeal(pk)
    if request.method != "POST":
        return redirect("appeal", pk=pk)
    entries = list(found.entries.all())
    form = AppealForm(request.POST, entries)
    if not form.is_valid():
        return _page(request, found, form, status=422)
    chosen = form.cleaned_data
    outcome = AppealOutcome(chosen["outcome"])
    partly = outcome is AppealOutcome.PARTLY_UPHELD
    try:
        do_decide_appeal(
            request.person, found, outcome, notes=chosen["notes"],
            police_view=PoliceView(chosen["police_view"]) if chosen["police_view"] else None,
            withdraw=[entry for entry in entries if str(entry.number) in chosen["entries"]] if partly else None,
        )  # fmt: skip
    except VigilError as error:
        form.add_error(None, str(error))
        return _page(request, found, form, status=409)
    done(request, "The appeal is decided. Entries that were withdrawn are gone from the next edition.")
    return redirect("appeal", pk=pk)

"""The appeals inbox: read, reveal, decide. The one who decides took no part in the listing."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.assessments.actions import do_reveal
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.forms import AppealEntryForm, AppealForm
from vigil.hotline.doors.console.requests import Staff, allowed, done
from vigil.hotline.doors.console.views.entries import row as entry_row
from vigil.hotline.lists.appeals import check_decide_appeal, check_name_entry, do_decide_appeal, do_name_entry
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
        "can_reveal": request.person.may(Permission.CONTENT_REVEAL),
    }
    return render(request, "console/appeal.html", context, status=status)


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

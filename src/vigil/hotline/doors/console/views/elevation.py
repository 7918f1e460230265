"""Elevated sessions: asking for one, ending it, and the list that auditors read."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import UUID

from django import forms
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.http import require_http_methods, require_safe

from vigil.base.errors import VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import Elevation, ElevationPurpose
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.queries import elevations
from vigil.hotline.access.rules import requires
from vigil.hotline.audit.elevation import LENGTH, LONGEST_REASON, do_elevate, do_end_elevations, do_show_reason
from vigil.hotline.compartments.access import case_subject
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.accounts import FRESH_SECONDS, WRITING_SECONDS, proven_within
from vigil.hotline.doors.console.requests import Staff, action, done

ROWS: Final = 100
CASE_PAGE: Final = re.compile(r"^/cases/([0-9a-f-]{36})/")

PURPOSES: Final[dict[ElevationPurpose, str]] = {
    ElevationPurpose.CHILD_AT_RISK: "A child may be at risk now",
    ElevationPurpose.OVERSIGHT: "Oversight: checking how a case was handled",
    ElevationPurpose.DATA_SUBJECT: "A request about personal data",
    ElevationPurpose.LEGAL_ORDER: "An order or question of a court or the police",
    ElevationPurpose.INCIDENT: "An incident with this installation",
}


class ElevationForm(forms.Form):
    """Why more rights are needed for a while."""

    purpose = forms.ChoiceField(label="What for", choices=[(each.value, text) for each, text in PURPOSES.items()])
    reason = forms.CharField(
        label="The reason, in a sentence that an auditor can judge", max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off"}),
    )  # fmt: skip


@requires(Permission.SESSION_ELEVATE)
@require_http_methods(["GET", "HEAD", "POST"])
def elevate(request: Staff) -> HttpResponse:
    """Ask for half an hour of more rights. Whoever asks has proven themselves within the last minutes."""
    back = _back(request)
    if not proven_within(request, WRITING_SECONDS if request.method == "POST" else FRESH_SECONDS):
        again = f"{request.path}?{urlencode({'next': back})}"
        return redirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': again})}")
    form = ElevationForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            purpose = ElevationPurpose(form.cleaned_data["purpose"])
            do_elevate(request.person, purpose, form.cleaned_data["reason"], _subject(back))
        except VigilError as error:
            form.add_error("reason", str(error))
        else:
            done(request, "Your elevated session began. What you open in it is marked in the audit log.")
            return redirect(back)
    context = {"form": form, "next": back, "case": bool(_subject(back)), "minutes": int(LENGTH.total_seconds() // 60)}
    return render(request, "console/elevate.html", context, status=422 if form.errors else 200)


def _back(request: Staff) -> str:
    """Where the person wanted to go: a path of this door, never elsewhere."""
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    allowed = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None, require_https=request.is_secure())
    return wanted if allowed and wanted.startswith("/") else "/"


def _subject(back: str) -> str:
    """The case that the wanted page is about, as the audit log names it; empty for other pages."""
    found = CASE_PAGE.match(back)
    try:
        return case_subject(UUID(found[1])) if found else ""
    except ValueError:
        return ""


@requires(Permission.SESSION_ELEVATE)
@action(back="overview")
def end(request: Staff) -> HttpResponse:
    """End one's elevated sessions before their time."""
    if do_end_elevations(request.person):
        done(request, "Your elevated session is over.")
    return redirect("overview")


@requires(Permission.ELEVATION_READ)
@require_safe
def listing(request: Staff) -> HttpResponse:
    """Who opened elevated sessions, the newest first; reasons on request."""
    return _page(request)


@requires(Permission.ELEVATION_READ)
@action(back="elevations", keep=())
def reason(request: Staff, pk: UUID) -> HttpResponse:
    """Show one reason: on this answer only, and logged before."""
    found = get_object_or_404(Elevation.objects.select_related("user"), pk=pk)
    return _page(request, found.pk, do_show_reason(request.person, found))


def _page(request: Staff, shown: UUID | None = None, text: str = "") -> HttpResponse:
    page = Paginator(elevations(), ROWS).get_page(request.GET.get("page"))
    rows = [_row(each, text if each.pk == shown else "") for each in page.object_list]
    return render(request, "console/elevations.html", {"page": page, "rows": rows})


def _row(each: Elevation, reason: str) -> dict[str, Any]:
    running = each.ended_at is None and each.ends_at > now()
    return {
        "elevation": each, "who": words.actor(each.user.label), "purpose": PURPOSES[ElevationPurpose(each.purpose)],
        "running": running, "until": each.ended_at or each.ends_at, "reason": reason,
    }  # fmt: skip

"""A page is blocked by mistake: what, who, why. Ends with a reference of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.rules import open_to_all
from vigil.hotline.doors.public.answers import posted_text
from vigil.hotline.doors.public.choices import APPELLANTS
from vigil.hotline.doors.public.forms import AppealForm
from vigil.hotline.doors.public.mishaps import mishap_of
from vigil.hotline.doors.public.showing import show, show_busy
from vigil.hotline.lists.appeals import BLOCK_REFERENCE, do_file_appeal
from vigil.hotline.lists.models import Appeal
from vigil.hotline.reports.bucket import wait_for
from vigil.hotline.reports.limits import Act

TEMPLATE = "public/appeal.html"


@open_to_all("Anybody may challenge a block.")
@require_http_methods(["GET", "HEAD", "POST"])
def appeal(request: HttpRequest) -> HttpResponse:
    """Show the form; on POST file the appeal and show its reference. ``?ref=`` is the number from a block page."""
    if request.method != "POST" or (mishap_of(request) and not request.POST):
        return _blank_form(request)
    form = AppealForm({name: posted_text(request, name) for name in AppealForm.base_fields})
    if mishap_of(request) or not form.is_valid():
        return show(request, TEMPLATE, {"form": form}, form)
    if wait := wait_for(Act.APPEAL):
        return show_busy(request, TEMPLATE, {"form": form}, wait, form)
    filed = _file(form.cleaned_data)
    return show(request, "public/appeal_sent.html", {"reference": filed.ref})


def _blank_form(request: HttpRequest) -> HttpResponse:
    given = request.GET.get("ref", "")
    number = given if BLOCK_REFERENCE.fullmatch(given) else ""
    form = AppealForm(initial={"block_reference": number})
    kept = f"?{urlencode({'ref': number})}" if number else ""
    return show(request, TEMPLATE, {"form": form, "keep_query": kept}, form)


def _file(answers: dict[str, Any]) -> Appeal:
    return do_file_appeal(
        PUBLIC,
        address=answers["address"],
        appellant_type=APPELLANTS[answers["who"]][1],
        reasons=answers["reasons"],
        contact=answers["contact"],
        block_reference=answers["block_reference"],
        notice_serial=answers["notice_serial"],
    )

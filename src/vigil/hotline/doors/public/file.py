"""Reporting a file without sending it: the browser computes its hashes, and only those travel."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods

from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.rules import open_to_all
from vigil.hotline.doors.public.answers import posted_text
from vigil.hotline.doors.public.choices import KINDS
from vigil.hotline.doors.public.forms import HashedFileForm
from vigil.hotline.doors.public.mishaps import mishap_of
from vigil.hotline.doors.public.origin import origin_of
from vigil.hotline.doors.public.showing import show, show_busy
from vigil.hotline.reports.bucket import wait_for
from vigil.hotline.reports.enumerations import HashAlgorithm
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.items import file_item
from vigil.hotline.reports.limits import Act
from vigil.hotline.reports.models import Report

TEMPLATE = "public/file.html"


@open_to_all("Anybody may report a file by its hashes.")
@require_http_methods(["GET", "HEAD", "POST"])
def file(request: HttpRequest) -> HttpResponse:
    """Show the form; on POST take the hashes in and show the reference."""
    if request.method != "POST" or (mishap_of(request) and not request.POST):
        form = HashedFileForm()
        return show(request, TEMPLATE, {"form": form}, form)
    form = HashedFileForm({name: posted_text(request, name) for name in HashedFileForm.base_fields})
    if mishap_of(request) or not form.is_valid():
        return show(request, TEMPLATE, {"form": form}, form)
    if wait := wait_for(Act.SUBMIT):
        return show_busy(request, TEMPLATE, {"form": form}, wait, form)
    return show(request, "public/sent.html", {"reference": _taken(request, form.cleaned_data).ref})


def _taken(request: HttpRequest, answers: dict[str, Any]) -> Report:
    kind = KINDS[answers["kind"]]
    hashes = [(algorithm, answers[algorithm.value]) for algorithm in (HashAlgorithm.SHA256, HashAlgorithm.SHA1)]
    arrival = Arrival(
        theme=kind.theme,
        ai_nexus=kind.ai_nexus,
        words=answers["words"],
        language=get_language() or "",
        items=tuple(file_item(algorithm, value) for algorithm, value in hashes if value),
        **origin_of(request),
    )
    return do_submit_report(PUBLIC, arrival)

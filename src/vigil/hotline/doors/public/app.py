"""Reporting an app, a game or a chatbot: which one, who in it, what happened. Text is taken only from who chooses to add it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods

from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.rules import open_to_all
from vigil.hotline.doors.public.answers import posted_text
from vigil.hotline.doors.public.choices import APP_KINDS
from vigil.hotline.doors.public.forms import AppForm
from vigil.hotline.doors.public.mishaps import mishap_of
from vigil.hotline.doors.public.origin import origin_of
from vigil.hotline.doors.public.showing import show, show_busy
from vigil.hotline.reports.bucket import wait_for
from vigil.hotline.reports.enumerations import SubmissionType
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.items import Item
from vigil.hotline.reports.limits import Act
from vigil.hotline.reports.models import Report

TEMPLATE = "public/app.html"


@open_to_all("Anybody may report an app or a chatbot.")
@require_http_methods(["GET", "HEAD", "POST"])
def app(request: HttpRequest) -> HttpResponse:
    """Show the form; on POST take the report in and show its reference."""
    if request.method != "POST" or (mishap_of(request) and not request.POST):
        form = AppForm()
        return show(request, TEMPLATE, {"form": form}, form)
    form = AppForm({name: posted_text(request, name) for name in AppForm.base_fields})
    if mishap_of(request) or not form.is_valid():
        return show(request, TEMPLATE, {"form": form}, form)
    if wait := wait_for(Act.SUBMIT):
        return show_busy(request, TEMPLATE, {"form": form}, wait, form)
    report = _taken(request, form.cleaned_data)
    return show(request, "public/sent.html", {"reference": report.ref, "contact": bool(form.cleaned_data["contact"].strip())})


def _taken(request: HttpRequest, answers: dict[str, Any]) -> Report:
    kind = APP_KINDS[answers["what"]]
    named = "\n".join(part for part in (answers["service"].strip(), answers["character"].strip()) if part)
    words = [answers["words"].strip()]
    if answers["add_text"]:
        words.append(answers["text"].strip())
    arrival = Arrival(
        address=answers["address"],
        theme=kind.theme,
        ai_nexus=kind.ai_nexus,
        words="\n\n".join(part for part in words if part),
        language=get_language() or "",
        items=(Item(SubmissionType.APP, named),),
        at_risk=answers["danger"],
        contact=answers["contact"],
        **origin_of(request),
    )
    return do_submit_report(PUBLIC, arrival)

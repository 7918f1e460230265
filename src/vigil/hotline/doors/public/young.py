"""For a child whose service partner gave them a code: short words, a choice at every step, nothing about who they are.

No cookie and no draft: what is typed stays on the page until it is sent.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods

from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.rules import open_to_all
from vigil.hotline.doors.public.answers import posted_text
from vigil.hotline.doors.public.help_lines import for_young, lines_for
from vigil.hotline.doors.public.mishaps import mishap_of
from vigil.hotline.doors.public.showing import show, show_busy
from vigil.hotline.doors.public.young_forms import YoungCodeForm, YoungForm
from vigil.hotline.reports.bucket import wait_for
from vigil.hotline.reports.children import case_for_code, do_answer_child
from vigil.hotline.reports.enumerations import HashAlgorithm, SubmissionType, Tri
from vigil.hotline.reports.items import Item, file_item
from vigil.hotline.reports.limits import Act

START: Final = "public/young.html"
TELL: Final = "public/young_tell.html"


@open_to_all("A child may come here without being known.")
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """What this is, who can help now, and where the code goes."""
    if request.method != "POST" or (mishap_of(request) and not request.POST):
        return _ask_code(request, YoungCodeForm())
    form = YoungCodeForm(request.POST)
    if mishap_of(request) or not form.is_valid():
        return _ask_code(request, form)
    if wait := wait_for(Act.STATUS):
        return show_busy(request, START, _lines(request) | {"form": form}, wait, form)
    code = form.cleaned_data["code"]
    case = case_for_code(code)
    if case is None or case.report is not None:
        form.unknown()
        return _ask_code(request, form)
    return show(request, TELL, {"form": YoungForm(), "code": code})


def _ask_code(request: HttpRequest, form: YoungCodeForm) -> HttpResponse:
    return show(request, START, _lines(request) | {"form": form}, form)


def _lines(request: HttpRequest) -> dict[str, Any]:
    return {"lines": for_young(lines_for(request))}


@open_to_all("A child says where the picture is.")
@require_http_methods(["GET", "HEAD", "POST"])
def tell(request: HttpRequest) -> HttpResponse:
    """Take in what the child says; the code came along in the form."""
    if request.method != "POST" or (mishap_of(request) and not request.POST):
        return redirect("public:young")
    code = posted_text(request, "code")
    form = YoungForm({name: posted_text(request, name) for name in YoungForm.base_fields})
    if mishap_of(request) or not form.is_valid():
        return show(request, TELL, {"form": form, "code": code}, form)
    if wait := wait_for(Act.SUBMIT):
        return show_busy(request, TELL, {"form": form, "code": code}, wait, form)
    case = case_for_code(code)
    if case is None:
        form.code_is_over()
        return show(request, TELL, {"form": form, "code": code}, form)
    do_answer_child(PUBLIC, case, _items(form.cleaned_data), Tri(form.cleaned_data["threat"]), get_language() or "")
    return redirect("public:young-thanks")


def _items(answers: dict[str, Any]) -> tuple[Item, ...]:
    places = [line.strip() for line in answers["places"].splitlines() if line.strip()]
    hashes = answers["sha256"].split()
    return tuple(
        [Item(SubmissionType.URL, place) for place in places] + [file_item(HashAlgorithm.SHA256, value) for value in hashes]
    )


@open_to_all("Thanks, and what happens next.")
@require_http_methods(["GET", "HEAD"])
def thanks(request: HttpRequest) -> HttpResponse:
    """It is done; the service will tell the child what became of it."""
    return show(request, "public/young_thanks.html", _lines(request))

"""Pages without a form: language, home, help, about, privacy, leaving quickly."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.http import require_safe

from vigil.hotline.access.clock import now
from vigil.hotline.access.rules import open_to_all
from vigil.hotline.doors.public.cookie import NAME, draft_in
from vigil.hotline.doors.public.help_lines import shown
from vigil.hotline.reports.intake import do_discard_draft

OURS: Final = tuple(code for code, _ in settings.LANGUAGES)


def wanted_language(header: str) -> str | None:
    """The first of our languages that an ``Accept-Language`` header asks for, or None."""
    for tag, _quality in parse_accept_lang_header(header.lower()):
        if (base := tag.partition("-")[0]) in OURS:
            return base
    return None


@open_to_all("The first address anybody types.")
@require_safe
def entrance(request: HttpRequest) -> HttpResponse:
    """On to the reader's language; where none of ours is asked for, a choice of all."""
    language = wanted_language(request.headers.get("Accept-Language", ""))
    if language is None:
        response = render(request, "public/entrance.html")
    else:
        with translation.override(language):
            response = redirect("public:home")
    response.headers["Vary"] = "Accept-Language"
    return response


def findable(response: HttpResponse) -> HttpResponse:
    """Let search engines find this page; all others say that they want to be left out."""
    response.headers["X-Robots-Tag"] = "all"
    return response


@open_to_all("What this desk does.")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this desk does, and the way to each thing one can do here."""
    return findable(render(request, "public/home.html"))


@open_to_all("Help for whoever needs it.")
@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """Help lines of the operator, and words for a child, for a worried person and for who worries about another."""
    lines = shown(settings.CONFIG.help_lines, now().date(), request.LANGUAGE_CODE)
    return findable(render(request, "public/help.html", {"lines": lines}))


@open_to_all("Who we are and what happens to a report.")
@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """Who looks at reports, and how a listing is decided."""
    return findable(render(request, "public/about.html"))


@open_to_all("What is stored, truthfully.")
@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """What is kept, for how long, and what is not."""
    return findable(render(request, "public/privacy.html"))


@open_to_all("Leaving quickly must work for everybody.")
@require_safe
def leave(request: HttpRequest) -> HttpResponse:
    """Forget what was entered and show a page that says nothing. Other sites cannot trigger it: the cookie is strict."""
    draft = draft_in(request)
    if draft is not None and draft.report is None:
        do_discard_draft(draft)
    response = HttpResponseRedirect(reverse("blank"))
    response.delete_cookie(NAME, samesite="Strict")
    response.delete_cookie(settings.CSRF_COOKIE_NAME, samesite="Strict")
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


@open_to_all("The page that says nothing.")
@require_safe
def blank(request: HttpRequest) -> HttpResponse:
    """A neutral page to land on: nothing on it tells where the visitor came from."""
    return render(request, "public/blank.html")


@open_to_all("Is the door alive? Says nothing else.")
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """For the supervisor of processes."""
    return HttpResponse("ok\n", content_type="text/plain")


@open_to_all("Search engines find the desk's home and stay out of its forms.")
@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """robots.txt."""
    return HttpResponse("User-agent: *\nDisallow: /*/report/\nDisallow: /*/status/\n", content_type="text/plain")

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

from vigil.hotline.access.rules import open_to_all
from vigil.hotline.doors.public.cookie import NAME, draft_in
from vigil.hotline.doors.public.help_lines import by_country, countries_of, lines_for
from vigil.hotline.doors.public.portals import languages_of, portal_of
from vigil.hotline.reports.intake import do_discard_draft

OURS: Final = tuple(code for code, _ in settings.LANGUAGES)


def wanted_language(header: str, offered: tuple[str, ...] = OURS) -> str | None:
    """The first of the languages on offer that an ``Accept-Language`` header asks for, or None."""
    for tag, _quality in parse_accept_lang_header(header.lower()):
        if (base := tag.partition("-")[0]) in offered:
            return base
    return None


@open_to_all("The first address anybody types.")
@require_safe
def entrance(request: HttpRequest) -> HttpResponse:
    """On to the reader's language; where none of ours is asked for, a choice of all."""
    offered = languages_of(portal_of(request))
    language = wanted_language(request.headers.get("Accept-Language", ""), offered)
    if language is None and len(offered) == 1:
        language = offered[0]
    if language is None:
        choice = [(code, name) for code, name in settings.LANGUAGES if code in offered]
        response = render(request, "public/entrance.html", {"choice": choice})
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
    """Help lines of the operator, and words for a child, for a worried person and for who worries about another.

    ``?country=`` puts the lines of one country first; it says nothing about who asks.
    """
    countries = countries_of(lines_for(request))
    chosen = request.GET.get("country", "")
    country = chosen if chosen in countries else ""
    first, others = by_country(lines_for(request, country), country, portal_of(request))
    context = {"lines": first, "others": others, "countries": countries, "country": country}
    return findable(render(request, "public/help.html", context | {"keep_query": f"?country={country}" if country else ""}))


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

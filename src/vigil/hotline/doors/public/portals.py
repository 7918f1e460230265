"""Which portal a request came in by: the one its address begins with (``/at/ID/``), else the one its host belongs to.

The rest of the door does not know: the beginning of the address becomes the script prefix, so that every link keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import get_script_prefix, set_script_prefix
from django.utils.translation import get_language

from vigil.hotline.doors.portals import Portal

START: Final = "/at/"


class Portals:
    """Sets ``request.portal`` (None where there is none). Must come before anything that reads the path."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        before = get_script_prefix()
        try:
            request.portal = _of_path(request) or _of_host(request)  # type: ignore[attr-defined]
            portal = portal_of(request)
            language = request.path_info.split("/")[1] if portal else ""
            if portal and language in dict(settings.LANGUAGES) and language not in languages_of(portal):
                raise Http404("not a language of this portal")
            return self.get_response(request)
        finally:
            set_script_prefix(before)


def _of_path(request: HttpRequest) -> Portal | None:
    if not request.path_info.startswith(START):
        return None
    name, _, rest = request.path_info.removeprefix(START).partition("/")
    portal = next((portal for portal in settings.CONFIG.portals if portal.id == name), None)
    if portal is None:
        raise Http404("no such portal")
    set_script_prefix(f"{START}{name}/")
    request.path_info = f"/{rest}"
    return portal


def _of_host(request: HttpRequest) -> Portal | None:
    host = request.get_host().partition(":")[0].lower()
    return next((portal for portal in settings.CONFIG.portals if host in portal.hosts), None)


def portal_of(request: HttpRequest) -> Portal | None:
    """The portal of a request; None at the front desk of the installation itself."""
    return getattr(request, "portal", None)


def languages_of(portal: Portal | None) -> tuple[str, ...]:
    """The languages on offer there, the portal's own first."""
    return portal.languages if portal and portal.languages else tuple(code for code, _ in settings.LANGUAGES)


def portal(request: HttpRequest) -> dict[str, Any]:
    """For templates: name, languages and the operator's own texts of the portal."""
    here = portal_of(request)
    if here is None:
        return {"offered": languages_of(None)}
    language = get_language() or ""
    texts = {key: here.text(key, language) for key in ("lead", "about", "notice")}
    return {"installation": here.name, "portal_texts": texts, "offered": languages_of(here)}

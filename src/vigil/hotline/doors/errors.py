"""What a door says when something is wrong: a plain page (or a problem document) that quotes nothing.

A URL map takes over all of it with one line each:

    handler400, handler403, handler404, handler500 = errors.bad_request, errors.refused, errors.not_found, errors.broken
"""

from __future__ import annotations

import logging
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from vigil.base.errors import VigilError
from vigil.hotline.access.middleware import NotSignedIn
from vigil.hotline.access.rules import open_to_all

log = logging.getLogger(__name__)

PROBLEM: Final = "application/problem+json"
TITLES: Final = {
    400: ("bad_request", "The request could not be understood."),
    401: ("token_required", "A valid token is needed."),
    403: ("refused", "You may not do this."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address is not used that way."),
    413: ("too_large", "What was sent is too large."),
    415: ("media_type", "This kind of content is not understood here."),
    422: ("not_processable", "What was sent does not fit."),
    500: ("broken", "Something went wrong on our side. Nothing you did."),
    503: ("unavailable", "Not available at the moment. Please try again later."),
}


def problem(status: int, code: str = "", title: str = "", **extra: Any) -> HttpResponse:
    """A problem document (RFC 9457)."""
    usual_code, usual_title = TITLES.get(status, TITLES[500])
    document = {"type": "about:blank", "title": title or usual_title, "status": status, "code": code or usual_code}
    return JsonResponse(document | extra, status=status, content_type=PROBLEM)


def problem_of(error: VigilError, status: int | None = None) -> HttpResponse:
    """The problem document of one of our own errors."""
    document = error.problem(status)
    return JsonResponse(document, status=int(document["status"]), content_type=PROBLEM)


def page(request: HttpRequest, status: int) -> HttpResponse:
    """The error page of the door: ``errors/<status>.html``, else ``errors/plain.html``, else a line of text."""
    if settings.DOOR == "partner":
        return problem(status)
    code, title = TITLES[status]
    context = {"status": status, "code": code, "title": title, "name": settings.CONFIG.name}
    try:
        body = render_to_string([f"errors/{status}.html", "errors/plain.html"], context, request)
    except Exception as error:  # noqa: BLE001 - what says that something is wrong must not go wrong itself
        log.error("error page not drawn", extra={"fields": {"status": status, "because": type(error).__name__}})
        return HttpResponse(title, status=status, content_type="text/plain; charset=utf-8")
    return HttpResponse(body, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, or 413 where too much was sent."""
    too_large = isinstance(exception, RequestDataTooBig | TooManyFieldsSent)
    return page(request, 413 if too_large else 400)


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, or 401 where nobody is known to be asking."""
    if isinstance(exception, NotSignedIn):
        response = page(request, 401)
        response["WWW-Authenticate"] = "Bearer"
        return response
    return page(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404; the address is not repeated."""
    return page(request, 404)


def broken(request: HttpRequest) -> HttpResponse:
    """500; says nothing about what broke."""
    return page(request, 500)


@open_to_all("Shown instead of a form that another site tried to send.")
def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The check against forged forms failed."""
    return page(request, 403)

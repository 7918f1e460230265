"""An address that is used another way than it is meant for: never an empty page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import get_resolver

from vigil.hotline.doors.errors import page

METHOD_NOT_ALLOWED: Final = 405
NUL: Final = ("\0", "%00")


class DesignedRefusals:
    """Django's method decorators answer 405 with no body; who meets it (a reload of what was a form) gets the door's page.

    An address with the character NUL is refused before anybody looks it up: no name has it, and PostgreSQL fails over it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if NUL[0] in request.path_info:
            return _handled(request, 404, Http404())
        if any(written in request.META.get("QUERY_STRING", "") for written in NUL):
            return _handled(request, 400, BadRequest())
        response = self.get_response(request)
        if response.status_code != METHOD_NOT_ALLOWED or not isinstance(response, HttpResponse) or response.content:
            return response
        designed = page(request, METHOD_NOT_ALLOWED)
        designed["Allow"] = response["Allow"]
        return designed


def _handled(request: HttpRequest, status: int, error: Exception) -> HttpResponseBase:
    """What this door says to it, in the shape that the clients of the address know."""
    handler: Callable[..., HttpResponseBase] = get_resolver().resolve_error_handler(status)
    return handler(request, exception=error)

"""An address that is used another way than it is meant for: never an empty page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from vigil.hotline.doors.errors import page

METHOD_NOT_ALLOWED: Final = 405


class DesignedRefusals:
    """Django's method decorators answer 405 with no body; who meets it (a reload of what was a form) gets the door's page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code != METHOD_NOT_ALLOWED or not isinstance(response, HttpResponse) or response.content:
            return response
        designed = page(request, METHOD_NOT_ALLOWED)
        designed["Allow"] = response["Allow"]
        return designed

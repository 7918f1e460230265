"""What goes wrong between a form and a view becomes a message on the same page, with what was entered.

A mishap is noted on the request (``request.mishap``); the view shows it and saves nothing. The check against forged
forms is never skipped: a body that was refused holds no form token either, so that its failure view is where both end.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, QueryDict, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.middleware.csrf import REASON_BAD_ORIGIN
from django.urls import Resolver404, resolve
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from vigil.hotline.access.rules import open_to_all
from vigil.hotline.doors import errors

OTHER_SITE = REASON_BAD_ORIGIN.partition(" - ")[0]


class Mishap(StrEnum):
    """Its value is the name; :data:`TEXTS` and :data:`STATUSES` say what is shown."""

    TOO_MUCH = "too_much"
    UNREADABLE = "unreadable"
    NO_TOKEN = "no_token"  # noqa: S105 - a name
    LOST = "lost"


TEXTS: dict[Mishap, str | Promise] = {
    Mishap.TOO_MUCH: _("What you sent is longer than we can take. Send only the address; earlier answers are kept."),
    Mishap.UNREADABLE: _("Your browser sent something that we could not read. Please enter it again."),
    Mishap.NO_TOKEN: _(
        "Your browser did not send back the form's cookie, so we took nothing in. What you entered is still here: please "
        "press the button again. If this comes back, allow cookies for this site; they go when you close the browser."
    ),
    Mishap.LOST: _(
        "We could not find your earlier answers. They are kept for 24 hours and found again with a cookie. Please start with "
        "the address."
    ),
}
STATUSES = {Mishap.TOO_MUCH: 413, Mishap.UNREADABLE: 400, Mishap.NO_TOKEN: 403, Mishap.LOST: 200}


class BodyGuard:
    """Reads the form of a request early: one that is too large or garbled is emptied and noted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST":
            try:
                len(request.POST)
            except (RequestDataTooBig, TooManyFieldsSent):
                note(request, Mishap.TOO_MUCH)
            except (SuspiciousOperation, BadRequest, MultiPartParserError, UnreadablePostError):
                note(request, Mishap.UNREADABLE)
        return self.get_response(request)


def note(request: HttpRequest, mishap: Mishap) -> None:
    """Remember the mishap and forget the form."""
    request.mishap = mishap  # type: ignore[attr-defined]
    request.POST = QueryDict()


def mishap_of(request: HttpRequest) -> Mishap | None:
    """What went wrong on the way here."""
    return getattr(request, "mishap", None)


@open_to_all("The same form again, with what was entered, when the form token is missing or wrong.")
def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Show the form again. What another site sent is not shown: nobody here entered it."""
    if mishap_of(request) is None:
        request.mishap = Mishap.NO_TOKEN  # type: ignore[attr-defined]
    if reason.startswith(OTHER_SITE):
        request.POST = QueryDict()
    try:
        match = resolve(request.path_info)
    except Resolver404:
        return errors.page(request, 404)
    response: HttpResponse = match.func(request, *match.args, **match.kwargs)
    return response

"""The cookie that finds a draft: a random token, for this visit only, sent to this site only, out of reach of scripts."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from vigil.hotline.reports.models import Draft
from vigil.hotline.reports.queries import draft_of

NAME: Final = "vigil_draft"
LONGEST: Final = 64


def draft_in(request: HttpRequest) -> Draft | None:
    """The draft of this browser, where there is one that is not past its time."""
    token = request.COOKIES.get(NAME, "")
    return draft_of(token) if 0 < len(token) <= LONGEST else None


def hand_out(response: HttpResponse, token: str) -> HttpResponse:
    """Give the browser the token. No lifetime: it goes when the browser is closed."""
    response.set_cookie(NAME, token, secure=settings.CSRF_COOKIE_SECURE, httponly=True, samesite="Strict")
    return response


def take_back(response: HttpResponse) -> HttpResponse:
    """Remove the token from the browser."""
    response.delete_cookie(NAME, samesite="Strict")
    return response

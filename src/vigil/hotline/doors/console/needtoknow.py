"""Need to know, at the door: every address below ``cases/ID/`` is asked about, so no view can forget it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from vigil.hotline.access.permissions import Permission
from vigil.hotline.compartments.access import may_open

CASES: Final = "cases/"
NAMES_ONLY: Final = frozenset({"case_people", "case_restrict", "case_let_in", "case_take_out", "case_lift"})
"""Pages that show who is named in a restricted case, and nothing of it; they ask for a permission of their own."""


class NeedToKnow:
    """Lets nobody to a restricted case who is not named in it, unless they are in an elevated session for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> HttpResponse | None:
        match, case = request.resolver_match, kwargs.get("pk")
        if match is None or not match.route.startswith(CASES) or not isinstance(case, UUID) or match.url_name in NAMES_ONLY:
            return None
        person = request.person  # type: ignore[attr-defined]
        if may_open(person, case):
            return None
        if request.method == "GET" and person.may(Permission.SESSION_ELEVATE):
            return redirect(f"{reverse('elevate')}?{urlencode({'next': request.path})}")
        raise PermissionDenied

"""The closed door: before any view runs, its rule is looked up and kept. No rule, no view."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.module_loading import import_string

from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person
from vigil.hotline.access.queries import has_elevation
from vigil.hotline.access.rules import OpenToAll, Requires, Rule, SignedIn, rule_of_match
from vigil.hotline.access.second_factor import has_second_factor

log = logging.getLogger(__name__)


class NotSignedIn(PermissionDenied):
    """Nobody is known to be asking; doors without a sign-in page answer 401."""


class ClosedDoor:
    """Refuses views without a rule and people without the right; puts the person on ``request.person``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.person_of: Callable[[HttpRequest], Person | None] = import_string(settings.DOOR_PERSON)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        rule = rule_of_match(match) if match else None
        if rule is None:
            log.error("view without a rule", extra={"fields": {"view": getattr(view, "__qualname__", "?")}})
            raise PermissionDenied
        person = self.person_of(request)
        request.person = person  # type: ignore[attr-defined]
        return None if isinstance(rule, OpenToAll) else self._guard(request, rule, person)

    def _guard(self, request: HttpRequest, rule: Rule, person: Person | None) -> HttpResponse | None:
        if person is None:
            return self._ask_to_sign_in(request)
        if isinstance(rule, SignedIn):
            return None
        if settings.SECOND_FACTOR_PAGE and isinstance(person, User) and not has_second_factor(person):
            return HttpResponseRedirect(reverse(settings.SECOND_FACTOR_PAGE))
        if isinstance(rule, Requires) and person.may(rule.permission):
            return self._ask_to_elevate(request) if rule.elevated and not has_elevation(person) else None
        raise PermissionDenied

    @staticmethod
    def _ask_to_elevate(request: HttpRequest) -> HttpResponse:
        if not settings.ELEVATION_PAGE:
            raise PermissionDenied
        query = urlencode({"next": request.path}) if request.method == "GET" else ""
        return HttpResponseRedirect(f"{reverse(settings.ELEVATION_PAGE)}?{query}")

    @staticmethod
    def _ask_to_sign_in(request: HttpRequest) -> HttpResponse:
        if not settings.SIGN_IN_PAGE:
            raise NotSignedIn
        query = f"?{urlencode({'next': request.path})}" if request.method == "GET" else ""
        return HttpResponseRedirect(reverse(settings.SIGN_IN_PAGE) + query)

"""Looking is logged as changing is: who opened which page about which row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from vigil.hotline.access.permissions import READS_LOGGED
from vigil.hotline.access.queries import has_elevation
from vigil.hotline.access.rules import Requires, rule_of_match
from vigil.hotline.audit import codes
from vigil.hotline.audit.actions import record

POLLED: Final = frozenset({"capture_state", "publication_state"})
"""Asked by pages themselves every other second; they say one word of state. The page that asks was logged."""


class ReadsAreLogged:
    """Writes an audit row before a page whose permission stands in ``READS_LOGGED`` is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        match = request.resolver_match
        rule = rule_of_match(match) if match else None
        if match is None or request.method not in ("GET", "HEAD") or match.url_name in POLLED:
            return
        if isinstance(rule, Requires) and rule.permission in READS_LOGGED:
            person = request.person  # type: ignore[attr-defined]
            subject = _subject(str(match.url_name), match.route, kwargs)
            elevated = has_elevation(person, subject) or (rule.elevated and has_elevation(person))
            with transaction.atomic():
                record(person, codes.READ, subject, page=str(match.url_name), elevated=elevated)


def _subject(page: str, route: str, kwargs: dict[str, Any]) -> str:
    """The row that the address names, as the log names rows; the page itself where it names none."""
    if not kwargs:
        return f"page:{page}"
    kind = "report" if route.startswith("cases/") else page
    return f"{kind}:{next(iter(kwargs.values()))}"[:200]

"""What a child reported about itself is open to the child desk only: asked before any view of a case runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from vigil.hotline.access.people import signed_in
from vigil.hotline.access.prepared import SAMPLE_ID, Prepared
from vigil.hotline.reports.access import access_case
from vigil.hotline.reports.models import Report

CASES: Final = "cases/<uuid:pk>/"
_CHANNEL: Final = Prepared(Report, lambda case: Report.objects.filter(pk=case).only("channel"), SAMPLE_ID)


class ChildDeskOnly:
    """Refuses the pages of a child's case to everybody else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        match = request.resolver_match
        person = signed_in(request)
        if match is None or person is None or not match.route.startswith(CASES):
            return
        report = _CHANNEL.first(kwargs["pk"])
        if report is not None and not access_case(person, report):
            raise PermissionDenied

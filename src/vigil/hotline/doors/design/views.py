"""Serving the files of the design."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from vigil.hotline.access.rules import open_to_all
from vigil.hotline.doors.design.stylesheet import asset


@open_to_all("The stylesheet, the small script and the mark of every page.")
def serve(request: HttpRequest, digest: str, name: str) -> HttpResponse:
    """The file ``name``; kept by browsers for a year, because its address changes when it does."""
    wanted = asset(name)
    if wanted is None or wanted.digest != digest:
        raise Http404("no such file")
    response = HttpResponse(wanted.content, content_type=wanted.media_type)
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response

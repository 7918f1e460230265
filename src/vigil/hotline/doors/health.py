"""Is this door alive? For the watcher of the processes and for load balancers."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from vigil.hotline.access.rules import open_to_all


@open_to_all("Says that the process answers; nothing else.")
def alive(request: HttpRequest) -> HttpResponse:
    """200 and ``ok``."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")

"""What anybody may hold the hotline to: the newest signed tree head of its audit log."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from vigil.hotline.access.rules import open_to_all
from vigil.hotline.audit.heads import latest_head


@open_to_all("A number of events, a hash and a signature: whoever keeps it can show later that the log is still the same.")
@require_safe
def audit_head(request: HttpRequest) -> HttpResponse:
    """The newest signed tree head as it was signed; 404 before the first."""
    head = latest_head()
    text = head.note if head else "No tree head was signed yet.\n"
    return HttpResponse(text, content_type="text/plain; charset=utf-8", status=200 if head else 404)

"""What became of a report: a reference in, one of four plain texts out. The reference never stands in an address."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from vigil.hotline.access.rules import open_to_all
from vigil.hotline.doors.public.forms import StatusForm
from vigil.hotline.doors.public.mishaps import mishap_of
from vigil.hotline.doors.public.showing import show, show_busy
from vigil.hotline.lists.models import Appeal
from vigil.hotline.reports.bucket import wait_for
from vigil.hotline.reports.limits import Act
from vigil.hotline.reports.queries import PublicState, public_state

TEMPLATE = "public/status.html"


@open_to_all("Whoever has a reference may ask what became of the report; the answer holds nothing of its content.")
@require_http_methods(["GET", "HEAD", "POST"])
def status(request: HttpRequest) -> HttpResponse:
    """Ask for a reference; answer for every well-formed one with the same work and one page."""
    if request.method != "POST" or (mishap_of(request) and not request.POST):
        form = StatusForm()
        return show(request, TEMPLATE, {"form": form}, form)
    form = StatusForm(request.POST)
    if mishap_of(request):
        return show(request, TEMPLATE, {"form": form}, form)
    if wait := wait_for(Act.STATUS):
        return show_busy(request, TEMPLATE, {"form": form}, wait, form)
    if not form.is_valid():
        return show(request, TEMPLATE, {"form": form}, form)
    reference: str = form.cleaned_data["reference"]
    return show(request, TEMPLATE, {"form": StatusForm(), "reference": reference, "state": state_of(reference)})


def state_of(reference: str) -> str:
    """What to say about a reference. Both rooms are always asked, so that every answer takes the same work."""
    report = public_state(reference)
    decided = list(Appeal.objects.filter(ref=reference).values_list("decided_at", flat=True))
    if report is PublicState.UNKNOWN and decided:
        return "appeal_decided" if decided[0] else "appeal_open"
    return report.value

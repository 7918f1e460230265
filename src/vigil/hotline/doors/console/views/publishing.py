"""Asking for an edition and seeing it come into force."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db.models import Count
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from vigil.editions.model import ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.requests import Staff, action
from vigil.hotline.lists.enumerations import PublicationState
from vigil.hotline.lists.models import List, Publication
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.lists.queries import changes_since_last, in_force, last_published, publications
from vigil.hotline.reports.captures import captures_on

ROWS: Final = 20
UNDER_WAY: Final = (PublicationState.REQUESTED, PublicationState.BUILDING, PublicationState.AWAITING)


@requires(Permission.PUBLICATION_REQUEST)
@require_safe
def publish(request: Staff) -> HttpResponse:
    """What the next edition would change, and the ones before."""
    moment = now()
    added, removed = changes_since_last(moment)
    counts = dict(in_force(moment).values_list("list").annotate(number=Count("pk")).order_by("list"))
    context = {
        "added": added,
        "removed": removed,
        "lists": [
            (found.name, words.LIST_KIND[ListKind(found.kind)], counts.get(found.pk, 0))
            for found in List.objects.exclude(kind=ListKind.BANK.value)  # no bank is ever part of an edition
        ],
        "total": sum(counts.values()),
        "last": last_published(),
        "rows": [_row(found) for found in publications()[:ROWS]],
        "captures_on": captures_on(),
        "watched": List.objects.filter(live_hours__isnull=False).exists(),
        "under_way": publications().filter(state__in=UNDER_WAY).first(),
    }
    return render(request, "console/publish.html", context)


def _row(found: Publication) -> dict[str, Any]:
    return {"publication": found, "tag": words.PUBLICATION[PublicationState(found.state)], "by": words.actor(found.created_by)}


@requires(Permission.PUBLICATION_REQUEST)
@action(back="publish")
def request_edition(request: Staff) -> HttpResponse:
    """Ask the list office for a new edition."""
    return redirect("publication", pk=do_request_publication(request.person).pk)


@requires(Permission.PUBLICATION_REQUEST)
@require_safe
def publication(request: Staff, pk: UUID) -> HttpResponse:
    """How far one edition is."""
    found = get_object_or_404(Publication, pk=pk)
    context = {**_row(found), "under_way": found.state in UNDER_WAY}
    return render(request, "console/publication.html", context)


@requires(Permission.PUBLICATION_REQUEST)
@require_safe
def publication_state(request: Staff, pk: UUID) -> HttpResponse:
    """The state alone, for the script of the page above."""
    found = get_object_or_404(Publication.objects.only("state", "number"), pk=pk)
    return JsonResponse({"state": found.state, "number": found.number})

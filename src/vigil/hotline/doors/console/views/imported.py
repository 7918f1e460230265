"""An entry that a source sent: what it is, and what the hotline thinks of it, sent back with a reason."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from vigil.base.errors import InputError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.requests import Staff, action, done
from vigil.hotline.partners.sources.actions import do_vote
from vigil.hotline.partners.sources.models import SourceKind, SourceVote, VoteState
from vigil.hotline.partners.sources.queries import entry_called, entry_with, types_of
from vigil.hotline.partners.sources.queries import source_with as source_of_number
from vigil.hotline.partners.sources.registry import KINDS

OPINIONS: Final = {"agree": True, "disagree": False}
TAGS: Final = {VoteState.QUEUED: "waits", VoteState.SENT: "done", VoteState.REFUSED: "danger"}


@requires(Permission.SOURCE_VOTE)
@require_safe
def imported(request: Staff, pk: UUID) -> HttpResponse:
    """One entry of a source, without what it holds."""
    try:
        entry = entry_with(pk)
    except InputError as error:
        raise Http404 from error
    types = [] if entry.gone else types_of(entry)
    context = {
        "entry": entry, "kind": KINDS[SourceKind(entry.source.kind)].title, "types": types, "may_vote": bool(types),
        "votes": [_row(vote) for vote in entry.votes.order_by("-created_at", "-pk")],
    }  # fmt: skip
    return render(request, "console/imported.html", context)


@requires(Permission.SOURCE_VOTE)
@action(back="imported")
def vote(request: Staff, pk: UUID) -> HttpResponse:
    """Send an opinion on one fingerprint of the entry back to its source."""
    agrees = OPINIONS.get(request.POST.get("opinion", ""))
    if agrees is None:
        raise InputError("vote_opinion", "Say whether you agree.", where="opinion")
    reason = request.POST.get("reason", "").strip()
    do_vote(request.person, entry_with(pk), request.POST.get("type", ""), agrees=agrees, reason=reason)
    done(request, "Noted. It goes to the source with the next fetch.")
    return redirect("imported", pk=pk)


@requires(Permission.SOURCE_READ)
@action(back="source")
def find(request: Staff, pk: UUID) -> HttpResponse:
    """From a name that the source gave to the page of the entry."""
    entry = entry_called(source_of_number(pk), request.POST.get("key", "").strip())
    return redirect("imported", pk=entry.pk)


def _row(vote: SourceVote) -> dict[str, Any]:
    return {"vote": vote, "by": words.actor(vote.created_by), "tag": TAGS[VoteState(vote.state)]}

"""Lists and their policies; entries without a case; what waits for a second person; the allow list."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import InputError, VigilError
from vigil.editions.model import ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.queries import approved, waiting
from vigil.hotline.audit.actions import subject_of
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.casework_forms import ReasonForm
from vigil.hotline.doors.console.list_forms import AllowForm, NewListForm, PolicyForm, ProposalForm, SearchForm, show
from vigil.hotline.doors.console.requests import Staff, action, allowed, done
from vigil.hotline.doors.console.views.entries import row as entry_row
from vigil.hotline.lists.actions import do_change_list, do_create_list
from vigil.hotline.lists.enumerations import EntryReason, Guard, LivePolicy, ProposalState, Signal
from vigil.hotline.lists.models import AllowEntry, EntryProposal, List
from vigil.hotline.lists.placement import KINDS_FOR
from vigil.hotline.lists.proposed import (
    check_decide_proposal,
    do_approve_proposal,
    do_propose_entry,
    do_refuse_proposal,
    do_show_proposal,
    reasons_for,
)
from vigil.hotline.lists.quality import (
    check_end_allow,
    check_review_allow,
    do_allow,
    do_end_allow,
    do_review_allow,
)
from vigil.hotline.lists.queries import allowed_rows, in_force, proposals_waiting
from vigil.hotline.lists.searching import do_search
from vigil.hotline.lists.words import do_ask_words, do_export_words
from vigil.hotline.reports.captures import captures_on

SIGNALS: Final = {Signal.URL: "an address", Signal.HASH: "a hash", Signal.KEYWORD: "a word"}


def signals_of(kind: ListKind) -> list[Signal]:
    """What may be proposed for a list of this kind without a case."""
    return [signal for signal, kinds in KINDS_FOR.items() if kind in kinds]


# ---- lists


@requires(Permission.ENTRY_READ)
@require_safe
def lists(request: Staff) -> HttpResponse:
    """Every list with its policy, in words."""
    counts = dict(in_force(now()).values_list("list").annotate(number=Count("pk")).order_by("list"))
    rows = [{"list": each, "kind": _kind(each), "entries": counts.get(each.pk, 0), "live": _live(each)} for each in _mine()]
    context = {"rows": rows, "captures_on": captures_on(), "can_manage": request.person.may(Permission.LIST_MANAGE)}
    return render(request, "console/lists.html", context)


def _mine() -> Any:
    return List.objects.exclude(kind=ListKind.BANK.value)


def _kind(found: List) -> str:
    return words.LIST_KIND.get(ListKind(found.kind), found.kind)


def _live(found: List) -> str:
    policy = words.LIVE_POLICY[LivePolicy(found.live_policy)]
    return policy if found.live_hours is None else f"{found.live_hours} h: {policy.lower()}"


@requires(Permission.LIST_MANAGE)
def list_new(request: Staff) -> HttpResponse:
    """Set up a list."""
    form = NewListForm(request.POST if request.method == "POST" else None, initial={"max_distance": 31, "flood_floor": 1000})
    if request.method == "POST" and form.is_valid():
        try:
            made = do_create_list(
                request.person, form.cleaned_data["name"], ListKind(form.cleaned_data["kind"]), policy=form.policy()
            )
            done(request, "The list is set up. It is in the next edition.")
            return redirect("list", name=made.name)
        except VigilError as error:
            show(form, error)
    return render(request, "console/list_edit.html", {"form": form, "title": "A new list"}, status=422 if form.errors else 200)


@requires(Permission.ENTRY_READ)
@require_safe
def list_page(request: Staff, name: str) -> HttpResponse:
    """One list: its policy, and what may be proposed for it."""
    found = get_object_or_404(_mine(), name=name)
    kind = ListKind(found.kind)
    context = {
        "list": found, "kind": _kind(found), "live": _live(found), "entries": in_force(now()).filter(list=found).count(),
        "captures_on": captures_on(), "can_manage": request.person.may(Permission.LIST_MANAGE),
        "signals": [(signal.value, SIGNALS[signal]) for signal in signals_of(kind)] if _may_propose(request) else [],
        **_words_leave(found),
    }  # fmt: skip
    return render(request, "console/list.html", context)


def _words_leave(found: List) -> dict[str, Any]:
    """How far handing out the words of a keyword list has come; nothing for lists of other kinds."""
    if found.kind != ListKind.KEYWORD.value:
        return {}
    act, subject = TwoPersonAct.KEYWORD_EXPORT, subject_of(found)
    waits = waiting().filter(act=act.value, subject=subject).exists()
    return {"words": True, "words_approved": approved(act, subject), "words_wait": waits, "reason_form": ReasonForm()}


@requires(Permission.LIST_MANAGE)
@action(back="list")
def words_ask(request: Staff, name: str) -> HttpResponse:
    """Ask a second person to approve handing out the words of a list."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise InputError("reason_missing", "Say for whom and why, for the person who approves.")
    do_ask_words(request.person, get_object_or_404(_mine(), name=name, kind=ListKind.KEYWORD.value), form.cleaned_data["reason"])
    done(request, "A second person is asked. Come back when they have approved.")
    return redirect("list", name=name)


@requires(Permission.LIST_MANAGE)
@action(back="list")
def words_file(request: Staff, name: str) -> HttpResponse:
    """The words of a list as a file, once, with the approval that is there."""
    data = do_export_words(request.person, get_object_or_404(_mine(), name=name, kind=ListKind.KEYWORD.value))
    answer = HttpResponse(data, content_type="application/octet-stream")
    answer["Content-Disposition"] = 'attachment; filename="words.json"'
    return answer


def _may_propose(request: Staff) -> bool:
    return request.person.may(Permission.ENTRY_PROPOSE)


@requires(Permission.LIST_MANAGE)
def list_edit(request: Staff, name: str) -> HttpResponse:
    """Change the policy of a list."""
    found = get_object_or_404(_mine(), name=name)
    form = PolicyForm(request.POST) if request.method == "POST" else PolicyForm.of(found)
    if request.method == "POST" and form.is_valid():
        try:
            do_change_list(request.person, found, form.policy())
            done(request, "The policy is changed. It holds from the next edition on.")
            return redirect("list", name=found.name)
        except VigilError as error:
            show(form, error)
    context = {"form": form, "title": f"Policy of {found.name}", "list": found}
    return render(request, "console/list_edit.html", context, status=422 if form.errors else 200)


# ---- finding entries by what they hold


@requires(Permission.CONTENT_REVEAL)
@require_POST
def search(request: Staff) -> HttpResponse:
    """Entries that cover an address, stand on a host, or are a hash: by the canonical fields, in the body of the request."""
    form = SearchForm(request.POST)
    rows = []
    if form.is_valid():
        try:
            found = do_search(request.person, form.cleaned_data["text"], form.cleaned_data["how"])
            rows = [entry_row(entry) for entry in found]
        except VigilError as error:
            show(form, error)
    context = {"form": form, "rows": rows, "searched": form.is_valid()}
    return render(request, "console/entries_found.html", context, status=422 if form.errors else 200)


# ---- proposals


@requires(Permission.ENTRY_READ)
@require_safe
def proposals(request: Staff) -> HttpResponse:
    """Proposed entries that wait for a second person, and those decided lately."""
    decided = EntryProposal.objects.exclude(state=ProposalState.PENDING.value).select_related("list")[:30]
    waiting = [_proposal(each) for each in proposals_waiting(now())]
    context = {"waiting": waiting, "decided": [_proposal(each) for each in decided]}
    return render(request, "console/proposals.html", context)


def _proposal(found: EntryProposal) -> dict[str, Any]:
    return {
        "proposal": found, "what": SIGNALS[Signal(found.signal)], "by": words.actor(found.created_by),
        "reason": words.REASON[EntryReason(found.reason)], "tag": words.PROPOSAL[ProposalState(found.state)],
        "decided_by": words.actor(found.decided_by), "guards": [words.GUARD[Guard(each)] for each in found.guards],
    }  # fmt: skip


@requires(Permission.ENTRY_PROPOSE)
def propose(request: Staff, name: str, signal: str) -> HttpResponse:
    """Propose an entry without a case."""
    target = get_object_or_404(_mine(), name=name)
    kind = ListKind(target.kind)
    if signal not in signals_of(kind):
        return redirect("list", name=name)
    form = ProposalForm(request.POST if request.method == "POST" else None, Signal(signal), sorted(reasons_for(kind)))
    if request.method == "POST" and form.is_valid():
        try:
            made = do_propose_entry(
                request.person, target, form.proposed(), EntryReason(form.cleaned_data["reason"]), form.cleaned_data["evidence"],
                expires_at=form.expiry(),
            )  # fmt: skip
            done(request, "Proposed. A second person decides within seven days.")
            return redirect("proposal", pk=made.pk)
        except VigilError as error:
            show(form, error)
    context = {"form": form, "list": target, "what": SIGNALS[Signal(signal)]}
    return render(request, "console/propose.html", context, status=422 if form.errors else 200)


@requires(Permission.ENTRY_READ)
@require_safe
def proposal(request: Staff, pk: UUID) -> HttpResponse:
    """One proposal."""
    return _proposal_page(request, pk)


def _proposal_page(request: Staff, pk: UUID, shown: tuple[str, str] | None = None) -> HttpResponse:
    found = get_object_or_404(EntryProposal.objects.select_related("list", "entry"), pk=pk)
    own = request.person.label == found.created_by
    context = {
        **_proposal(found), "can_decide": allowed(check_decide_proposal, request.person, found), "shown": shown,
        "can_show": own or request.person.may(Permission.LISTING_DECIDE), "own": own,
    }  # fmt: skip
    return render(request, "console/proposal.html", context)


@requires(Permission.ENTRY_READ)
@require_POST
def proposal_show(request: Staff, pk: UUID) -> HttpResponse:
    """What is proposed, and the evidence: on this answer only, and logged before."""
    found = get_object_or_404(EntryProposal, pk=pk)
    return _proposal_page(request, pk, do_show_proposal(request.person, found))


@requires(Permission.LISTING_DECIDE)
@action(back="proposal")
def proposal_decide(request: Staff, pk: UUID) -> HttpResponse:
    """List it, or refuse it."""
    found = get_object_or_404(EntryProposal, pk=pk)
    if request.POST.get("decision") == "list":
        entry = do_approve_proposal(request.person, found)
        done(request, f"Listed as entry {entry.number}, in force with the next edition.")
    else:
        do_refuse_proposal(request.person, found)
        done(request, "Refused.")
    return redirect("proposal", pk=pk)


# ---- the allow list


@requires(Permission.ENTRY_READ)
@require_safe
def allow(request: Staff) -> HttpResponse:
    """What no list may hold: rows, never what they say."""
    rows = [
        {
            "row": each, "what": words.SCOPE_OF[each.scope] if each.scope else f"Hash, {each.algorithm}",
            "by": words.actor(each.created_by), "can_review": allowed(check_review_allow, request.person, each),
            "can_end": allowed(check_end_allow, request.person, each),
        }
        for each in allowed_rows()
    ]  # fmt: skip
    return render(request, "console/allow.html", {"rows": rows, "can_add": request.person.may(Permission.ENTRY_WITHDRAW)})


@requires(Permission.ENTRY_WITHDRAW)
def allow_new(request: Staff) -> HttpResponse:
    """Put something on the allow list; what it covers is withdrawn at once."""
    form = AllowForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _, gone = do_allow(request.person, form.proposal(), form.cleaned_data["why"])
            done(request, f"It stands on the allow list. Entries withdrawn: {gone}. A second person reviews it.")
            return redirect("allow")
        except VigilError as error:
            show(form, error)
    return render(request, "console/allow_new.html", {"form": form}, status=422 if form.errors else 200)


@requires(Permission.WITHDRAWAL_REVIEW)
@action(back="allow_row")
def allow_review(request: Staff, pk: UUID) -> HttpResponse:
    """Agree with a row, or end it."""
    found = get_object_or_404(AllowEntry, pk=pk)
    if request.POST.get("decision") == "end":
        do_end_allow(request.person, found)
        done(request, "The row is ended. What it took off stays off until it is listed anew.")
    else:
        do_review_allow(request.person, found)
        done(request, "The row is reviewed.")
    return redirect("allow")


@requires(Permission.ENTRY_READ)
@require_safe
def allow_row(request: Staff, pk: UUID) -> HttpResponse:
    """Where a refusal about one row goes back to."""
    return redirect("allow")

"""Entries of the lists: find them by number, show them, withdraw them, review withdrawals."""

from __future__ import annotations

from typing import Any, Final

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.assessments.actions import do_reveal
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.forms import WithdrawalForm
from vigil.hotline.doors.console.list_forms import EntryChangeForm, SearchForm
from vigil.hotline.doors.console.requests import Staff, action, allowed, done, waits
from vigil.hotline.doors.console.scopes import shape_of
from vigil.hotline.doors.console.words import Tag
from vigil.hotline.lists.actions import name_of
from vigil.hotline.lists.changing import check_change_entry, do_change_entry
from vigil.hotline.lists.enumerations import EntryReason, Guard, HeldReason, RemovedReason, Signal, VoteReason
from vigil.hotline.lists.guards import partner_hosts
from vigil.hotline.lists.models import List, ListEntry
from vigil.hotline.lists.quality import tally
from vigil.hotline.lists.queries import approvals_due, held, in_force, reviews_due
from vigil.hotline.lists.reach import Preview, preview
from vigil.hotline.lists.withdrawals import (
    check_approve_entry,
    check_hold_entry,
    check_release_entry,
    check_review_withdrawal,
    check_withdraw_entry,
    do_approve_entry,
    do_hold_entry,
    do_refuse_entry,
    do_release_entry,
    do_review_withdrawal,
    do_withdraw_entry,
)
from vigil.hotline.reports.captures import captures_on
from vigil.match.urls import EntryFlag, Scope, canonical

PAGE_ROWS: Final = 100
VIEWS: Final = {
    "": "In force",
    "waiting": "Held and guarded",
    "withdrawn": "Withdrawn",
    "review": "Withdrawals to review",
}


@requires(Permission.ENTRY_READ)
@require_safe
def entries(request: Staff) -> HttpResponse:
    """The entries of all lists, the newest first: numbers and kinds, never what they hold."""
    number = request.GET.get("number", "")
    if number.isascii() and number.isdigit() and ListEntry.objects.filter(pk=min(int(number), 2**63 - 1)).exists():
        return redirect("entry", number=int(number))
    view = request.GET.get("view", "")
    view = view if view in VIEWS else ""
    found = _chosen(view)
    chosen = List.objects.filter(name=request.GET.get("list", "")).first()
    page = Paginator(found.filter(list=chosen) if chosen else found, PAGE_ROWS).get_page(request.GET.get("page"))
    context = {"page": page, "rows": [row(entry) for entry in page.object_list], "lists": List.objects.all(),
               "chosen": chosen, "view": view, "title": VIEWS[view], "views": VIEWS.items(), "number": number,
               "search": SearchForm() if request.person.may(Permission.CONTENT_REVEAL) else None}  # fmt: skip
    return render(request, "console/entries.html", context)


def _chosen(view: str) -> QuerySet[ListEntry]:
    if view == "review":
        return reviews_due()
    if view == "waiting":
        return (held() | approvals_due()).order_by("number")
    if view == "withdrawn":
        return ListEntry.objects.filter(tombstone=True).select_related("list").order_by("-removed_at", "-pk")
    return in_force(now()).order_by("-number")


def row(entry: ListEntry) -> dict[str, Any]:
    """An entry in words."""
    return {
        "entry": entry,
        "what": _what(entry),
        "reason": words.REASON[EntryReason(entry.reason)],
        "state": _state(entry),
        "removed": words.REMOVED[RemovedReason(entry.removed_reason)] if entry.removed_reason else "",
    }


def _what(entry: ListEntry) -> str:
    if entry.signal == Signal.KEYWORD:
        return "Word"
    return words.SCOPE[Scope(entry.scope)] if entry.signal == Signal.URL else f"Hash, {entry.algorithm}"


def _state(entry: ListEntry) -> Tag:
    if entry.review_due:
        return Tag("waits", "Withdrawn, to be reviewed")
    if entry.tombstone:
        return Tag("done", "Withdrawn")
    if entry.approval_due:
        return Tag("waits", "Waits for a second approver")
    if entry.held_at is not None:
        return Tag("waits", f"Held: {words.HELD[HeldReason(entry.held_reason)].lower()}")
    if entry.expires_at is not None and entry.expires_at <= now():
        return Tag("done", "Expired")
    return Tag("working", "In force")


def entry_numbered(number: int) -> ListEntry:
    """The entry of this number, withdrawn or not; 404 where there is none."""
    return get_object_or_404(ListEntry.objects.select_related("list", "decision__report"), pk=number)


@requires(Permission.ENTRY_READ)
@require_safe
def entry(request: Staff, number: int) -> HttpResponse:
    """One entry."""
    return _page(request, entry_numbered(number))


def _page(request: Staff, found: ListEntry, revealed: str = "", near: Preview | None = None) -> HttpResponse:
    context = {
        **row(found),
        "added_by": words.actor(found.added_by),
        "removed_by": words.actor(found.removed_by),
        "reviewed_by": words.actor(found.reviewed_by),
        "revealed": revealed,
        "can_withdraw": allowed(check_withdraw_entry, request.person, found),
        "can_change": allowed(check_change_entry, request.person, found),
        "can_review": allowed(check_review_withdrawal, request.person, found),
        "can_reveal": request.person.may(Permission.CONTENT_REVEAL),
        "guards": [words.GUARD[Guard(each)] for each in found.guards],
        "can_approve": allowed(check_approve_entry, request.person, found),
        "can_hold": allowed(check_hold_entry, request.person, found),
        "can_release": allowed(check_release_entry, request.person, found),
        "held": words.HELD[HeldReason(found.held_reason)] if found.held_reason else "",
        "votes": (votes := tally(found)),
        "vote_reasons": [(words.VOTE_REASON[VoteReason(name)], number) for name, number in votes.reasons.items()],
        "approved_by": words.actor(found.approved_by),
        "near": near,
        "live": found.list.live_hours is not None and found.signal == Signal.URL,
        "captures_on": captures_on(),
    }
    return render(request, "console/entry.html", context)


@requires(Permission.CONTENT_REVEAL)
@require_POST
def reveal(request: Staff, number: int) -> HttpResponse:
    """Show what an entry holds: on this answer only, and logged before."""
    found = entry_numbered(number)
    do_reveal(request.person, name_of(found), "entry")
    content = found.content.open()
    if found.signal == Signal.URL:
        content = shape_of(Scope(found.scope), canonical(content))
    return _page(request, found, content)


@requires(Permission.ENTRY_WITHDRAW)
def withdraw(request: Staff, number: int) -> HttpResponse:
    """Withdraw an entry: one page that says what will happen, one press."""
    found = entry_numbered(number)
    form = WithdrawalForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        return _withdrawn(request, found, RemovedReason(form.cleaned_data["reason"]))
    context = {**row(found), "form": form, "can_withdraw": allowed(check_withdraw_entry, request.person, found)}
    return render(request, "console/withdraw.html", context, status=422 if form.errors else 200)


def _withdrawn(request: Staff, found: ListEntry, reason: RemovedReason) -> HttpResponse:
    try:
        do_withdraw_entry(request.person, found, reason)
        done(request, f"Entry {found.number} is withdrawn. An edition without it is being made now.")
    except VigilError as error:
        waits(request, str(error))
    return redirect("entry", number=found.number)


@requires(Permission.WITHDRAWAL_REVIEW)
@action(back="entry")
def review(request: Staff, number: int) -> HttpResponse:
    """Note that a second person looked at a withdrawal."""
    do_review_withdrawal(request.person, entry_numbered(number))
    done(request, "The withdrawal is reviewed.")
    return redirect("entry", number=number)


@requires(Permission.CONTENT_REVEAL)
@require_POST
def preview_entry(request: Staff, number: int) -> HttpResponse:
    """What an entry for an address matches and what it just misses: on this answer only, and logged before."""
    found = entry_numbered(number)
    if found.signal != Signal.URL:
        return redirect("entry", number=number)
    do_reveal(request.person, name_of(found), "entry")
    url, scope = canonical(found.content.open()), Scope(found.scope)
    near = preview(url, scope, EntryFlag(found.flags), EntryReason(found.reason), partner_hosts())
    return _page(request, found, shape_of(scope, url), near)


@requires(Permission.LISTING_DECIDE)
def change(request: Staff, number: int) -> HttpResponse:
    """Change labels, jurisdictions or expiry of an entry."""
    found = entry_numbered(number)
    form = EntryChangeForm(request.POST) if request.method == "POST" else EntryChangeForm.of(found)
    if request.method == "POST" and form.is_valid():
        try:
            changed = do_change_entry(request.person, found, form.change(found))
        except VigilError as error:
            form.add_error(error.where if error.where in form.fields else None, str(error))
        else:
            waiting = " It waits for a second approver." if changed.approval_due else ""
            done(request, f"Changed; it takes effect with the next edition.{waiting}")
            return redirect("entry", number=number)
    return render(request, "console/entry_change.html", {**row(found), "form": form}, status=422 if form.errors else 200)


@requires(Permission.WIDE_SCOPE_APPROVE)
@action(back="entry")
def approve(request: Staff, number: int) -> HttpResponse:
    """Approve or refuse a guarded entry."""
    if request.POST.get("decision") == "approve":
        do_approve_entry(request.person, entry_numbered(number))
        done(request, "Approved. It takes effect with the next edition.")
    else:
        do_refuse_entry(request.person, entry_numbered(number))
        done(request, "Refused. It never took effect.")
    return redirect("entry", number=number)


@requires(Permission.ENTRY_HOLD)
@action(back="entry")
def hold(request: Staff, number: int) -> HttpResponse:
    """Hold an entry back."""
    do_hold_entry(request.person, entry_numbered(number), HeldReason.BY_HAND)
    done(request, "Held back. An edition without it is being made now.")
    return redirect("entry", number=number)


@requires(Permission.ENTRY_HOLD)
@action(back="entry")
def release(request: Staff, number: int) -> HttpResponse:
    """Let a held entry go."""
    do_release_entry(request.person, entry_numbered(number))
    done(request, "It is in the next edition again.")
    return redirect("entry", number=number)

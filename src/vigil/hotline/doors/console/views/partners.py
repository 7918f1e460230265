"""Partners, their agreements, what they fetched, the kill switch, and alarms about marks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Count, Max
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import VigilError
from vigil.editions.model import ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import OPERATOR, Person
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.list_forms import AgreementForm, PartnerForm, RecipientForm, StopForm, show, split
from vigil.hotline.doors.console.requests import Staff, action, allowed, done
from vigil.hotline.doors.console.words import Tag
from vigil.hotline.lists.models import List
from vigil.hotline.lists.recipients import do_change_recipient
from vigil.hotline.partners.agreements import (
    agreements_waiting,
    check_approve_agreement,
    check_end_agreement,
    check_resume_partner,
    check_stop_partner,
    do_approve_agreement,
    do_end_agreement,
    do_propose_agreement,
    do_propose_partner,
    do_resume_partner,
    do_show_people,
    do_stop_partner,
    partners,
)
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Agreement, Delivery, Node, Partner, RecipientChange
from vigil.hotline.partners.recipients import (
    changes_waiting,
    check_approve_recipient,
    check_refuse_recipient,
    check_take_up_recipient,
    do_propose_recipient,
    do_refuse_recipient,
    do_take_up_recipient,
)
from vigil.hotline.statistics.canaries import alarms_open, do_see_alarm
from vigil.hotline.statistics.models import CanaryAlarm


@requires(Permission.PARTNER_READ)
@require_safe
def partners_page(request: Staff) -> HttpResponse:
    """Every partner, and agreements that wait for a second person."""
    nodes = dict(Node.objects.exclude(partner="").values_list("partner").annotate(number=Count("pk")))
    last = dict(Delivery.objects.values_list("node__partner").annotate(at=Max("created_at")))
    rows = [
        {"partner": each, "kind": words.PARTNER_KIND[PartnerKind(each.kind)], "tag": _tag(each), "nodes": nodes.get(each.code, 0),
         "fetched": last.get(each.code)}
        for each in partners()
    ]  # fmt: skip
    context = {
        "rows": rows, "waiting": agreements_waiting(), "changes": changes_waiting(),
        "can_propose": request.person.may(Permission.PARTNER_PROPOSE),
    }  # fmt: skip
    return render(request, "console/partners.html", context)


def _tag(partner: Partner) -> Tag:
    if partner.stopped_at is not None:
        return Tag("danger", "Stopped")
    if any(each.in_force(now()) for each in partner.agreements.select_related("partner")):
        return Tag("working", "Under agreement")
    return Tag("waits", "Without agreement")


@requires(Permission.PARTNER_PROPOSE)
def partner_new(request: Staff) -> HttpResponse:
    """Propose a partner."""
    form = PartnerForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = do_propose_partner(
                request.person, data["title"], PartnerKind(data["kind"]), hosts=split(data["hosts"]), recipient=data["recipient"]
            )
            done(request, "Noted. It gets nothing before a second person has approved an agreement.")
            return redirect("partner", pk=made.pk)
        except VigilError as error:
            show(form, error)
    return render(request, "console/partner_new.html", {"form": form}, status=422 if form.errors else 200)


@requires(Permission.PARTNER_READ)
@require_safe
def partner(request: Staff, pk: UUID) -> HttpResponse:
    """One partner."""
    return _page(request, pk)


def _page(request: Staff, pk: UUID, people_of: UUID | None = None) -> HttpResponse:
    found = get_object_or_404(Partner, pk=pk)
    person = request.person
    agreements = [
        {"agreement": each, "tag": _agreement_tag(each),
         "people": each.people.open() if each.people and each.pk == people_of else "",
         "by": words.actor(each.created_by), "approved_by": words.actor(each.approved_by),
         "can_approve": allowed(check_approve_agreement, person, each), "can_end": allowed(check_end_agreement, person, each)}
        for each in found.agreements.select_related("partner")
    ]  # fmt: skip
    deliveries = Delivery.objects.filter(node__partner=found.code).select_related("node").order_by("-created_at")[:20]
    context = {
        "partner": found, "kind": words.PARTNER_KIND[PartnerKind(found.kind)], "tag": _tag(found), "agreements": agreements,
        "nodes": Node.objects.filter(partner=found.code).order_by("name"), "deliveries": deliveries, "moment_now": now(),
        "can_propose": person.may(Permission.PARTNER_PROPOSE), "can_key": person.may(Permission.PARTNER_KEY),
        "can_stop": allowed(check_stop_partner, person, found),
        "can_resume": allowed(check_resume_partner, person, found), "stopped_by": words.actor(found.stopped_by),
        "alarms": CanaryAlarm.objects.filter(partner=found.code)[:10], "changes": _changes(person, found),
    }  # fmt: skip
    return render(request, "console/partner.html", context)


def _changes(person: Person, found: Partner) -> list[dict[str, Any]]:
    """The keys that were proposed for it, the newest first; the acts that this person may do now."""
    return [
        {"change": each, "tag": _change_tag(each), "by": words.actor(each.created_by), "decided_by": words.actor(each.decided_by),
         "by_command": each.created_by == OPERATOR.label, "taken_up_by": words.actor(each.taken_up_by),
         "needs_somebody": each.approved is None and each.names_nobody,
         "can_take_up": allowed(check_take_up_recipient, person, each),
         "can_approve": allowed(check_approve_recipient, person, each),
         "can_refuse": allowed(check_refuse_recipient, person, each)}
        for each in found.recipient_changes.select_related("partner")
    ]  # fmt: skip


def _change_tag(found: RecipientChange) -> Tag:
    if found.approved is None:
        return Tag("waits", "Waits to be taken up" if found.names_nobody else "Waits for a second person")
    if not found.approved:
        return Tag("done", "Refused")
    in_use = found.recipient == found.partner.recipient
    return Tag("working", "In use") if in_use else Tag("done", "Replaced")


def _agreement_tag(found: Agreement) -> Tag:
    if found.ended_at is not None:
        return Tag("done", "Ended" if found.approved_at else "Refused")
    if found.approved_at is None:
        return Tag("waits", "Waits for a second person")
    if found.in_force(now()):
        return Tag("working", "In force")
    return Tag("new", "Not yet") if now() < found.starts_at else Tag("done", "Over")


@requires(Permission.PARTNER_READ)
@require_POST
def agreement_people(request: Staff, pk: UUID) -> HttpResponse:
    """Who answers for the lists at a partner: on this answer only, and logged before."""
    found = get_object_or_404(Agreement, pk=pk)
    do_show_people(request.person, found)
    return _page(request, found.partner_id, found.pk)


@requires(Permission.PARTNER_PROPOSE)
def agreement_new(request: Staff, pk: UUID) -> HttpResponse:
    """Propose an agreement."""
    found = get_object_or_404(Partner, pk=pk)
    offered = List.objects.exclude(kind=ListKind.BANK.value)
    form = AgreementForm(request.POST if request.method == "POST" else None, offered)
    return _asked(
        request, found, form, "console/agreement_new.html", lambda: do_propose_agreement(request.person, found, form.terms()),
        "Proposed. It is in force once a second person has approved it.",
    )  # fmt: skip


@requires(Permission.PARTNER_APPROVE)
@action(back="agreement")
def agreement_approve(request: Staff, pk: UUID) -> HttpResponse:
    """Approve as the second person."""
    told = "Approved. The partner's copy is in the next edition."
    return _acted(request, do_approve_agreement, get_object_or_404(Agreement, pk=pk), told)


@requires(Permission.PARTNER_STOP)
@action(back="agreement")
def agreement_end(request: Staff, pk: UUID) -> HttpResponse:
    """End or refuse an agreement."""
    told = "Ended. The partner gets nothing under it any more."
    return _acted(request, do_end_agreement, get_object_or_404(Agreement, pk=pk), told)


@requires(Permission.PARTNER_READ)
@require_safe
def agreement(request: Staff, pk: UUID) -> HttpResponse:
    """The page of an agreement is that of its partner."""
    return redirect("partner", pk=get_object_or_404(Agreement, pk=pk).partner_id)


@requires(Permission.PARTNER_KEY)
def recipient_new(request: Staff, pk: UUID) -> HttpResponse:
    """Propose another public key."""
    found = get_object_or_404(Partner, pk=pk)
    form = RecipientForm(request.POST if request.method == "POST" else None)

    def propose() -> None:
        data = form.cleaned_data
        do_propose_recipient(request.person, found, data["recipient"], data["reason"], overlap=data["old"] == "overlap")

    told = "Proposed. The key it has now stays in use until a second person has approved the new one."
    return _asked(request, found, form, "console/partner_key.html", propose, told)


@requires(Permission.PARTNER_READ)
@require_safe
def recipient(request: Staff, pk: UUID) -> HttpResponse:
    """The page of a proposed key is that of its partner."""
    return redirect("partner", pk=get_object_or_404(RecipientChange, pk=pk).partner_id)


@requires(Permission.PARTNER_KEY)
@action(back="recipient")
def recipient_take_up(request: Staff, pk: UUID) -> HttpResponse:
    """Answer for a key that was proposed by command."""
    told = "Taken up. It counts as proposed by you: somebody else approves it."
    return _acted(request, do_take_up_recipient, get_object_or_404(RecipientChange, pk=pk), told)


@requires(Permission.PARTNER_APPROVE)
@action(back="recipient")
def recipient_approve(request: Staff, pk: UUID) -> HttpResponse:
    """Approve as the second person."""
    told = "Approved. The next edition is encrypted for the new key."
    return _acted(request, do_change_recipient, get_object_or_404(RecipientChange, pk=pk), told)


@requires(Permission.PARTNER_STOP)
@action(back="recipient")
def recipient_refuse(request: Staff, pk: UUID) -> HttpResponse:
    """Leave the key as it is."""
    told = "Refused. The key it has now stays in use."
    return _acted(request, do_refuse_recipient, get_object_or_404(RecipientChange, pk=pk), told)


@requires(Permission.PARTNER_STOP)
def partner_stop(request: Staff, pk: UUID) -> HttpResponse:
    """The kill switch: one page that says what will happen, one press."""
    found = get_object_or_404(Partner, pk=pk)
    form = StopForm(request.POST if request.method == "POST" else None)
    return _asked(
        request, found, form, "console/partner_stop.html",
        lambda: do_stop_partner(request.person, found, form.cleaned_data["reason"]),
        "Stopped. Its tokens have ended; its next poll gets nothing.",
    )  # fmt: skip


@requires(Permission.PARTNER_APPROVE)
@action(back="partner")
def partner_resume(request: Staff, pk: UUID) -> HttpResponse:
    """Let a stopped partner in again."""
    do_resume_partner(request.person, get_object_or_404(Partner, pk=pk))
    done(request, "The partner is let in again. Its nodes need new tokens.")
    return redirect("partner", pk=pk)


Decided = TypeVar("Decided", Agreement, RecipientChange)


def _asked(
    request: Staff, found: Partner, form: Form, template: str, act: Callable[[], object], told: str
) -> HttpResponse:
    """A page that asks for what ``act`` needs about a partner; it says what is wrong, or goes back to the partner."""
    if request.method == "POST" and form.is_valid():
        try:
            act()
            done(request, told)
            return redirect("partner", pk=found.pk)
        except VigilError as error:
            show(form, error)
    return render(request, template, {"form": form, "partner": found}, status=422 if form.errors else 200)


def _acted(request: Staff, act: Callable[[Person, Decided], Decided], row: Decided, told: str) -> HttpResponse:
    """Decide about a row of a partner, and go back to it."""
    found = act(request.person, row)
    done(request, told)
    return redirect("partner", pk=found.partner_id)


# ---- alarms


@requires(Permission.PARTNER_READ)
@require_safe
def alarms(request: Staff) -> HttpResponse:
    """Requests for marks: somebody has or probes a list."""
    titles = dict(Partner.objects.values_list("code", "title"))
    rows = [
        {"alarm": each, "partner": titles.get(each.partner, ""), "seen_by": words.actor(each.seen_by)}
        for each in [*alarms_open()[:200], *CanaryAlarm.objects.filter(seen_at__isnull=False)[:50]]
    ]
    return render(request, "console/alarms.html", {"rows": rows, "can_see": request.person.may(Permission.PARTNER_STOP)})


@requires(Permission.PARTNER_STOP)
@action(back="alarm")
def alarm_see(request: Staff, pk: UUID) -> HttpResponse:
    """Take an alarm up."""
    do_see_alarm(request.person, get_object_or_404(CanaryAlarm, pk=pk))
    done(request, "You have taken up the alarm.")
    return redirect("alarms")


@requires(Permission.PARTNER_READ)
@require_safe
def alarm(request: Staff, pk: UUID) -> HttpResponse:
    """Where a refusal about one alarm goes back to."""
    return redirect("alarms")

"""What the vault holds of a case, its custody, and taking it out by two people."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from vigil.base.errors import InputError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.queries import approved
from vigil.hotline.audit.actions import subject_of
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.casework_forms import ExportForm, ReasonForm
from vigil.hotline.doors.console.requests import Staff, action, done, waits
from vigil.hotline.doors.console.views.case import report_by
from vigil.hotline.vault.actions import do_ask_export, do_export, do_set_legal_hold, do_verify
from vigil.hotline.vault.models import EvidenceObject
from vigil.hotline.vault.queries import vault_on


@requires(Permission.CASE_READ)
@require_safe
def evidence(request: Staff, pk: UUID) -> HttpResponse:
    """The objects of a case with every step of their custody; nothing of them is shown here."""
    report = report_by(pk)
    found = EvidenceObject.objects.filter(case=report.pk).prefetch_related("custody")
    exports = request.person.may(Permission.VAULT_EXPORT)
    context = {
        "report": report, "on": vault_on(), "rows": [_row(request, one) for one in found], "exports": exports,
        "reason_form": ReasonForm(), "export_form": ExportForm(), "verifies": request.person.may(Permission.VAULT_USE),
        "keeps": request.person.may(Permission.HOLD_MANAGE),
    }  # fmt: skip
    return render(request, "console/evidence.html", context)


def _row(request: Staff, found: EvidenceObject) -> dict[str, Any]:
    return {
        "object": found,
        "custody": [(step, words.actor(step.created_by)) for step in found.custody.all()],
        "approved": request.person.may(Permission.VAULT_EXPORT)
        and approved(TwoPersonAct.VAULT_EXPORT, subject_of(found)) is not None,
    }


def _object(pk: UUID, key: UUID) -> EvidenceObject:
    return get_object_or_404(EvidenceObject, pk=key, case=pk)


@requires(Permission.VAULT_USE)
@action(back="evidence", keep=("pk",))
def verify(request: Staff, pk: UUID, key: UUID) -> HttpResponse:
    """Check that an object is whole."""
    if do_verify(request.person, _object(pk, key)):
        done(request, "The object is what its digests say.")
    else:
        waits(request, "The object cannot be opened, or is not what its digests say. Tell your system administrator.")
    return redirect("evidence", pk=pk)


@requires(Permission.HOLD_MANAGE)
@action(back="evidence", keep=("pk",))
def keep(request: Staff, pk: UUID, key: UUID) -> HttpResponse:
    """Keep an object beyond its date. One person may: only letting go takes two."""
    do_set_legal_hold(request.person, _object(pk, key), held=True)
    done(request, "It is kept until two people let it go.")
    return redirect("evidence", pk=pk)


@requires(Permission.VAULT_EXPORT)
@action(back="evidence", keep=("pk",))
def ask_export(request: Staff, pk: UUID, key: UUID) -> HttpResponse:
    """Ask a second person to approve an export."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise InputError("reason_missing", "Say why and for whom, for the person who approves.")
    do_ask_export(request.person, _object(pk, key), form.cleaned_data["reason"])
    done(request, "A second person is asked.")
    return redirect("evidence", pk=pk)


@requires(Permission.VAULT_EXPORT)
@action(back="evidence", keep=("pk",))
def export(request: Staff, pk: UUID, key: UUID) -> HttpResponse:
    """Hand an approved object out, once. Its name is its receipt; nothing about it is cached."""
    form = ExportForm(request.POST)
    if not form.is_valid():
        raise InputError("recipient_missing", "An export names its recipient and its legal basis.")
    data, event = do_export(request.person, _object(pk, key), **form.cleaned_data)
    answer = HttpResponse(data, content_type="application/octet-stream")
    answer["Content-Disposition"] = f'attachment; filename="{event.receipt}.bin"'
    answer["X-Receipt"] = event.receipt
    return answer

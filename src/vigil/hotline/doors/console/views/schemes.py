"""Labels, mappings and the review policy: what is in force, what is proposed, importing and proposing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from vigil.base.errors import InputError, VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.queries import approved
from vigil.hotline.assessments.grading import do_recompute
from vigil.hotline.audit.actions import subject_of
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.casework_forms import LabelsForm, MappingForm
from vigil.hotline.doors.console.requests import Staff, action, done
from vigil.hotline.reviews.actions import do_propose_policy
from vigil.hotline.reviews.queries import policy_in_force, recommended
from vigil.hotline.schemes.actions import do_import_labels, do_propose_mapping, do_put_in_force
from vigil.hotline.schemes.models import Kind, SchemeMapping
from vigil.hotline.schemes.queries import imported_schemes, mappings_in_force


@requires(Permission.SCHEME_READ)
@require_safe
def schemes(request: Staff) -> HttpResponse:
    """What counts now, and what was proposed."""
    return _page(request)


def _page(
    request: Staff, labels: LabelsForm | None = None, mapping: MappingForm | None = None, status: int = 200
) -> HttpResponse:
    manages = request.person.may(Permission.SCHEME_MANAGE)
    context = {
        "axes": mappings_in_force(),
        "policy": policy_in_force(),
        "imported": imported_schemes(),
        "rows": [_row(row) for row in SchemeMapping.objects.all()[:50]],
        "manages": manages,
        "labels_form": labels or LabelsForm(),
        "mapping_form": mapping or MappingForm(),
    }
    return render(request, "console/schemes.html", context, status=status)


def _row(row: SchemeMapping) -> dict[str, Any]:
    waits = row.in_force_at is None and approved(TwoPersonAct.SCHEME_MAPPING_CHANGE, subject_of(row)) is not None
    return {"row": row, "by": words.actor(row.created_by), "passed": bool(row.test_report.get("passed")), "approved": waits}


@requires(Permission.SCHEME_READ)
@require_safe
def mapping(request: Staff, pk: UUID) -> HttpResponse:
    """One proposed or past version, with its test report."""
    row = get_object_or_404(SchemeMapping, pk=pk)
    rules = msgspec.json.format(msgspec.json.encode(row.rules), indent=1).decode()
    context = {**_row(row), "rules": rules, "report": row.test_report, "manages": request.person.may(Permission.SCHEME_MANAGE)}
    return render(request, "console/mapping.html", context)


@requires(Permission.SCHEME_MANAGE)
@action(back="schemes")
def import_labels(request: Staff) -> HttpResponse:
    """Import the labels of a scheme."""
    form = LabelsForm(request.POST)
    if not form.is_valid():
        return _page(request, labels=form, status=422)
    chosen = form.cleaned_data
    try:
        number = do_import_labels(request.person, chosen["scheme"], chosen["version"], chosen["table"].encode())
    except VigilError as error:
        form.add_error("table", str(error))
        return _page(request, labels=form, status=422)
    done(request, f"{number} labels are imported.")
    return redirect("schemes")


@requires(Permission.SCHEME_MANAGE)
@action(back="schemes")
def propose(request: Staff) -> HttpResponse:
    """Propose a mapping or a policy: it is tried on everything, stored with its report, and a second person is asked."""
    form = MappingForm(request.POST)
    if not form.is_valid():
        return _page(request, mapping=form, status=422)
    chosen = form.cleaned_data
    act = do_propose_mapping if chosen["kind"] == Kind.MAPPING else do_propose_policy
    try:
        row, _ = act(request.person, chosen["rules"], chosen["reason"])
    except VigilError as error:
        form.add_error("rules", str(error))
        return _page(request, mapping=form, status=422)
    done(request, "Proposed. A second person is asked; the test report is below.")
    return redirect("mapping", pk=row.pk)


@requires(Permission.SCHEME_MANAGE)
@action(back="schemes")
def propose_recommended(request: Staff) -> HttpResponse:
    """Propose the review policy that follows published practice."""
    if policy_in_force() == recommended():
        raise InputError("policy_in_force", "It is in force already.")
    row, _ = do_propose_policy(request.person, recommended(), "The policy that Vigil recommends, after published practice.")
    done(request, "Proposed. A second person is asked.")
    return redirect("mapping", pk=row.pk)


@requires(Permission.SCHEME_MANAGE)
@action(back="mapping")
def put_in_force(request: Staff, pk: UUID) -> HttpResponse:
    """Put an approved version in force, and compute the axis anew for what is assessed."""
    row = do_put_in_force(request.person, get_object_or_404(SchemeMapping, pk=pk))
    number = do_recompute(request.person, row.axis) if row.kind == Kind.MAPPING else 0
    done(request, f"It is in force. {number} files were computed anew; the old results stay beside the new ones.")
    return redirect("schemes")

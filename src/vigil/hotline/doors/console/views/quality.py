"""Agreement, quality samples and calibration: about labels and schemes, never about a person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import InputError, VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.assessments.quality import (
    agreement,
    agreement_of_files,
    do_check_quality,
    samples_waiting,
    samples_with_result,
)
from vigil.hotline.doors.console.casework_forms import CalibrationForm, CalibrationSetForm
from vigil.hotline.doors.console.forms import AssessmentForm
from vigil.hotline.doors.console.requests import Staff, action, done
from vigil.hotline.doors.console.tiles import data_address
from vigil.hotline.doors.console.views.case import report_by
from vigil.hotline.reviews.actions import do_answer_calibration, do_make_calibration
from vigil.hotline.reviews.calibration import drawing
from vigil.hotline.reviews.models import CalibrationAnswer, CalibrationSet
from vigil.hotline.reviews.queries import calibration_agreement


@requires(Permission.REVIEW_QUALITY)
@require_safe
def quality(request: Staff) -> HttpResponse:
    """Agreement by label, samples that wait, calibration sets."""
    sets = [(one, calibration_agreement(one)) for one in CalibrationSet.objects.order_by("-created_at")[:10]]
    context = {
        "tables": [("pages", agreement()), ("files", agreement_of_files())],
        "waiting": samples_waiting(request.person)[:50],
        "results": samples_with_result()[:20],
        "sets": [(one, found.items()) for one, found in sets],
        "form": CalibrationSetForm(),
    }
    return render(request, "console/quality.html", context)


@requires(Permission.REVIEW_QUALITY)
@require_safe
def sample(request: Staff, pk: UUID) -> HttpResponse:
    """One sample: assessed afresh, without the earlier result."""
    report = report_by(pk)
    return _sample(request, report, AssessmentForm.opened(report.version, None))


def _sample(request: Staff, report: Any, form: AssessmentForm, status: int = 200) -> HttpResponse:
    return render(request, "console/quality_sample.html", {"report": report, "assessment_form": form}, status=status)


@requires(Permission.REVIEW_QUALITY)
@require_POST
def check(request: Staff, pk: UUID) -> HttpResponse:
    """Keep the assessment of a sample; the case itself stays as it is."""
    report, form = report_by(pk), AssessmentForm(request.POST)
    if not form.is_valid():
        return _sample(request, report, form, 422)
    chosen = form.cleaned_data
    try:
        agrees = do_check_quality(request.person, report, form.answers(), chosen["notes"], started_at=chosen["started_at"])
    except VigilError as error:
        form.add_error(None, str(error))
        return _sample(request, report, form, 409)
    done(
        request, "Kept. You agree with the result." if agrees else "Kept. You disagree: open the case again if it should change."
    )
    return redirect("quality")


@requires(Permission.REVIEW_QUALITY)
@action(back="quality")
def make_set(request: Staff) -> HttpResponse:
    """Make a calibration set of drawn shapes."""
    form = CalibrationSetForm(request.POST)
    if not form.is_valid():
        raise InputError("name_missing", "A set has a name.")
    do_make_calibration(request.person, form.cleaned_data["name"])
    done(request, "The set is made. Everybody who assesses finds it under Calibration.")
    return redirect("quality")


@requires(Permission.CONTENT_REVEAL)
@require_safe
def calibration(request: Staff) -> HttpResponse:
    """The next drawn item that this person has not answered."""
    return _item(request)


def _item(request: Staff, form: CalibrationForm | None = None, status: int = 200) -> HttpResponse:
    for chosen in CalibrationSet.objects.filter(closed_at=None).order_by("created_at"):
        answered = set(CalibrationAnswer.objects.filter(set=chosen, person=request.person).values_list("seed", flat=True))
        left = [seed for seed in chosen.seeds if seed not in answered]
        if left:
            picture = data_address(drawing(left[0]))
            context = {
                "set": chosen,
                "picture": picture,
                "left": len(left),
                "form": form or CalibrationForm(initial={"seed": left[0]}),
            }
            return render(request, "console/calibration.html", context, status=status)
    return render(request, "console/calibration.html", {})


@requires(Permission.CONTENT_REVEAL)
@action(back="calibration")
def answer(request: Staff, pk: UUID) -> HttpResponse:
    """Keep an answer."""
    form = CalibrationForm(request.POST)
    if not form.is_valid():
        return _item(request, form, 422)
    chosen = dict(form.cleaned_data)
    seed = chosen.pop("seed")
    do_answer_calibration(request.person, get_object_or_404(CalibrationSet, pk=pk), seed, chosen)
    return redirect("calibration")

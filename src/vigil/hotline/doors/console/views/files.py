"""One file of a case: facts first, then looking in steps, then its assessment; apart from that of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import UnavailableError, VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.assessments.files import severity_of
from vigil.hotline.assessments.grading import do_grade
from vigil.hotline.assessments.models import CaseWarning, MediaAssessment
from vigil.hotline.assessments.reviewing import Review, review_of, review_of_file
from vigil.hotline.assessments.scheme import Stage
from vigil.hotline.doors.console.grading_forms import LADDER, GradeForm, LookForm
from vigil.hotline.doors.console.known import known_files
from vigil.hotline.doors.console.requests import Staff, done, waits
from vigil.hotline.doors.console.sources import bytes_of, source_of
from vigil.hotline.doors.console.tiles import shown
from vigil.hotline.doors.console.views.case import holds, report_by, url_of
from vigil.hotline.reports.models import Media, Report
from vigil.hotline.schemes.models import SchemeLabel
from vigil.hotline.welfare.actions import check_look, do_begin_look, do_end_look
from vigil.hotline.welfare.models import ExposureEvent, Warned
from vigil.hotline.welfare.modes import ViewMode
from vigil.hotline.welfare.queries import preferences_of
from vigil.media import Reason, tile_of

KEYS: Final = {ViewMode.BLUR: "b", ViewMode.SKETCH: "k", ViewMode.REGION: "g", ViewMode.GREYSCALE: "y", ViewMode.FULL: "f"}


@dataclass
class Looked:
    """What a press has shown: the picture as a data address, how, and which row of the ledger it is."""

    picture: str
    mode: ViewMode
    look: ExposureEvent
    frames: int
    at: tuple[int, int]


def _pair(request: Staff, pk: UUID, media: UUID) -> tuple[Report, Media]:
    report = report_by(pk)
    found = Media.objects.filter(sightings__report=report).distinct().prefetch_related("hashes")
    return report, get_object_or_404(found, pk=media)


@requires(Permission.CASE_READ)
@require_safe
def file(request: Staff, pk: UUID, media: UUID) -> HttpResponse:
    """The page of one file: nothing of it is shown until somebody asks."""
    report, found = _pair(request, pk, media)
    asked = _ticket(request, found)
    if asked is None:
        return _page(request, report, found)
    mode, at = asked
    try:
        return _page(request, report, found, looked=_looked(request, report, found, mode, at))
    except VigilError as error:
        waits(request, str(error))
        return _page(request, report, found)


TICKET: Final = "look"


def _ticket(request: Staff, media: Media) -> tuple[ViewMode, tuple[int, int]] | None:
    """The one look that was asked for just before, once: a page that is loaded again shows nothing and costs no look."""
    if request.method != "GET" or not request.person.may(Permission.CONTENT_REVEAL):
        return None
    asked = request.session.pop(TICKET, None)
    if asked is None or asked["media"] != str(media.pk):
        return None
    return ViewMode(asked["mode"]), (asked["x"], asked["y"])


def _page(
    request: Staff, report: Report, media: Media, form: GradeForm | None = None, looked: Looked | None = None,
    *, conflict: bool = False, status: int = 200,
) -> HttpResponse:  # fmt: skip
    person, review = request.person, review_of_file(media)
    rows = list(
        MediaAssessment.objects.filter(media=media)
        .select_related("assessor")
        .prefetch_related("depictions", "legality")
        .order_by("-number")
    )
    hidden = review.hidden_from(person.label) or review_of(report).hidden_from(person.label)
    seen = [row for row in rows if row.created_by == person.label] if hidden else rows
    url = url_of(report)
    context = {
        "report": report,
        "media": media,
        "known": known_files([media])[media.pk],
        "pdq": next((one for one in media.hashes.all() if one.algorithm == "pdq"), None),
        "source": source_of(report, media, url) if person.may(Permission.CONTENT_REVEAL) else "",
        "ladder": [(mode, mode.label, KEYS[mode]) for mode in LADDER],
        "refusal": _look_refusal(request),
        "warnings": [Warned(kind).label for kind in _warnings(request, report)],
        "looked": looked,
        "assessments": [_row(row) for row in seen],
        "hidden": len(rows) - len(seen),
        "review": review,
        "conflict": conflict,
        "form": form or _blank(request, report, media, rows, review),
    }
    return render(request, "console/file.html", context, status=status)


def _row(row: MediaAssessment) -> dict[str, Any]:
    return {"assessment": row, "stage": Stage(row.stage).label, "severity": severity_of(row), "axes": list(row.legality.all()),
            "children": list(row.depictions.all())}  # fmt: skip


def _warnings(request: Staff, report: Report) -> list[str]:
    """What this person opted out of and this case is known to show."""
    wanted = preferences_of(request.person).opt_outs
    return list(CaseWarning.objects.filter(report=report, kind__in=wanted).values_list("kind", flat=True)) if wanted else []


def _look_refusal(request: Staff) -> str:
    try:
        check_look(request.person)
    except VigilError as error:
        return str(error)
    return ""


def _labels() -> list[tuple[str, str]]:
    rows = SchemeLabel.objects.order_by("scheme", "version", "label_id")[:200]
    return [
        (f"{row.scheme}\n{row.version}\n{row.label_id}", f"{row.scheme} {row.version}: {row.text or row.label_id}")
        for row in rows
    ]


def _blank(request: Staff, report: Report, media: Media, rows: list[MediaAssessment], review: Review) -> GradeForm | None:
    if not holds(request, report) or not report.is_open or not request.person.may(Permission.ASSESS):
        return None
    own = next((row for row in rows if row.created_by == request.person.label), None)
    return GradeForm.opened(len(rows), own, _labels())


@requires(Permission.CONTENT_REVEAL)
@require_POST
def look(request: Staff, pk: UUID, media: UUID) -> HttpResponse:
    """Ask for one look in one mode. The page that follows shows it, in that answer only, written down before, and never
    against a break or a limit."""
    report, found = _pair(request, pk, media)
    form = LookForm(request.POST)
    if not form.is_valid():
        return redirect("file", pk=pk, media=media)
    if _warnings(request, report) and not form.cleaned_data["warned"]:
        waits(request, "There is a content warning. Say that you want to look, or give the case back.")
        return redirect("file", pk=pk, media=media)
    place = {name: 50 if form.cleaned_data[name] is None else form.cleaned_data[name] for name in ("x", "y")}
    request.session[TICKET] = {"media": str(found.pk), "mode": ViewMode(form.cleaned_data["mode"]).value, **place}
    return redirect("file", pk=pk, media=media)


def _looked(request: Staff, report: Report, media: Media, mode: ViewMode, at: tuple[int, int]) -> Looked:
    person, chosen = request.person, preferences_of(request.person)
    check_look(person)
    data = bytes_of(person, report, media, url_of(report), mode)
    tile = tile_of(data, side=min(max(chosen.tile_side, 96), 560))
    if isinstance(tile, Reason):
        raise UnavailableError(
            "picture_not_decoded", "This file cannot be shown.", where=tile.value, mend="Decide from the facts."
        )
    begun = do_begin_look(person, media, mode, region=mode is ViewMode.REGION)
    return Looked(shown(tile, mode, blur=chosen.blur, greyscale=chosen.greyscale, at=at), mode, begun, tile.frames, at)


@requires(Permission.CONTENT_REVEAL)
@require_POST
def look_end(request: HttpRequest, look: UUID) -> HttpResponse:
    """How long it was shown, as the browser counted."""
    staff: Any = request
    begun = get_object_or_404(ExposureEvent, pk=look, analyst=staff.person)
    seconds = request.POST.get("seconds", "")
    if seconds.isascii() and seconds.isdigit() and len(seconds) <= 6:
        do_end_look(staff.person, begun, int(seconds))
    return HttpResponse(status=204)


@requires(Permission.ASSESS)
@require_POST
def grade(request: Staff, pk: UUID, media: UUID) -> HttpResponse:
    """Save the assessment of the file; a conflict or a mistake loses nothing."""
    report, found = _pair(request, pk, media)
    form = GradeForm(request.POST, _labels())
    if not form.is_valid():
        return _page(request, report, found, form, status=422)
    chosen = form.cleaned_data
    try:
        made = do_grade(
            request.person, report, found, form.answers(), form.children(), known=chosen["known"],
            started_at=chosen["started_at"], notes=chosen["notes"], imported=form.imported(),
        )  # fmt: skip
    except VigilError as error:
        again = form.renewed(MediaAssessment.objects.filter(media=found).count(), _labels())
        again.is_valid()
        again.add_error(None, str(error))
        return _page(request, report, found, again, conflict=error.code == "file_changed", status=409)
    done(request, f"The file is assessed: assessment {made.number}.")
    return redirect("file", pk=pk, media=media)

"""What people do with a case: take part, reveal, capture, hash, assess, decide."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import InputError, RefusedError, VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.assessments.actions import do_assess, do_reveal
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.assessments.reviewing import review_of
from vigil.hotline.doors.console.forms import (
    AssessmentForm,
    DeskForm,
    FileForm,
    ListingForm,
    PriorityForm,
)
from vigil.hotline.doors.console.limits import FILE_BYTES, FRAME_BYTES
from vigil.hotline.doors.console.requests import Staff, action, done, waits
from vigil.hotline.doors.console.scopes import coverage_named
from vigil.hotline.doors.console.sessions import take_kept_form
from vigil.hotline.doors.console.views.case import Shown, capture_under_way, case_page, choices_for, holds, report_by, url_of
from vigil.hotline.lists.actions import check_decide, do_decline, do_list
from vigil.hotline.lists.enumerations import ListingDecision
from vigil.hotline.lists.guards import preview_of
from vigil.hotline.lists.models import Decision
from vigil.hotline.lists.placement import reason_of
from vigil.hotline.lists.proposals import Proposal, of_media
from vigil.hotline.lists.queries import media_of
from vigil.hotline.reports.actions import (
    do_close,
    do_release,
    do_reopen,
    do_set_priority,
    do_take,
    require_holder,
    require_version,
)
from vigil.hotline.reports.captures import (
    do_hash_file,
    do_request_capture,
)
from vigil.hotline.reports.enumerations import Outcome, Priority
from vigil.hotline.reports.models import Media, Report, Url
from vigil.media import hash_image

# ---- taking part


@requires(Permission.CASE_READ)
@action(back="case")
def take(request: Staff, pk: UUID) -> HttpResponse:
    """Take the case: nobody else can work on it then."""
    do_take(request.person, report_by(pk))
    return redirect("case", pk=pk)


@requires(Permission.CASE_READ)
@action(back="case")
def release(request: Staff, pk: UUID) -> HttpResponse:
    """Give the case back."""
    do_release(request.person, report_by(pk))
    done(request, "The case is free again.")
    return redirect("case", pk=pk)


@requires(Permission.CASE_READ)
@action(back="case")
def reopen(request: Staff, pk: UUID) -> HttpResponse:
    """Put a concluded case back into the queue."""
    do_reopen(request.person, report_by(pk))
    done(request, "The case is open again.")
    return redirect("case", pk=pk)


@requires(Permission.REPORT_TRIAGE)
@action(back="case")
def prioritise(request: Staff, pk: UUID) -> HttpResponse:
    """Set the priority."""
    form = PriorityForm(request.POST)
    _require_valid(form)
    do_set_priority(request.person, report_by(pk), Priority(form.cleaned_data["priority"]))
    done(request, "The priority is set.")
    return redirect("case", pk=pk)


@requires(Permission.REPORT_TRIAGE)
@action(back="case")
def close(request: Staff, pk: UUID) -> HttpResponse:
    """Close a case at the front desk."""
    form = DeskForm(request.POST)
    _require_valid(form)
    do_close(request.person, report_by(pk), Outcome(form.cleaned_data["outcome"]))
    done(request, "The case is closed.")
    return redirect("case", pk=pk)


def _require_valid(form: Any) -> None:
    if not form.is_valid():
        texts = [str(text) for texts in form.errors.values() for text in texts]
        raise InputError("form_incomplete", " ".join(texts), mend="Nothing was changed.")


@requires(Permission.CONTENT_REVEAL)
@require_POST
def reveal(request: Staff, pk: UUID) -> HttpResponse:
    """Show the address, the reporter's words or assessors' notes: on this answer only, and logged before."""
    report = report_by(pk)
    what = request.POST.get("what", "")
    if what == "notes" and review_of(report).hidden_from(request.person.label):
        waits(request, "A blind look is pending: notes are shown once it is done.")
        return redirect("case", pk=pk)
    try:
        do_reveal(request.person, report, what)
    except VigilError as error:
        waits(request, str(error))
        return redirect("case", pk=pk)
    return case_page(request, report, Shown(revealed=frozenset({what})))


# ---- captures and files


@requires(Permission.CAPTURE_REQUEST)
@action(back="case")
def capture(request: Staff, pk: UUID) -> HttpResponse:
    """Ask the worker to visit the page."""
    report = report_by(pk)
    url = url_of(report)
    if url is None:
        raise RefusedError("no_address", "This case has no address that could be captured.")
    steps = tuple(line.strip() for line in request.POST.get("steps", "").splitlines() if line.strip())
    referrer = request.POST.get("referrer", "").strip()
    do_request_capture(request.person, report, url, before=steps, referrer=referrer or None)
    done(request, "The capture is asked for. Its result appears here.")
    return redirect("case", pk=pk)


@requires(Permission.CAPTURE_REQUEST)
@require_safe
def capture_state(request: Staff, pk: UUID) -> HttpResponse:
    """The state of the capture under way, for the script of the case page."""
    return JsonResponse({"state": capture_under_way(report_by(pk))})


class InMemory(MemoryFileUploadHandler):
    """Keeps an upload in memory, up to the limit, whatever the settings say about other doors; never on disk."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None  # noqa: N803 - Django's
    ) -> None:
        self.activated = content_length <= FILE_BYTES.value + FRAME_BYTES.value


# Exempt outside and protected inside: the check against forged forms reads the body, and the body must not be read
# before it is certain that somebody signed in is sending it and that it stays in memory.
@requires(Permission.ASSESS)
@csrf_exempt
def hash_file(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Hash a picture that an analyst hands in, in memory, and drop it."""
    request.upload_handlers = [InMemory(request)]
    return _hash_file(request, pk=pk)


@csrf_protect
@action(back="case")
def _hash_file(request: Staff, pk: UUID) -> HttpResponse:
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        raise InputError(
            "file_missing", "No picture came, or it was too large.",
            mend=f"Choose a picture of up to {FILE_BYTES.value // 1024**2} MiB.",
        )  # fmt: skip
    report = report_by(pk)
    media = do_hash_file(request.person, report, form.cleaned_data["picture"].read(), hash_image)
    done(request, f"File {media.label} is hashed and dropped.")
    return redirect("case", pk=pk)


# ---- assessing and deciding


@requires(Permission.ASSESS)
def assess(request: Staff, pk: UUID) -> HttpResponse:
    """Save an assessment. What does not fit, or comes too late, comes back with every answer still in it."""
    report = report_by(pk)
    if request.method != "POST":
        kept = take_kept_form(request)
        if kept is None or not holds(request, report):
            return redirect("case", pk=pk)
        return case_page(request, report, Shown(assessment=AssessmentForm(kept)))
    form = AssessmentForm(request.POST)
    if not form.is_valid():
        return case_page(request, report, Shown(assessment=form, status=422))
    try:
        assessment = do_assess(
            request.person, report, form.answers(), form.cleaned_data["notes"],
            version=form.cleaned_data["version"], started_at=form.cleaned_data["started_at"],
        )  # fmt: skip
    except RefusedError as error:
        return _refused(request, pk, form, error)
    return _assessed(request, pk, assessment)


def _assessed(request: Staff, pk: UUID, assessment: Assessment) -> HttpResponse:
    if assessment.found:
        done(request, "Saved. The case now waits for a second person, who decides on listing.")
    else:
        done(request, "Saved, and the case is closed.")
    return redirect("case", pk=pk)


def _refused(request: Staff, pk: UUID, form: AssessmentForm, error: RefusedError) -> HttpResponse:
    """The answers again, on the case as it is now; where it is somebody else's by now, they stand below it to copy."""
    report = report_by(pk)
    waits(request, str(error))
    renewed = form.renewed(report.version)
    renewed.is_valid()
    return case_page(request, report, Shown(assessment=renewed, conflict=True, status=409))


@requires(Permission.LISTING_DECIDE)
def decide(request: Staff, pk: UUID) -> HttpResponse:
    """Save a listing decision by a second person."""
    report = report_by(pk)
    if request.method != "POST":
        return redirect("case", pk=pk)
    url, media = url_of(report), list(media_of(report))
    if "preview" in request.POST:
        return _preview(request, report, url, media)
    form = ListingForm(request.POST, choices_for(request, url), media)
    if not form.is_valid():
        return case_page(request, report, Shown(listing=form, status=422))
    try:
        require_holder(request.person, report)
        require_version(report, form.cleaned_data["version"])
        decision = _decide(request, report, url, media, form.cleaned_data)
    except (InputError, RefusedError) as error:
        form.add_error(None, str(error))
        return case_page(request, report, Shown(listing=form, status=409))
    _say_decided(request, decision)
    return redirect("case", pk=pk)


def _preview(request: Staff, report: Report, url: Url | None, media: list[Media]) -> HttpResponse:
    """What the chosen part of the address would match, before anything is decided; on this answer only, and logged before."""
    choices = choices_for(request, url)
    kept = ListingForm(None, choices, media, initial=ListingForm.kept(request.POST))
    choice = next((each for each in choices if each.code == request.POST.get("scope")), None)
    try:
        assessment = check_decide(request.person, report)
        if choice is None:
            raise InputError("scope_unknown", "Choose how much of the address first.", where="scope")
        do_reveal(request.person, report, "address")
    except VigilError as error:
        waits(request, str(error))
        return case_page(request, report, Shown(listing=kept, status=409))
    near = preview_of(choice.proposal, reason_of(assessment.realism))
    return case_page(request, report, Shown(listing=kept, near=(choice, near)))


def _decide(request: Staff, report: Report, url: Url | None, media: list[Media], chosen: dict[str, Any]) -> Decision:
    decision = ListingDecision(chosen["decision"])
    if decision is not ListingDecision.LIST:
        return do_decline(request.person, report, decision, chosen["risk_reason"])
    proposals: list[Proposal] = []
    if url is not None and chosen["scope"]:
        proposals.append(coverage_named(url, chosen["scope"]).proposal)
    proposals += of_media(row for row in media if str(row.pk) in chosen["pictures"])
    return do_list(request.person, report, proposals, wide_scope=chosen["wide_scope"])


def _say_decided(request: Staff, decision: Decision) -> None:
    entries = decision.entries.count()
    if decision.decision == ListingDecision.LIST:
        plural = "entry" if entries == 1 else "entries"
        done(request, f"Decided. {entries} new {plural}; they take effect with the next edition.")
    else:
        done(request, "Decided: not listed. The case is concluded as actioned.")

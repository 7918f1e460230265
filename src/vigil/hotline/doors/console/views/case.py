"""The case page: facts, decision, history; and what people do with a case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from vigil.base.errors import InputError, RefusedError, VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.assessments import scheme
from vigil.hotline.assessments.actions import do_assess, do_reveal
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.assessments.queries import assessors_of
from vigil.hotline.assessments.queries import history as assessments_of
from vigil.hotline.audit.actions import subject_of
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.doors.console import words
from vigil.hotline.doors.console.forms import (
    AssessmentForm,
    DeskForm,
    FileForm,
    ListingForm,
    PriorityForm,
)
from vigil.hotline.doors.console.known import known_address, known_files
from vigil.hotline.doors.console.limits import FILE_BYTES, FRAME_BYTES
from vigil.hotline.doors.console.requests import Staff, action, allowed, done, waits
from vigil.hotline.doors.console.scopes import Coverage, coverage_named, coverages
from vigil.hotline.doors.console.sessions import take_kept_form
from vigil.hotline.lists.actions import check_decide, do_decline, do_list
from vigil.hotline.lists.enumerations import ListingDecision
from vigil.hotline.lists.models import Decision
from vigil.hotline.lists.proposals import Proposal, of_media
from vigil.hotline.lists.queries import entries_of, media_of
from vigil.hotline.reports.actions import (
    check_release,
    check_reopen,
    check_set_priority,
    check_take,
    do_close,
    do_release,
    do_reopen,
    do_set_priority,
    do_take,
    require_holder,
    require_version,
)
from vigil.hotline.reports.captures import (
    captures_on,
    check_request_capture,
    do_hash_file,
    do_request_capture,
)
from vigil.hotline.reports.enumerations import Channel, Outcome, Priority, Status, Theme
from vigil.hotline.reports.fetcher import WORDS as FAILURES
from vigil.hotline.reports.fetcher import Failure
from vigil.hotline.reports.models import Media, Report, Url
from vigil.hotline.reports.models.capture import OPEN as OPEN_CAPTURES
from vigil.media import hash_image

HISTORY_ROWS: Final = 100


@dataclass
class Shown:
    """What the case page shows beyond the facts: forms that came back, and what was revealed."""

    assessment: AssessmentForm | None = None
    listing: ListingForm | None = None
    revealed: frozenset[str] = field(default_factory=frozenset)
    conflict: bool = False
    status: int = 200


@requires(Permission.CASE_READ)
@require_safe
def case(request: Staff, pk: UUID) -> HttpResponse:
    """The case page."""
    report = _report(pk)
    kept = take_kept_form(request)
    if kept is not None and _holds(request, report):
        return _page(request, report, Shown(assessment=AssessmentForm(kept)))
    return _page(request, report, Shown())


def _report(pk: UUID) -> Report:
    return get_object_or_404(Report.objects.select_related("taken_by", "dedupe_of"), pk=pk)


def _url(report: Report) -> Url | None:
    submission = report.submissions.select_related("url").filter(url__isnull=False).first()
    return submission.url if submission else None


def _page(request: Staff, report: Report, shown: Shown) -> HttpResponse:
    url = _url(report)
    media = list(media_of(report))
    context = {
        "report": report,
        "url": url,
        "status": words.STATUS[Status(report.status)],
        "priority": words.PRIORITY[Priority(report.priority)],
        "facts": _facts(report),
        "outcome": scheme.OUTCOMES.get(Outcome(report.outcome), report.outcome) if report.outcome else "",
        "submissions": report.submissions.all(),
        "duplicates": report.duplicates.only("id", "ref", "received_at"),
        "same_host": _same_host(report, url),
        "known": known_address(url) if url else [],
        "files": _files(media),
        "captures": _captures(report),
        "capture_under_way": _under_way(report) if request.person.may(Permission.CAPTURE_REQUEST) else "",
        "entries": entries_of(report),
        "decisions": _decisions(report),
        "assessments": assessments_of(report),
        "history": _history(report),
        "revealed": shown.revealed,
        "coverages": _choices(request, url) if "address" in shown.revealed else [],
        "conflict": shown.conflict,
        "captures_on": captures_on(),
        **_may(request, report, url),
        **_decision_forms(request, report, url, media, shown),
    }
    return render(request, "console/case.html", context, status=shown.status)


def _facts(report: Report) -> list[tuple[str, str]]:
    """What is known without opening anything."""
    return [
        ("Came in by", Channel(report.channel).value.replace("_", " ")),
        ("Said to be", words.THEME[Theme(report.theme_claimed)] if report.theme_claimed else "not said"),
        ("AI, as claimed", ", ".join(nexus.value.replace("_", " ") for nexus in report.nexus) or "not said"),
        ("Language", report.language or "not said"),
        ("Reported again", f"{report.repeats} more" if report.repeats else "no"),
    ]


def _same_host(report: Report, url: Url | None) -> list[tuple[str, int]]:
    """How other cases at the same host stand: (status in words, number). The host itself is not shown."""
    if url is None:
        return []
    others = Report.objects.filter(submissions__url__host=url.host, dedupe_of=None).exclude(pk=report.pk)
    counts = others.values_list("status").annotate(number=Count("pk", distinct=True)).order_by("status")
    return [(words.STATUS[Status(status)].text, number) for status, number in counts]


def _files(media: list[Media]) -> list[dict[str, Any]]:
    known = known_files(media)
    return [
        {
            "media": row,
            "pdq": next((h for h in row.hashes.all() if h.algorithm == "pdq"), None),
            "known": known[row.pk],
        }
        for row in media
    ]


def _captures(report: Report) -> list[dict[str, Any]]:
    return [
        {"capture": row, "tag": words.CAPTURE[row.status], "failure": FAILURES[Failure(row.failure)] if row.failure else ""}
        for row in report.captures.order_by("-created_at")
    ]


def _decisions(report: Report) -> list[dict[str, Any]]:
    found = Decision.objects.filter(report=report).order_by("-created_at")
    return [
        {
            "decision": row,
            "text": words.DECISION.get(ListingDecision(row.decision), row.decision),
            "by": words.actor(row.created_by),
        }
        for row in found
    ]


def _history(report: Report) -> list[dict[str, Any]]:
    """What happened with this case, from the audit log, the latest first."""
    parts = [report, *report.captures.all(), *assessments_of(report), *Decision.objects.filter(report=report)]
    events = AuditEvent.objects.filter(subject__in=[subject_of(part) for part in parts]).order_by("-seq")
    return [
        {"event": event, "who": words.actor(event.actor), "text": words.act(event.code)}
        for event in events[:HISTORY_ROWS]
    ]


def _holds(request: Staff, report: Report) -> bool:
    return report.taken_by_id == request.person.pk


def _may(request: Staff, report: Report, url: Url | None) -> dict[str, bool]:
    person = request.person
    return {
        "holds": _holds(request, report),
        "can_take": not _holds(request, report) and allowed(check_take, person, report),
        "can_release": allowed(check_release, person, report),
        "can_reopen": allowed(check_reopen, person, report),
        "can_capture": url is not None and allowed(check_request_capture, person, report, url),
        "can_hash": report.is_open and person.may(Permission.ASSESS),
        "can_reveal": person.may(Permission.CONTENT_REVEAL),
        "can_prioritise": allowed(check_set_priority, person, report),
        "can_close": _holds(request, report) and not person.may(Permission.ASSESS) and person.may(Permission.REPORT_TRIAGE),
    }


def _decision_forms(
    request: Staff, report: Report, url: Url | None, media: list[Media], shown: Shown
) -> dict[str, Any]:
    """What stands on the right: the listing decision for a second person, the assessment, or what it waits for."""
    person, forms = request.person, dict[str, Any]()
    forms["priority_form"] = PriorityForm(initial={"priority": report.priority})
    forms["desk_form"], forms["file_form"] = DeskForm(), FileForm()
    forms["assessed_it"] = person.label in assessors_of(report)
    if not _holds(request, report):
        return forms | ({"assessment_form": shown.assessment} if shown.assessment else {})
    if shown.listing or allowed(check_decide, person, report):
        choices = _choices(request, url)
        forms["listing_form"] = shown.listing or ListingForm(
            None, choices, media, initial={"version": report.version, "scope": "url" if url else ""}
        )
    if person.may(Permission.ASSESS):
        before = assessments_of(report)
        forms["assessment_form"] = shown.assessment or AssessmentForm.opened(report.version, before[0] if before else None)
    return forms


def _choices(request: Staff, url: Url | None) -> list[Coverage]:
    """How much of the address this person may list."""
    wide = request.person.may(Permission.WIDE_SCOPE_APPROVE)
    return [choice for choice in coverages(url) if wide or not choice.wide] if url else []


# ---- taking part


@requires(Permission.CASE_READ)
@action(back="case")
def take(request: Staff, pk: UUID) -> HttpResponse:
    """Take the case: nobody else can work on it then."""
    do_take(request.person, _report(pk))
    return redirect("case", pk=pk)


@requires(Permission.CASE_READ)
@action(back="case")
def release(request: Staff, pk: UUID) -> HttpResponse:
    """Give the case back."""
    do_release(request.person, _report(pk))
    done(request, "The case is free again.")
    return redirect("case", pk=pk)


@requires(Permission.CASE_READ)
@action(back="case")
def reopen(request: Staff, pk: UUID) -> HttpResponse:
    """Put a concluded case back into the queue."""
    do_reopen(request.person, _report(pk))
    done(request, "The case is open again.")
    return redirect("case", pk=pk)


@requires(Permission.REPORT_TRIAGE)
@action(back="case")
def prioritise(request: Staff, pk: UUID) -> HttpResponse:
    """Set the priority."""
    form = PriorityForm(request.POST)
    _require_valid(form)
    do_set_priority(request.person, _report(pk), Priority(form.cleaned_data["priority"]))
    done(request, "The priority is set.")
    return redirect("case", pk=pk)


@requires(Permission.REPORT_TRIAGE)
@action(back="case")
def close(request: Staff, pk: UUID) -> HttpResponse:
    """Close a case at the front desk."""
    form = DeskForm(request.POST)
    _require_valid(form)
    do_close(request.person, _report(pk), Outcome(form.cleaned_data["outcome"]))
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
    report = _report(pk)
    what = request.POST.get("what", "")
    try:
        do_reveal(request.person, report, what)
    except VigilError as error:
        waits(request, str(error))
        return redirect("case", pk=pk)
    return _page(request, report, Shown(revealed=frozenset({what})))


# ---- captures and files


@requires(Permission.CAPTURE_REQUEST)
@action(back="case")
def capture(request: Staff, pk: UUID) -> HttpResponse:
    """Ask the worker to visit the page."""
    report = _report(pk)
    url = _url(report)
    if url is None:
        raise RefusedError("no_address", "This case has no address that could be captured.")
    do_request_capture(request.person, report, url)
    done(request, "The capture is asked for. Its result appears here.")
    return redirect("case", pk=pk)


@requires(Permission.CAPTURE_REQUEST)
@require_safe
def capture_state(request: Staff, pk: UUID) -> HttpResponse:
    """The state of the capture under way, for the script of the case page."""
    return JsonResponse({"state": _under_way(_report(pk))})


def _under_way(report: Report) -> str:
    row = report.captures.filter(status__in=OPEN_CAPTURES).first()
    return str(row.status) if row else ""


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
    report = _report(pk)
    media = do_hash_file(request.person, report, form.cleaned_data["picture"].read(), hash_image)
    done(request, f"File {media.label} is hashed and dropped.")
    return redirect("case", pk=pk)


# ---- assessing and deciding


@requires(Permission.ASSESS)
def assess(request: Staff, pk: UUID) -> HttpResponse:
    """Save an assessment. What does not fit, or comes too late, comes back with every answer still in it."""
    report = _report(pk)
    if request.method != "POST":
        kept = take_kept_form(request)
        if kept is None or not _holds(request, report):
            return redirect("case", pk=pk)
        return _page(request, report, Shown(assessment=AssessmentForm(kept)))
    form = AssessmentForm(request.POST)
    if not form.is_valid():
        return _page(request, report, Shown(assessment=form, status=422))
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
    report = _report(pk)
    waits(request, str(error))
    renewed = form.renewed(report.version)
    renewed.is_valid()
    return _page(request, report, Shown(assessment=renewed, conflict=True, status=409))


@requires(Permission.LISTING_DECIDE)
def decide(request: Staff, pk: UUID) -> HttpResponse:
    """Save a listing decision by a second person."""
    report = _report(pk)
    if request.method != "POST":
        return redirect("case", pk=pk)
    url, media = _url(report), list(media_of(report))
    form = ListingForm(request.POST, _choices(request, url), media)
    if not form.is_valid():
        return _page(request, report, Shown(listing=form, status=422))
    try:
        require_holder(request.person, report)
        require_version(report, form.cleaned_data["version"])
        decision = _decide(request, report, url, media, form.cleaned_data)
    except (InputError, RefusedError) as error:
        form.add_error(None, str(error))
        return _page(request, report, Shown(listing=form, status=409))
    _say_decided(request, decision)
    return redirect("case", pk=pk)


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

"""Reports from partners: one, many at once, and what became of them."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from vigil.base.errors import InputError, VigilError
from vigil.base.limits import JSON_BODY_BYTES
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import open_to_all, requires
from vigil.hotline.doors.errors import problem, problem_of
from vigil.hotline.doors.partner.openapi import document
from vigil.hotline.doors.partner.wire import REPORT_BYTES, Line, arrival_of, read_lines, read_one
from vigil.hotline.partners.models import Sender
from vigil.hotline.reports.enumerations import Status
from vigil.hotline.reports.intake import Read, check_submit, do_submit_reports
from vigil.hotline.reports.models import Report
from vigil.hotline.reports.once import answer_once, submit_once
from vigil.hotline.reports.queries import public_state_of
from vigil.hotline.reports.references import read_reference

JSON: Final = "application/json"
LINES: Final = ("application/x-ndjson", "text/csv")


def sender_of(request: HttpRequest) -> Sender:
    """The sender that the closed door let in."""
    sender: Sender = request.person  # type: ignore[attr-defined]
    return sender


def only(methods: str) -> HttpResponseBase:
    """405, naming the methods that are used here."""
    answer = problem(405)
    answer["Allow"] = methods
    return answer


def bounded(request: HttpRequest, types: tuple[str, ...], limit: int) -> HttpResponseBase | None:
    """The refusal of a body of another type, or of one that is too large, before it is read; None where it may be read."""
    if request.content_type not in types:
        return problem(415)
    length = request.headers.get("Content-Length", "")
    return problem(413) if length.isdigit() and int(length) > limit else None


def key_in(request: HttpRequest) -> str:
    """The idempotency key that came along."""
    return request.headers.get("Idempotency-Key", "")


@requires(Permission.REPORT_SUBMIT)
@csrf_exempt  # a bearer token is not sent by a browser on its own
def report(request: HttpRequest) -> HttpResponseBase:
    """``POST /v1/reports``: one report as JSON."""
    if request.method != "POST":
        return only("POST")
    if (refusal := bounded(request, (JSON,), REPORT_BYTES.value)) is not None:
        return refusal
    sender = sender_of(request)
    try:
        read = check_submit(sender, arrival_of(read_one(request.body), sender))
        done = submit_once(sender, read, key_in(request), request.body, _receipt)
    except VigilError as error:
        return problem_of(error, 422 if error.http_status == 400 and error.code != "json_malformed" else None)
    answer = JsonResponse(done.answer, status=200 if done.again else 201)
    if done.again:
        answer["Idempotent-Replay"] = "true"
    return answer


def _receipt(report: Report) -> dict[str, Any]:
    standing = report.dedupe_of or report
    return {
        "ref": report.ref,
        "duplicate": report.dedupe_of is not None,
        "state": public_state_of(Status(standing.status)).value,
    }


@requires(Permission.REPORT_SUBMIT_BULK)
@csrf_exempt  # as above
def bulk(request: HttpRequest) -> HttpResponseBase:
    """``POST /v1/reports/bulk``: many reports as JSON lines or CSV. Good lines are kept, whatever the others hold."""
    if request.method != "POST":
        return only("POST")
    if (refusal := bounded(request, LINES, JSON_BODY_BYTES.value)) is not None:
        return refusal
    sender, body = sender_of(request), request.body
    try:
        lines = read_lines(body, request.content_type or "")
        done = answer_once(sender, key_in(request), body, lambda: _take_lines(sender, lines))
    except VigilError as error:
        return problem_of(error)
    answer = JsonResponse(done.answer)
    if done.again:
        answer["Idempotent-Replay"] = "true"
    return answer


def _take_lines(sender: Sender, lines: list[Line]) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    reads: list[Read] = []
    places: list[int] = []
    for line in lines:
        read, refusal = _checked(sender, line)
        if read is not None:
            reads.append(read)
            places.append(len(results))
        results.append({"line": line.number} | refusal)
    for place, made in zip(places, do_submit_reports(sender, reads), strict=True):
        results[place] |= {"ref": made.ref, "duplicate": made.dedupe_of_id is not None}
    duplicates = sum(1 for result in results if result.get("duplicate"))
    return {
        "accepted": len(reads),
        "duplicates": duplicates,
        "refused": len(lines) - len(reads),
        "results": results,
    }


def _checked(sender: Sender, line: Line) -> tuple[Read | None, dict[str, Any]]:
    if line.body is None:
        return None, {"code": line.code, "where": line.where}
    try:
        return check_submit(sender, arrival_of(line.body, sender)), {}
    except InputError as error:
        return None, {"code": error.code, "where": error.where}


@requires(Permission.REPORT_STATUS)
@csrf_exempt  # as above
def state(request: HttpRequest, ref: str) -> HttpResponseBase:
    """``GET /v1/reports/{ref}``: what became of one of the sender's own reports, in the words a reporter is told."""
    if request.method not in {"GET", "HEAD"}:
        return only("GET, HEAD")
    try:
        reference = read_reference(ref)
    except InputError:
        return problem(404)
    row = Report.objects.filter(ref=reference, sender=sender_of(request)).select_related("dedupe_of").first()
    if row is None:
        return problem(404)
    standing = row.dedupe_of or row
    return JsonResponse({"ref": row.ref, "state": public_state_of(Status(standing.status)).value, "partner_ref": row.partner_ref})


@open_to_all("The description of the interface: what anybody may read in the repository; no data.")
@csrf_exempt  # nothing is changed here
def openapi(request: HttpRequest) -> HttpResponseBase:
    """``GET /v1/openapi.json``."""
    if request.method not in {"GET", "HEAD"}:
        return only("GET, HEAD")
    return JsonResponse(document())

"""Children's cases from service partners: hand over, and what the child is told."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt

from vigil.base.clock import text_of
from vigil.base.errors import InputError, VigilError
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.doors.child_words import OUTCOMES
from vigil.hotline.doors.errors import problem_of
from vigil.hotline.doors.partner.reports import JSON, bounded, key_in, only, sender_of
from vigil.hotline.doors.partner.wire import REPORT_BYTES, ChildBody, child_items, read_child
from vigil.hotline.reports.children import HandOver, do_hand_over, do_read_outcome
from vigil.hotline.reports.enumerations import ChildOutcome
from vigil.hotline.reports.models import ChildCase
from vigil.hotline.reports.once import answer_once


@requires(Permission.CHILD_HAND_OVER)
@csrf_exempt  # a bearer token is not sent by a browser on its own
def hand_over(request: HttpRequest) -> HttpResponseBase:
    """``POST /v1/child-cases``: open the case of a child."""
    if request.method != "POST":
        return only("POST")
    if (refusal := bounded(request, (JSON,), REPORT_BYTES.value)) is not None:
        return refusal
    service = sender_of(request)
    try:
        body = read_child(request.body)
        done = answer_once(service, key_in(request), request.body, lambda: _opened(*do_hand_over(service, _hand_over(body))))
    except InputError as error:
        return problem_of(error, 409 if error.code == "case_number_taken" else None)
    except VigilError as error:
        return problem_of(error)
    return JsonResponse(done.answer, status=200 if done.again else 201)


def _hand_over(body: ChildBody) -> HandOver:
    return HandOver(
        case_number=body.case_number,
        age_range=body.age_range,
        age_assurance=body.age_assurance,
        extortion=body.extortion_indicated,
        language=body.language,
        country=body.country,
        items=child_items(body),
    )


def _opened(case: ChildCase, code: str) -> dict[str, Any]:
    until = text_of(case.code_until) if case.code_until else ""
    return {"case_number": case.case_number, "state": state_of(case), "code": code, "code_until": until}


def state_of(case: ChildCase) -> str:
    """``waiting`` for the child, ``received``, or ``answered``."""
    if case.child_outcome:
        return "answered"
    return "received" if case.report_id else "waiting"


@requires(Permission.CHILD_OUTCOME_READ)
@csrf_exempt  # nothing is taken in here
def outcome(request: HttpRequest, case_number: str) -> HttpResponseBase:
    """``GET /v1/child-cases/{case_number}?language=nl``: the state, and the words for the child once there is an outcome."""
    if request.method not in {"GET", "HEAD"}:
        return only("GET, HEAD")
    try:
        case = do_read_outcome(sender_of(request), case_number)
    except InputError as error:
        return problem_of(error, 404)
    known = {code for code, _ in settings.LANGUAGES}
    language = request.GET.get("language", "en")
    language = language if language in known else "en"
    words = ""
    if case.child_outcome:
        with translation.override(language):
            words = str(OUTCOMES[ChildOutcome(case.child_outcome)])
    answer = {"case_number": case.case_number, "state": state_of(case), "outcome": case.child_outcome}
    return JsonResponse(answer | {"language": language, "words": words})

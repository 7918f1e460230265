"""Counts in, editions out."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from vigil.base.errors import RefusedError, VigilError
from vigil.editions.certificate import REPORT_BYTES
from vigil.editions.node_signatures import HEADER
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.doors.errors import problem, problem_of
from vigil.hotline.doors.partner.ballots import VOTES_BYTES, take_votes
from vigil.hotline.doors.partner.repository import answer_with_branch, answer_with_file
from vigil.hotline.partners.models import Node
from vigil.hotline.statistics.carried import do_take_carried, is_carried
from vigil.hotline.statistics.certificates import do_take_certificate
from vigil.hotline.statistics.counts import VECTOR_BYTES, do_take_counts
from vigil.hotline.statistics.matches import BODY_BYTES, do_take_matches

JSON: Final = "application/json"


def node_of(request: HttpRequest) -> Node:
    """The node that the closed door let in."""
    node: Node = request.person  # type: ignore[attr-defined]
    return node


@requires(Permission.COUNTS_SEND)
@csrf_exempt  # a bearer token is not sent by a browser on its own
def counts(request: HttpRequest) -> HttpResponseBase:
    """``POST /v1/counts``: one vector, of an hour, or of small numbers carried into a day or a week."""
    if request.method != "POST":
        return _only("POST")
    if request.content_type != JSON:
        return problem(415)
    if len(request.body) > VECTOR_BYTES.value:
        return problem(413)
    try:
        revision, fresh = _taken(node_of(request), request.body, request.headers.get(HEADER, ""))
    except VigilError as error:
        return problem_of(error)
    return JsonResponse({"kept": True, "revision": revision}, status=201 if fresh else 200)


def _taken(node: Node, body: bytes, signature: str) -> tuple[int, bool]:
    """The revision that is kept, and whether it is new."""
    if is_carried(body):
        return 0, do_take_carried(node, body, signature)
    taken = do_take_counts(node, body, signature)
    return taken.vector.revision, taken.fresh


@requires(Permission.EDITION_FETCH)
@csrf_exempt  # as above
def edition_file(request: HttpRequest, folder: str, name: str) -> HttpResponseBase:
    """``GET /editions/metadata/…`` and ``/editions/targets/…``: one file of the published edition folder."""
    if request.method not in {"GET", "HEAD"}:
        return _only("GET, HEAD")
    try:
        return answer_with_file(node_of(request), folder, name)
    except RefusedError as error:
        return problem_of(error)


@requires(Permission.EDITION_FETCH)
@csrf_exempt  # as above
def branch_file(request: HttpRequest, branch: str, owner: str, name: str) -> HttpResponseBase:
    """``GET /editions/targets/lists/…`` and ``/editions/targets/partners/…``: one file of a branch."""
    if request.method not in {"GET", "HEAD"}:
        return _only("GET, HEAD")
    try:
        return answer_with_branch(node_of(request), branch, owner, name)
    except RefusedError as error:
        return problem_of(error)


@requires(Permission.COUNTS_SEND)
@csrf_exempt  # as above
def matches(request: HttpRequest) -> HttpResponseBase:
    """``POST /v1/matches``: entries that matched far too often in one hour."""
    if (refusal := _refused(request, BODY_BYTES.value)) is not None:
        return refusal
    try:
        held = do_take_matches(node_of(request), request.body)
    except VigilError as error:
        return problem_of(error)
    return JsonResponse({"kept": True, "held": held})


@requires(Permission.VOTE_SEND)
@csrf_exempt  # as above
def votes(request: HttpRequest) -> HttpResponseBase:
    """``POST /v1/votes``: what a partner thinks of matches it has seen, 1 to 1000 at once."""
    if (refusal := _refused(request, VOTES_BYTES.value)) is not None:
        return refusal
    try:
        results = take_votes(node_of(request), request.body)
    except VigilError as error:
        return problem_of(error)
    return JsonResponse({"votes": results})


def _refused(request: HttpRequest, limit: int) -> HttpResponseBase | None:
    """The answer to what is no JSON sent by POST, or too long; None where the body may be read."""
    if request.method != "POST":
        return _only("POST")
    if request.content_type != JSON:
        return problem(415)
    return problem(413) if len(request.body) > limit else None


@requires(Permission.COUNTS_SEND)
@csrf_exempt  # as above
def certificates(request: HttpRequest) -> HttpResponseBase:
    """``POST /v1/certificates``: the signed report of a node's self-test."""
    if (refusal := _refused(request, REPORT_BYTES)) is not None:
        return refusal
    try:
        taken = do_take_certificate(node_of(request), request.body)
    except VigilError as error:
        return problem_of(error)
    return JsonResponse({"kept": True, "good": taken.good}, status=201)


def _only(methods: str) -> HttpResponseBase:
    answer = problem(405)
    answer["Allow"] = methods
    return answer

"""What the routes for banks share: JSON in, JSON out, one shape of error, as clients of Hasher-Matcher-Actioner expect.

Every error has ``{"message", "code"}``; bad input never gives a status of 500 and above.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from vigil.base.errors import InputError, VigilError
from vigil.base.limits import JSON_BODY_BYTES
from vigil.hotline.access.people import Person
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.doors import errors

PREFIX: Final = "/c/"
TRUE: Final = frozenset({"true", "1", "yes", "on", "t", "y"})
FALSE: Final = frozenset({"false", "0", "no", "off", "f", "n"})
_DIGITS: Final = re.compile("[0-9]+")
_LONGEST_NUMBER: Final = 18  # digits of a length that anybody could send
_HALF_A_PAIR: Final = re.compile(r"\\u[dD][89a-fA-F]")  # may stand alone, where no text in UTF-8 has it
View = Callable[..., HttpResponse]


class Answered(VigilError):  # noqa: N818  named as the other refusals are
    """A refusal with a status of its own."""

    def __init__(self, status: int, code: str, what: str, *, where: str = "") -> None:
        super().__init__(code, what, where=where)
        self.http_status = status  # type: ignore[misc]


def said(document: Any, status: int = 200) -> HttpResponse:
    """A JSON answer: keys sorted, one line, no value that is not JSON."""
    body = json.dumps(document, sort_keys=True, allow_nan=False) + "\n"
    return HttpResponse(body, status=status, content_type="application/json")


def refusal(status: int, code: str, message: str, **more: Any) -> HttpResponse:
    """An error."""
    return said({"message": message, "code": code, **more}, status)


def curation(permission: Permission = Permission.BANK_READ, **methods: View) -> Any:
    """One address: a view for each method, behind a token with ``permission``, where banks are switched on."""

    @requires(permission)
    @csrf_exempt  # a bearer token is not sent by a browser on its own
    def view(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if settings.CONFIG.banks is None:
            return refusal(404, "banks_off", "Banks are switched off.")
        if any(isinstance(value, str) and "\0" in value for value in arguments.values()):
            return refusal(404, "name_unknown", "There is nothing of that name.")  # no database could hold it
        chosen = methods.get("GET" if request.method == "HEAD" else request.method or "")
        if chosen is None:
            asked = request.method == "OPTIONS"
            answer = HttpResponse() if asked else refusal(405, "method_not_allowed", "This address does not take this method.")
            answer["Allow"] = ", ".join(sorted({*methods, "OPTIONS", *(("HEAD",) if "GET" in methods else ())}))
            return answer
        try:
            return chosen(request, **arguments)
        except VigilError as error:
            return refusal(error.http_status, error.code, str(error))
        except (OperationalError, InterfaceError):
            return refusal(503, "database_unavailable", "The database does not answer at the moment.")

    return view


def person_at(request: HttpRequest) -> Person:
    """Who the closed door let in."""
    person: Person = request.person  # type: ignore[attr-defined]
    return person


def body_of(request: HttpRequest, most: int) -> bytes:
    """The whole body within a bound, which the server holds in memory already."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if _DIGITS.fullmatch(length) and (len(length) > _LONGEST_NUMBER or int(length) > most):
        raise Answered(413, "body_too_large", f"At most {most} bytes are taken.")
    data = request.read(most + 1)
    if len(data) > most:
        raise Answered(413, "body_too_large", f"At most {most} bytes are taken.")
    return data


def json_of(request: HttpRequest) -> Any:
    """The JSON body. 415 for another kind, 400 for what is no JSON."""
    if request.content_type != "application/json":
        raise Answered(415, "media_type", "Send application/json.")
    return parsed(body_of(request, JSON_BODY_BYTES.value))


def parsed(data: bytes) -> Any:
    """Strict JSON: UTF-8, also in what is escaped, and no number that is not finite."""
    try:
        text = data.decode("utf-8")
        found = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if _HALF_A_PAIR.search(text):
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except (ValueError, RecursionError):
        raise InputError("json_malformed", "The body is not valid JSON.") from None


def object_of(request: HttpRequest) -> dict[str, Any]:
    """The JSON body where it is an object; 400 otherwise."""
    document = json_of(request)
    if not isinstance(document, dict):
        raise InputError("json_object", "The body is not a JSON object.")
    return document


def model_of(request: HttpRequest) -> dict[str, Any]:
    """The body of a route whose shape is checked: 422 where it is no object."""
    document = json_of(request)
    if not isinstance(document, dict):
        raise Answered(422, "body_shape", "The body is not an object.", where="body")
    return document


def number_in(document: dict[str, Any], name: str) -> float | None:
    """A number, or one written as text; 422 for anything else, 400 where it is not finite."""
    value = document.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise Answered(422, "body_shape", "This is not a number.", where=name) from None
    if not math.isfinite(number):
        raise InputError("ratio_range", "The number is not finite.", where=name)
    return number


def truth_in(document: dict[str, Any], name: str) -> bool | None:
    """True or false in the usual writings; 422 for anything else."""
    value = document.get(name)
    if value is None or isinstance(value, bool):
        return value
    word = str(value).lower() if isinstance(value, int | str) else ""
    if word not in TRUE | FALSE:
        raise Answered(422, "body_shape", "This is neither true nor false.", where=name)
    return word in TRUE


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


# ---- what the door says where no view ran


def _shown(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Below ``/c/`` in the shape its clients know; a problem document elsewhere."""
    if not request.path_info.startswith(PREFIX):
        return answer
    document = json.loads(answer.content)
    shown = refusal(answer.status_code, document["code"], document["title"])
    for name in ("WWW-Authenticate", "Allow"):
        if name in answer:
            shown[name] = answer[name]
    return shown


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 or 413."""
    return _shown(request, errors.bad_request(request, exception))


def refused(request: HttpRequest, exception: PermissionDenied) -> HttpResponse:
    """403 or 401."""
    return _shown(request, errors.refused(request, exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404."""
    return _shown(request, errors.not_found(request, exception))


def broken(request: HttpRequest) -> HttpResponse:
    """500."""
    return _shown(request, errors.broken(request))


class OneSlash:
    """Paths that begin with several slashes mean the same with one: clients with a base address that ends in one send them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("//"):
            request.path_info = "/" + request.path_info.lstrip("/")
            request.path = request.path_info
        return self.get_response(request)

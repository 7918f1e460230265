"""Who asks, in whatever way each form's clients prove it; and what is shared by the forms."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from vigil.base.errors import RefusedError, VigilError
from vigil.editions.export.model import Leftover, leftovers_csv
from vigil.hotline.access.clock import now
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.rules import requires
from vigil.hotline.doors.errors import problem, problem_of
from vigil.hotline.lists.exchange import journal
from vigil.hotline.lists.exchange.unsaid import words_unsaid
from vigil.hotline.partners.agreements import require_some_agreement
from vigil.hotline.partners.models import Node
from vigil.hotline.partners.tokens import digest_of

PREFIX: Final = "/exchange/"
BASIC: Final = re.compile(r"Basic ([A-Za-z0-9+/=]{1,600})", re.IGNORECASE)
NUMBERED: Final = re.compile(r"[0-9]{1,20}(?:\||%7C)(.{1,200})")
View = Callable[..., HttpResponseBase]


def node_of(request: HttpRequest) -> Node | None:
    """The node whose token the request carries as a client of one of the forms sends it; None elsewhere and without one."""
    if not request.path_info.startswith(PREFIX):
        return None
    name, token = _presented(request)
    if not token:
        return None
    node = Node.objects.filter(token_digest=digest_of(token)).first()
    if node is None or not node.in_force(now()) or name not in (None, node.name):
        return None
    return node


def _presented(request: HttpRequest) -> tuple[str | None, str]:
    """(name, token): by Basic authentication, by a key header, or by ``access_token`` where a form's clients know no better."""
    found = BASIC.fullmatch(request.headers.get("Authorization", "").strip())
    if found:
        try:
            name, _, token = base64.b64decode(found[1], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None, ""
        return name, token
    key = request.headers.get("X-Functions-Key", "")
    if key:
        return None, key
    if request.path_info.startswith(f"{PREFIX}threatexchange/"):
        numbered = NUMBERED.fullmatch(request.GET.get("access_token", ""))
        return None, numbered[1] if numbered else ""
    return None, ""


def service(*methods: str, permission: Permission = Permission.EDITION_FETCH) -> Callable[[View], View]:
    """A view of a form: these methods, a node with ``permission`` and, where it is a partner's, an agreement in force."""

    def decorate(view: View) -> View:
        @requires(permission)
        @csrf_exempt  # tokens are not sent by a browser on its own
        @wraps(view)
        def asked(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
            if request.method not in methods:
                answer: HttpResponseBase = problem(405)
                answer["Allow"] = ", ".join(methods)
                return answer
            try:
                node = asking(request)
                if node.partner:
                    require_some_agreement(node.partner)
                answer = view(request, **arguments)
            except RefusedError as error:
                return problem_of(error)
            except VigilError as error:
                return problem_of(error, 400)
            answer["Cache-Control"] = "no-store"
            return answer

        return asked

    return decorate


def asking(request: HttpRequest) -> Node:
    """The node that the closed door let in."""
    person = request.person  # type: ignore[attr-defined]
    if not isinstance(person, Node):
        raise RefusedError("not_a_node", "These lists are for nodes.")
    return person


def known_list(node: Node, name: str) -> bool:
    """Whether this audience has, or had, anything on a list of that name."""
    return name in journal.lists_of(node.partner)


def number_in(text: str, default: int, most: int) -> int:
    """A number of a query, within bounds; the default where there is none."""
    return min(max(int(text), 0), most) if text.isascii() and text.isdigit() and len(text) < 16 else default


def mark_of(place: journal.Place | None) -> str:
    """A place as it travels in links."""
    return "" if place is None else f"{place.round}.{place.entry}"


def place_in(text: str) -> journal.Place | None:
    """A place from a link; None where there is none that can be read."""
    found = re.fullmatch(r"([0-9]{1,18})\.([0-9]{1,19})", text)
    return journal.Place(int(found[1]), int(found[2])) if found else None


def left_without_form(node: Node, name: str) -> HttpResponse:
    """The report on a list that no form can say anything of, a list of words; 404 where the audience has no such list."""
    words = [each for each in words_unsaid(node.partner, now()) if each.list == name]
    return left_over(words) if words else problem(404)


def left_over(missing: Iterable[Leftover]) -> HttpResponse:
    """The report of what a form could not say."""
    return HttpResponse(leftovers_csv(sorted(set(missing))), content_type="text/csv; charset=utf-8")


def whole_seconds(moment: datetime) -> int:
    return int(moment.timestamp())

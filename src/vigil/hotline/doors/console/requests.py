"""What views are handed, and how an action that is refused goes back to its page."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from vigil.base.errors import VigilError
from vigil.hotline.access.models import User
from vigil.hotline.doors import errors


class Staff(HttpRequest):
    """A request that came through the closed door: ``person`` is who asks."""

    person: User


class PlainProblems:
    """An error of ours that no view took up becomes a plain page with its status, never a broken one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return errors.page(request, exception.http_status) if isinstance(exception, VigilError) else None


Act = Callable[..., HttpResponse]


def action(back: str, *, keep: Collection[str] | None = None) -> Callable[[Act], Act]:
    """A view that changes something: POST only; a refusal is shown on the page named ``back``, which takes the same arguments,
    or of them those named in ``keep``."""

    def decorate(view: Act) -> Act:
        @wraps(view)
        def acted(request: HttpRequest, **arguments: Any) -> HttpResponse:
            try:
                return view(request, **arguments)
            except VigilError as error:
                waits(request, str(error))
                answer: HttpResponse = redirect(back, **{name: arguments[name] for name in (arguments if keep is None else keep)})
                return answer

        post_only: Act = require_POST(acted)
        return post_only

    return decorate


def allowed(check: Callable[..., object], *arguments: object) -> bool:
    """Whether an action would be let through now: what would only lead to a refusal is not offered."""
    try:
        check(*arguments)
    except VigilError:
        return False
    return True


def done(request: HttpRequest, text: str) -> None:
    """Say on the next page that something happened. The text holds nothing confidential."""
    messages.success(request, text, extra_tags="done")


def waits(request: HttpRequest, text: str) -> None:
    """Say on the next page why something did not happen."""
    messages.warning(request, text, extra_tags="waits")

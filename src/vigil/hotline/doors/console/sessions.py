"""Sessions that end when nobody works, without losing what somebody typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.http import urlencode

from vigil.base.clock import instant_of, text_of
from vigil.hotline.access.clock import now
from vigil.hotline.access.sealing import seal, unseal

IDLE: Final = timedelta(minutes=20)
STEP: Final = timedelta(minutes=1)
"""How often the time of the last request is written down: once a minute, not at every request."""
SEEN: Final = "seen_at"
KEPT: Final = "kept_form"


class IdleSessions:
    """Ends the session of a person who was away for ``IDLE``. A form sent after that is kept, sealed, until they are back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.get_response(request)
        seen = _seen_at(request)
        if seen is not None and now() - seen > IDLE:
            return _ended(request)
        if seen is None or now() - seen > STEP:
            request.session[SEEN] = text_of(now())
        return self.get_response(request)


def _seen_at(request: HttpRequest) -> datetime | None:
    stored = request.session.get(SEEN)
    return instant_of(stored) if isinstance(stored, str) else None


def _ended(request: HttpRequest) -> HttpResponse:
    kept = _kept_form(request)
    logout(request)
    if kept:
        request.session[KEPT] = kept
    messages.info(request, _words(bool(kept)), extra_tags="waits")
    back = {"next": request.path} if kept or request.method == "GET" else {}
    return HttpResponseRedirect(reverse("account_login") + (f"?{urlencode(back)}" if back else ""))


def _words(kept: bool) -> str:
    ended = "You were away for a while, so your session ended."
    return f"{ended} What you typed is kept: sign in to see it again." if kept else f"{ended} Please sign in again."


def _kept_form(request: HttpRequest) -> str:
    """The form that was sent, sealed, with whose it is and where it belongs; empty for anything but a plain form."""
    if request.method != "POST" or request.content_type != "application/x-www-form-urlencoded":
        return ""
    form = request.POST.copy()
    form.pop("csrfmiddlewaretoken", None)
    content = {"user": str(request.user.pk), "path": request.path, "form": form.urlencode()}
    return seal(json.dumps(content))


def take_kept_form(request: HttpRequest) -> QueryDict | None:
    """What this person had sent to this page when their session ended; once."""
    sealed = request.session.get(KEPT)
    if not isinstance(sealed, str):
        return None
    content: dict[str, Any] = json.loads(unseal(sealed))
    if content["user"] != str(request.user.pk):
        del request.session[KEPT]
        return None
    if content["path"] != request.path:
        return None
    del request.session[KEPT]
    return QueryDict(content["form"])

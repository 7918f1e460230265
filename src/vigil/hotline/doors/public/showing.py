"""Rendering one question: the form, what went wrong, and when to try again."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from vigil.hotline.doors.public.mishaps import STATUSES, TEXTS, Mishap, mishap_of

BUSY = 429
WRONG = 422


def show(request: HttpRequest, template: str, context: dict[str, Any], *forms: Form, status: int = 200) -> HttpResponse:
    """The page; its title says so when something needs another look."""
    mishap = mishap_of(request)
    notes = [TEXTS[mishap]] if mishap else []
    wrong = bool(notes) or any(form.is_bound and form.errors for form in forms)
    if mishap:
        status = STATUSES[mishap]
    elif wrong and status == 200:
        status = WRONG
    return render(request, template, context | {"forms": forms, "notes": notes, "wrong": wrong}, status=status)


def show_busy(request: HttpRequest, template: str, context: dict[str, Any], wait: timedelta, *forms: Form) -> HttpResponse:
    """The same page when the door is crowded: the answers stay, and it says when to try again."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    minutes = math.ceil(seconds / 60)
    text = ngettext(
        "Many people are writing to us at this moment. What you entered is still here: please press the button again in "
        "%(minutes)d minute.",
        "Many people are writing to us at this moment. What you entered is still here: please press the button again in "
        "%(minutes)d minutes.",
        minutes,
    ) % {"minutes": minutes}
    page = context | {"forms": forms, "notes": [text], "wrong": True}
    response = render(request, template, page, status=BUSY)
    response["Retry-After"] = str(seconds)
    return response


def lost(request: HttpRequest) -> None:
    """Note that earlier answers could not be found."""
    request.mishap = Mishap.LOST  # type: ignore[attr-defined]

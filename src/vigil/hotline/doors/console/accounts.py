"""Signing in: what django-allauth does otherwise here, and what of it goes to the audit log."""

from __future__ import annotations

import time
from typing import Any, Final

from allauth.account.authentication import get_authentication_records
from allauth.mfa.totp.views import ActivateTOTPView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from vigil.hotline.access.adapters import ClosedAccounts
from vigil.hotline.access.models import User
from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.second_factor import has_second_factor
from vigil.hotline.audit import codes
from vigil.hotline.audit.actions import record

FRESH_SECONDS: Final = 300
WRITING_SECONDS: Final = 1200  # whoever was fresh when a form was opened may take this long to fill it in


def proven_within(request: HttpRequest, seconds: int) -> bool:
    """Whether the person gave a password or a code in this session not longer than ``seconds`` ago."""
    records = get_authentication_records(request, request.user)
    return bool(records) and time.time() - records[-1]["at"] <= seconds


class ConsoleAccounts(ClosedAccounts):
    """Nobody signs up; sign-ins are logged; who signed in just now is not asked again."""

    def is_reauthentication_required(self, *, app: str = "", **arguments: Any) -> bool:
        """Not within five minutes of signing in; after that, before one's own sign-in is changed."""
        request: HttpRequest | None = self.request
        if request is None or not request.user.is_authenticated:
            return True
        return not proven_within(request, FRESH_SECONDS)

    def post_login(self, request: HttpRequest, user: User, **arguments: Any) -> HttpResponse:
        with transaction.atomic():
            record(user, codes.SIGNED_IN, user)
        response: HttpResponse = super().post_login(request, user, **arguments)
        return response

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """A wrong password. The log names a member of staff that exists, never what else was typed."""
        user = User.objects.filter(username=str(credentials.get("username", "")).lower()).first()
        with transaction.atomic():
            record(PUBLIC, codes.SIGN_IN_FAILED, user or "nobody")
        super().authentication_failed(request, **credentials)


class SetUpSecondFactor(ActivateTOTPView):  # type: ignore[misc]
    """Setting up the one-time code: once. Only the operator takes it away again."""

    def dispatch(self, request: HttpRequest, *args: Any, **arguments: Any) -> HttpResponseBase:
        if isinstance(request.user, User) and has_second_factor(request.user):
            return redirect("mfa_index")
        response: HttpResponseBase = super().dispatch(request, *args, **arguments)
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            record(self.request.user, codes.SECOND_FACTOR_SET, self.request.user)
        return response

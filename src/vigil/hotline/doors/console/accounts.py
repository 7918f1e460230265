"""Signing in: what django-allauth does otherwise here, and what of it goes to the audit log."""

from __future__ import annotations

import time
from typing import Any, Final

from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.webauthn.views import AddWebAuthnView, RemoveWebAuthnView
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from vigil.hotline.access.adapters import ClosedAccounts
from vigil.hotline.access.models import User
from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.second_factor import has_codes, is_last_factor
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


class LinkedIdentities(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Single sign-on for people whom the operator has linked; nobody else, and nobody is linked by a matching name or address."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        known = SocialAccount.objects.filter(provider=sociallogin.account.provider, uid=sociallogin.account.uid).first()
        if known is None or not known.user.is_active or request.user.is_authenticated:
            raise ImmediateHttpResponse(_not_linked(request))

    def on_authentication_error(self, request: HttpRequest, provider: Any, error: Any = None, **arguments: Any) -> None:
        raise ImmediateHttpResponse(_not_linked(request))


def _not_linked(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        record(PUBLIC, codes.SIGN_IN_FAILED, "nobody")
    text = "This sign-on opens nothing here. Ask your system administrator to link it to you."
    messages.warning(request, text, extra_tags="waits")
    answer: HttpResponse = redirect("account_login")
    return answer


def single_sign_on(request: HttpRequest) -> dict[str, Any]:
    """For templates: the configured provider of single sign-on, if there is one."""
    return {"single_sign_on": settings.SINGLE_SIGN_ON}


class AddKey(AddWebAuthnView):  # type: ignore[misc]
    """Adding a security key, with its audit row."""

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            record(self.request.user, codes.SECOND_FACTOR_SET, self.request.user)
        return response


class RemoveKey(RemoveWebAuthnView):  # type: ignore[misc]
    """Removing a security key, unless it is the only second factor: then only the operator does."""

    def dispatch(self, request: HttpRequest, *args: Any, **arguments: Any) -> HttpResponseBase:
        if isinstance(request.user, User) and is_last_factor(request.user, arguments["pk"]):
            messages.warning(request, "This is your only second step. Add another one first.", extra_tags="waits")
            return redirect("mfa_index")
        response: HttpResponseBase = super().dispatch(request, *args, **arguments)
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            record(self.request.user, codes.SECOND_FACTOR_REMOVED, self.request.user)
        return response

    def get_success_url(self) -> str:
        return reverse("mfa_index")


class SetUpSecondFactor(ActivateTOTPView):  # type: ignore[misc]
    """Setting up the one-time code: once. Only the operator takes it away again."""

    def dispatch(self, request: HttpRequest, *args: Any, **arguments: Any) -> HttpResponseBase:
        if isinstance(request.user, User) and has_codes(request.user):
            return redirect("mfa_index")
        response: HttpResponseBase = super().dispatch(request, *args, **arguments)
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
            record(self.request.user, codes.SECOND_FACTOR_SET, self.request.user)
        return response

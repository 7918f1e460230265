"""The second factor: codes (TOTP, RFC 6238) or security keys (WebAuthn), kept by django-allauth with secrets sealed."""

from __future__ import annotations

from functools import cache
from typing import Any

from vigil.hotline.access.models import User
from vigil.hotline.access.prepared import SAMPLE_ID, Prepared


def has_second_factor(user: User) -> bool:
    """True once the user has set up one-time codes or a security key."""
    return _set_up().exists(user.pk)


@cache
def _set_up() -> Prepared[Any]:
    from allauth.mfa.models import Authenticator  # only the console has the app

    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return Prepared(Authenticator, lambda user: Authenticator.objects.filter(user_id=user, type__in=kinds), SAMPLE_ID)


def has_codes(user: User) -> bool:
    """True once the user has set up one-time codes."""
    from allauth.mfa.models import Authenticator  # only the console has the app

    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


def is_last_factor(user: User, key: int) -> bool:
    """True where the security key with that id is the only second factor of ``user``."""
    from allauth.mfa.models import Authenticator  # only the console has the app

    others = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES).exclude(pk=key)
    return not others.exists()


def enrol(user: User, secret: str) -> None:
    """Set the one-time code secret (base32) of ``user``: for demonstrations and tests; people enrol in the console."""
    from allauth.mfa.totp.internal.auth import TOTP  # only the console has the app

    TOTP.activate(user, secret)


def forget(user: User) -> None:
    """Remove every second factor of ``user``, recovery codes included: at the next sign-in they set up a new one."""
    from allauth.mfa.models import Authenticator  # only the console has the app

    Authenticator.objects.filter(user=user).delete()

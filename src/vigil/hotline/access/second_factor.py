"""The second factor (TOTP, RFC 6238), kept by django-allauth with its secrets sealed."""

from __future__ import annotations

from vigil.hotline.access.models import User


def has_second_factor(user: User) -> bool:
    """True once the user has set up a one-time code."""
    from allauth.mfa.models import Authenticator  # only the console has the app

    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


def enrol(user: User, secret: str) -> None:
    """Set the one-time code secret (base32) of ``user``: for demonstrations and tests; people enrol in the console."""
    from allauth.mfa.totp.internal.auth import TOTP  # only the console has the app

    TOTP.activate(user, secret)


def forget(user: User) -> None:
    """Remove every second factor of ``user``, recovery codes included: at the next sign-in they set up a new one."""
    from allauth.mfa.models import Authenticator  # only the console has the app

    Authenticator.objects.filter(user=user).delete()

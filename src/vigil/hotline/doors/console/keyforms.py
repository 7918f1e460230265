"""Forms of allauth for security keys, with the browser's answer checked for its shape before the library reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from allauth.mfa.webauthn.forms import AddWebAuthnForm, AuthenticateWebAuthnForm, ReauthenticateWebAuthnForm
from django import forms
from fido2.webauthn import AuthenticationResponse, RegistrationResponse

UNREADABLE: Final = "This is not the answer of a security key. Please try again."
MALFORMED: Final = (AttributeError, LookupError, TypeError, ValueError)
"""What the library raises for answers of another shape, depending on what is missing."""


class CredentialField(forms.JSONField):
    """The answer as JSON; anything that ``read`` cannot parse is refused here, with words."""

    widget = forms.HiddenInput

    def __init__(self, read: Callable[[Any], object]) -> None:
        super().__init__(required=True, max_length=20_000, error_messages={"invalid": UNREADABLE, "required": UNREADABLE})
        self._read = read

    def clean(self, value: Any) -> Any:
        content = super().clean(value)
        try:
            self._read(content)
        except MALFORMED as error:
            raise forms.ValidationError(UNREADABLE, code="invalid") from error
        return content


class AddKeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """Adding a key."""

    credential = CredentialField(RegistrationResponse.from_dict)


class UseKeyForm(AuthenticateWebAuthnForm):  # type: ignore[misc]
    """Signing in with a key."""

    credential = CredentialField(AuthenticationResponse.from_dict)


class UseKeyAgainForm(ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """Proving oneself again with a key."""

    credential = CredentialField(AuthenticationResponse.from_dict)

"""The forms for a child: short words, and nothing that asks who they are."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from vigil.hotline.doors.public.choices import THREATS
from vigil.hotline.doors.public.entering import ADDRESS_LOOK, PLAIN, AsEntered
from vigil.hotline.reports.limits import ADDRESS_CHARACTERS

HASH: Final = re.compile(r"[0-9a-f]{64}")
FILES: Final = 20
PLACES: Final = 20


class YoungCodeForm(forms.Form):
    """The code from the service."""

    code = forms.CharField(
        label=_("What is your code?"),
        help_text=_("You got it from the people who sent you here. It has twelve letters and digits."),
        max_length=200,
        error_messages={
            "required": _("Type your code"),
            "max_length": _("This code does not work. Look at it again, or ask the people who gave it to you."),
        },
        widget=forms.TextInput(attrs=PLAIN | {"class": "short reference", "dir": "ltr"}),
    )

    def unknown(self) -> None:
        """Say that the code opens nothing."""
        self.add_error("code", _("This code does not work. Look at it again, or ask the people who gave it to you."))


class YoungForm(forms.Form):
    """Where is it, and does somebody threaten you?"""

    places = AsEntered(
        limit=ADDRESS_CHARACTERS.value,
        required=False,
        label=_("Where is the picture or video?"),
        help_text=_("A web address, or the app and the name of the account. One on each line. You do not have to look again."),
        widget=forms.Textarea(attrs=ADDRESS_LOOK | {"rows": "4", "dir": "auto"}),
    )
    threat = forms.ChoiceField(
        label=_("Does someone threaten you, or want money or more pictures?"),
        choices=list(THREATS.items()),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one of the three"), "invalid_choice": _("Choose one of the three")},
    )
    sha256 = forms.CharField(
        required=False, widget=forms.HiddenInput(attrs={"data-hash": "SHA-256", "autocomplete": "off"})
    )

    def clean(self) -> dict[str, Any]:
        """A place or a file must be there."""
        cleaned = super().clean() or {}
        places = [line for line in cleaned.get("places", "").splitlines() if line.strip()]
        hashes = cleaned.get("sha256", "").split()
        if len(hashes) > FILES or not all(HASH.fullmatch(value) for value in hashes):
            raise ValidationError(_("Choose the files again: something went wrong on the way."), code="hash_missing")
        if len(places) > PLACES:
            self.add_error("places", _("These are many places. Send the first twenty; you can tell us more later."))
        elif not places and not hashes and "places" not in self.errors:
            self.add_error("places", _("Tell us where it is, or choose the file"))
        return cleaned

    def code_is_over(self) -> None:
        """Say that the code cannot be used any more; what was typed stays."""
        self.add_error(None, _("Your code does not work any more. Ask the people who gave it to you for a new one."))

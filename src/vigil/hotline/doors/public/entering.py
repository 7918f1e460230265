"""Fields that keep exactly what was entered, and how text fields of the public door look."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import ngettext

PLAIN: Final = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
ADDRESS_LOOK: Final = PLAIN | {"rows": "3", "class": "address", "dir": "ltr", "inputmode": "url", "autocorrect": "off"}


class AsEntered(forms.Field):
    """Text that stays exactly as it was entered, whatever signs it holds."""

    widget = forms.Textarea

    def __init__(self, *, limit: int, **arguments: Any) -> None:
        self.limit = limit
        super().__init__(**arguments)

    def to_python(self, value: Any) -> str:
        return str(value or "")

    def validate(self, value: str) -> None:
        if self.required and not value.strip():
            raise ValidationError(self.error_messages["required"], code="required")
        if (excess := len(value) - self.limit) > 0:
            text = ngettext(
                "This text is %(excess)d character too long. Please shorten it.",
                "This text is %(excess)d characters too long. Please shorten it.",
                excess,
            )
            raise ValidationError(text % {"excess": excess}, code="too_long")

"""Django's reporter of exceptions, made to tell nothing: pages and mails must not quote what somebody typed."""

from __future__ import annotations

from typing import Any

from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter


class SilentReporter(ExceptionReporter):
    """No values of variables, no request, no settings."""

    def get_traceback_data(self) -> dict[str, Any]:
        return {}

    def get_traceback_html(self) -> SafeString:
        return SafeString("<h1>Error</h1>")

    def get_traceback_text(self) -> SafeString:
        return SafeString("Error")

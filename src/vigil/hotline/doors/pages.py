"""What every template may know."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from vigil.hotline.access.permissions import Permission


def installation(request: HttpRequest) -> dict[str, Any]:
    """Name and mode of the installation, its help lines, and which door this is."""
    return {
        "installation": settings.CONFIG.name,
        "demo": settings.CONFIG.demo,
        "door": settings.DOOR,
        "help_lines": settings.CONFIG.help_lines,
    }


def person(request: HttpRequest) -> dict[str, Any]:
    """Who is signed in, and ``may`` to ask what they may do: ``{% if may.publication_request %}``."""
    who = getattr(request, "person", None)
    return {"person": who, "may": _May(who)}


class _May:
    """Lets a template ask for permissions by their names in small letters."""

    def __init__(self, who: Any) -> None:
        self._who = who

    def __getitem__(self, name: str) -> bool:
        return self._who is not None and bool(self._who.may(Permission[name.upper()]))

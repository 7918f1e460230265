"""The languages of the public door, each in its own words."""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = (
    ("en", "English"),
    ("nl", "Nederlands"),
    ("fr", "Français"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("pt", "Português"),
    ("pl", "Polski"),
    ("ar", "العربية"),
)

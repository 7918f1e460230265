"""How to get there, as whoever reports says it: a referring address and steps in words. Kept as one sealed JSON text."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class AccessNotes:
    """``referrer`` is the address of the page that led there; ``steps`` are words."""

    referrer: str = ""
    steps: str = ""


def access_notes(referrer: str, steps: str) -> str:
    """The text to keep; empty where nothing was said."""
    said = {name: text for name, text in (("referrer", referrer.strip()), ("steps", steps.strip())) if text}
    return json.dumps(said, ensure_ascii=False) if said else ""


def read_notes(text: str | None) -> AccessNotes:
    """What :func:`access_notes` kept."""
    return AccessNotes(**json.loads(text)) if text else AccessNotes()

"""Match before view, in the console's words: by what an entry was met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from vigil.hotline.doors.console.words import SCOPE
from vigil.hotline.reports.models import Media, Url
from vigil.hotline.triage import known
from vigil.hotline.triage.known import EXACT, NEAR, Known
from vigil.match.urls import Scope

__all__ = ["EXACT", "NEAR", "Known", "known_address", "known_files"]


def known_address(url: Url) -> list[Known]:
    """Entries in force that cover a reported address, each with its scope in words."""
    return [replace(each, by=SCOPE[Scope(each.by)].lower()) for each in known.known_address(url)]


def known_files(files: Iterable[Media]) -> dict[UUID, list[Known]]:
    """Entries in force that each file meets."""
    return known.known_files(files)

"""Match before view, in the console's words: by what an entry was met."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from vigil.hotline.doors.console.words import SCOPE
from vigil.hotline.lists.exchange.policies import sources_to_match
from vigil.hotline.lists.proposals import of_media
from vigil.hotline.partners.sources.models import Source
from vigil.hotline.partners.sources.queries import Met, met_by_address, met_by_hashes
from vigil.hotline.reports.models import Media, Url
from vigil.hotline.triage import known
from vigil.hotline.triage.known import EXACT, NEAR, Known
from vigil.match.urls import Scope

__all__ = ["EXACT", "NEAR", "Known", "known_address", "known_files"]


def known_address(url: Url, partners: Sequence[Source] | None = None) -> list[Known]:
    """Entries in force that cover a reported address, each with its scope in words; and what ``partners`` assessed."""
    own = [replace(each, by=SCOPE[Scope(each.by)].lower()) for each in known.known_address(url)]
    asked = sources_to_match() if partners is None else partners
    return own + (_imported(met_by_address(url.canonical.open(), asked)) if asked else [])


def known_files(files: Iterable[Media], partners: Sequence[Source] | None = None) -> dict[UUID, list[Known]]:
    """Entries in force that each file meets, and what ``partners`` have assessed."""
    media, asked = list(files), sources_to_match() if partners is None else partners
    found = known.known_files(media)
    if not asked:
        return found
    return {row.pk: found[row.pk] + _imported(met_by_hashes(_pairs(row), asked)) for row in media}


def _imported(met: Iterable[Met]) -> list[Known]:
    """What partners have assessed, source by source; only of sources that two people set to be matched."""
    first: dict[tuple[str, str], Met] = {}
    for each in met:
        first.setdefault((each.source, each.by), each)
    return [Known(0, name, by, EXACT, imported=True, origin=each.entry.pk) for (name, by), each in first.items()]


def _pairs(media: Media) -> list[tuple[str, str]]:
    return [(each.algorithm, each.value.open()) for each in of_media([media])]

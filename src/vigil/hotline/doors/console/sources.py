"""Where the bytes of a picture come from when somebody has to look: the vault, or the page itself, fetched anew in memory.

Without either there is nothing to show, and every decision is made from facts, hashes and matches.
"""

from __future__ import annotations

from contextlib import closing

from vigil.base.errors import UnavailableError
from vigil.hotline.access.models import User
from vigil.hotline.reports.again import picture_again
from vigil.hotline.reports.captures import captures_on, fetcher_in_service
from vigil.hotline.reports.models import Media, Report, Url
from vigil.hotline.vault.actions import do_open
from vigil.hotline.vault.models import Purpose
from vigil.hotline.vault.queries import kept_file, vault_on
from vigil.hotline.welfare.modes import ViewMode

VAULT, FETCH = "vault", "fetch"


def source_of(report: Report, media: Media, url: Url | None) -> str:
    """Where the picture would come from now: ``vault``, ``fetch`` or nowhere (empty)."""
    if vault_on() and kept_file(report.pk, media.sha256) is not None:
        return VAULT
    seen_there = media.sightings.filter(report=report, source="capture").exists()
    return FETCH if captures_on() and url is not None and seen_there else ""


def bytes_of(person: User, report: Report, media: Media, url: Url | None, mode: ViewMode) -> bytes:
    """The file's bytes; UnavailableError where they cannot be had. What the vault gives is in its custody log first."""
    source = source_of(report, media, url)
    kept = kept_file(report.pk, media.sha256) if source == VAULT else None
    if kept is not None:
        return do_open(person, kept, Purpose.ASSESSMENT, mode=mode.value)
    data = _fetched(url, media) if source == FETCH and url is not None else None
    if data is None:
        raise UnavailableError(
            "picture_not_to_be_had", "This very picture cannot be had any more.", mend="Decide from the facts, or leave it open."
        )
    return data


def _fetched(url: Url, media: Media) -> bytes | None:
    """The picture from its page, by a process that ends with this look."""
    fetcher = fetcher_in_service()
    if fetcher is None:
        return None
    with closing(fetcher):
        return picture_again(url, media.sha256, fetcher)

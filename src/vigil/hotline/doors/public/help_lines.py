"""Help lines: data of the operator. A row is shown only while somebody has checked it in the last 180 days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from vigil.hotline.access.clock import now
from vigil.hotline.doors.public.portals import portal_of

if TYPE_CHECKING:
    from vigil.hotline.doors.portals import Portal
    from vigil.hotline.settings.config import HelpLine

FRESH_FOR: Final = timedelta(days=180)


def is_fresh(line: HelpLine, today: date) -> bool:
    """Was the row checked within 180 days before ``today``? Rows with no date, or one to come, are not shown."""
    try:
        checked = date.fromisoformat(line.verified_on)
    except ValueError:
        return False
    return timedelta(0) <= today - checked <= FRESH_FOR


def lines_for(request: HttpRequest, country: str = "") -> list[HelpLine]:
    """The rows to show on a page: those of ``country``, else of the portal's country, first."""
    portal = portal_of(request)
    wanted = country or (portal.country if portal else "")
    lines = shown(settings.CONFIG.help_lines, now().date(), get_language() or "")
    return sorted(lines, key=lambda line: line.country != wanted)


def by_country(lines: Iterable[HelpLine], country: str, portal: Portal | None) -> tuple[list[HelpLine], list[HelpLine]]:
    """The lines of the country that was chosen, else of the portal's, and the others; all together where none is meant."""
    wanted = country or (portal.country if portal else "")
    rows = list(lines)
    here = [line for line in rows if line.country == wanted]
    return (here, [line for line in rows if line.country != wanted]) if here else (rows, [])


def countries_of(lines: Iterable[HelpLine]) -> list[str]:
    """The countries there are lines for."""
    return sorted({line.country for line in lines})


def for_young(lines: Iterable[HelpLine]) -> list[HelpLine]:
    """The lines that say they are for children or young people; all of them where none does."""
    rows = list(lines)
    return [line for line in rows if line.young] or rows


def shown(lines: Iterable[HelpLine], today: date, language: str) -> list[HelpLine]:
    """The rows to show, those that speak ``language`` first."""
    fresh = [line for line in lines if is_fresh(line, today)]
    return sorted(fresh, key=lambda line: language not in line.languages)

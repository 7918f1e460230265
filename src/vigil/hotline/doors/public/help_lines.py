"""Help lines: data of the operator. A row is shown only while somebody has checked it in the last 180 days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vigil.hotline.settings.config import HelpLine

FRESH_FOR: Final = timedelta(days=180)


def is_fresh(line: HelpLine, today: date) -> bool:
    """Was the row checked within 180 days before ``today``? Rows with no date, or one to come, are not shown."""
    try:
        checked = date.fromisoformat(line.verified_on)
    except ValueError:
        return False
    return timedelta(0) <= today - checked <= FRESH_FOR


def shown(lines: Iterable[HelpLine], today: date, language: str) -> list[HelpLine]:
    """The rows to show, those that speak ``language`` first."""
    fresh = [line for line in lines if is_fresh(line, today)]
    return sorted(fresh, key=lambda line: language not in line.languages)

"""Time in words: "in 3 hours", "2 days ago". Pure: both instants are handed in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


def distance(duration: timedelta) -> str:
    """The length of ``duration`` without its sign, in the largest unit that fits: "3 hours"."""
    size = abs(duration)
    if size < HOUR:
        minutes = max(1, round(size / MINUTE))
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    if size < 2 * DAY:
        hours = round(size / HOUR)
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    days = size // DAY
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}


def relative(instant: datetime, now: datetime) -> str:
    """``instant`` as seen from ``now``: "just now", "3 hours ago" or "in 3 hours"."""
    if abs(instant - now) < MINUTE:
        return _("just now")
    if instant > now:
        return _("in %(distance)s") % {"distance": distance(instant - now)}
    return _("%(distance)s ago") % {"distance": distance(now - instant)}

"""Where a report came in: the channel and the portal. Nothing about who sent it."""

from __future__ import annotations

from typing import TypedDict

from django.http import HttpRequest

from vigil.hotline.doors.public.portals import portal_of
from vigil.hotline.reports.enumerations import Channel


class Origin(TypedDict):
    """Fields of an :class:`~vigil.hotline.reports.intake.Arrival`."""

    channel: Channel
    portal: str
    country: str


def origin_of(request: HttpRequest) -> Origin:
    """The channel and portal of a request at the public door."""
    portal = portal_of(request)
    if portal is None:
        return Origin(channel=Channel.WEB_FORM, portal="", country="")
    return Origin(channel=Channel.PORTAL, portal=portal.id, country=portal.country)

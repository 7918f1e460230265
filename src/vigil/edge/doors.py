"""The doors of a node by name: what asks it. Policy, counts and metrics tell doors apart by these names only."""

from __future__ import annotations

from enum import StrEnum


class DoorName(StrEnum):
    """Each way in; the one place they are named."""

    HTTP = "http"
    HMA = "hma"
    UPLOAD = "upload"
    SCREEN = "screen"
    GATE = "gate"
    ICAP = "icap"
    FORWARD_AUTH = "forward_auth"
    SQUID = "squid"
    SPOE = "spoe"
    DNS = "dns"

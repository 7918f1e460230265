"""Who asks at the partner door: machines with tokens, of several kinds; and this machine, where its operator opened that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest

from vigil.hotline.access.people import LOOPBACK, Person
from vigil.hotline.banks.machines import machine_of as bank_machine_of
from vigil.hotline.doors.partner.exchange.asking import node_of as exchange_node_of
from vigil.hotline.partners.queries import machine_of

KINDS: Final[tuple[Callable[[HttpRequest], Person | None], ...]] = (machine_of, exchange_node_of, bank_machine_of)
PASSED_ON: Final = ("X-Forwarded-For", "X-Real-Ip", "Forwarded")
CURATION: Final = "/c/"


def person_of(request: HttpRequest) -> Person | None:
    """The machine whose token the request carries; for banks perhaps whoever asks on this machine itself."""
    for kind in KINDS:
        found = kind(request)
        if found is not None:
            return found
    return LOOPBACK if _is_opened(request) else None


def _is_opened(request: HttpRequest) -> bool:
    """The routes for banks were opened on loopback, and nobody passed the request on from elsewhere."""
    banks = settings.CONFIG.banks
    local = banks is not None and banks.open_on_loopback and request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"}
    plain = "Authorization" not in request.headers and not any(name in request.headers for name in PASSED_ON)
    return local and plain and request.path_info.startswith(CURATION)

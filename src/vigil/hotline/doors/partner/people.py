"""Who asks at the partner door: machines with tokens, of several kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest

from vigil.hotline.access.people import Person
from vigil.hotline.banks.machines import machine_of as bank_machine_of
from vigil.hotline.doors.partner.exchange.asking import node_of as exchange_node_of
from vigil.hotline.partners.queries import machine_of

KINDS: Final[tuple[Callable[[HttpRequest], Person | None], ...]] = (machine_of, exchange_node_of, bank_machine_of)


def person_of(request: HttpRequest) -> Person | None:
    """The machine whose token the request carries; None for everybody else, wherever they ask from."""
    for kind in KINDS:
        found = kind(request)
        if found is not None:
            return found
    return None

"""Asks the processes of an installation over loopback whether they are ready."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vigil.base.errors import UnavailableError

ANSWER_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Address:
    """A plain HTTP address on this machine."""

    name: str
    host: str
    port: int
    path: str


def status(address: Address) -> int | None:
    """The HTTP status the address answers with, or None where nobody answers."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def wait_for(
    addresses: list[Address], seconds: float, report: Callable[[str], None], go_on: Callable[[], bool] = lambda: True
) -> bool:
    """Wait until every address answers 200; name the ones that do not. False where ``go_on`` said to stop waiting."""
    deadline = time.monotonic() + seconds
    waiting = list(addresses)
    while waiting:
        for address in list(waiting):
            if status(address) == 200:
                waiting.remove(address)
                report(f"{address.name} is ready")
        if waiting and time.monotonic() > deadline:
            names = ", ".join(address.name for address in waiting)
            raise UnavailableError("not_ready", f"Not ready after {seconds:.0f} s: {names}.", mend="Look into the logs folder.")
        if waiting and not go_on():
            return False
        if waiting:
            time.sleep(0.1)
    return True

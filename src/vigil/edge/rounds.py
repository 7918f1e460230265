"""A thread that does one thing again and again until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from vigil.edge.journal import fault_of

AFTER_FAULT_SECONDS: Final = 5.0


class Rounds(threading.Thread):
    """Calls ``work`` in a loop; ``work`` returns the seconds to wait. An unexpected error is logged and tried again."""

    def __init__(self, name: str, work: Callable[[], float], log: Any) -> None:
        super().__init__(name=f"vigil-{name}", daemon=True)
        self._work, self._log = work, log
        self._stop_event = threading.Event()
        self._wake = threading.Event()

    def run(self) -> None:
        while not self._stop_event.is_set():
            try:
                pause = self._work()
            except Exception as error:  # noqa: BLE001  the loop must outlive any one round; nothing is swallowed: it is logged
                self._log.error("round_failed", **fault_of(error))
                pause = AFTER_FAULT_SECONDS
            self._wake.wait(pause)
            self._wake.clear()

    def wake(self) -> None:
        """Do the next round now."""
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """Ask it to end, and wait at most ``seconds`` for the present round."""
        self._stop_event.set()
        self._wake.set()
        if self.is_alive():
            self.join(seconds)

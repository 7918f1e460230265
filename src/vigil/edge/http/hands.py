"""Threads for work whose end nobody waits for: it tells by itself. A future and its locks would cost as much as the work does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

Work = Callable[[], None]
END_SECONDS: Final = 60.0  # more than any file may take


class Hands:
    """``count`` threads, started with the first work, which take one work after the other in the order in which it came."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: SimpleQueue[Work | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def take(self, work: Work) -> None:
        """Have ``work`` done. It handles its own errors. Called by one thread, as :meth:`close` is."""
        if not self._threads:
            self._threads = [threading.Thread(target=self._run, name="vigil-hands", daemon=True) for _ in range(self._count)]
            for thread in self._threads:
                thread.start()
        self._waiting.put(work)

    def close(self) -> None:
        """Leave what waits, and wait for what is being done."""
        try:
            while True:
                self._waiting.get_nowait()
        except Empty:
            pass
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(END_SECONDS)

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            work()

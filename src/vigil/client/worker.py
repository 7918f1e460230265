"""An engine in a thread with an event loop of its own, for callers who do not await."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError
from typing import Any, Final, TypeVar

from vigil.base.errors import InputError
from vigil.client.engine import Engine, Outcome, Settings
from vigil.client.questions import Signal

T = TypeVar("T")
GONE: Final = 5.0
# A child must not tidy up what it inherited: the loop's selector is shared with the parent, who still uses it.
_left_behind: Final[list[Worker]] = []


class Worker:
    """One thread, one loop, one engine, for one process."""

    def __init__(self, settings: Settings) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._closing = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vigil-client", daemon=True)
        self._thread.start()
        self._engine = self._run(_engine(settings))

    def ask(self, signals: Sequence[Signal], seconds: float) -> list[Outcome]:
        """As :meth:`Engine.ask`."""
        return self._run(self._engine.ask(signals, seconds))

    def send(self, data: bytes) -> Outcome:
        """As :meth:`Engine.send`."""
        return self._run(self._engine.send(data))

    def of_another_process(self) -> bool:
        """Whether this is what a fork left: a loop without its thread."""
        if self._process == os.getpid():
            return False
        _left_behind.append(self)
        return True

    def close(self) -> None:
        """End connections, loop and thread."""
        if self.of_another_process():
            return
        with self._lock:
            if self._closing:
                return
            self._closing = True
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(GONE)
        if not self._thread.is_alive():
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:  # what is asked before the end begins is ended by it; afterwards nobody would answer
            if self._closing:
                work.close()
                raise closed()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise closed() from None
        except BaseException:  # Ctrl-C in the caller: nobody waits for the answer any more
            future.cancel()
            raise

    async def _finish(self) -> None:
        """Calls that are under way in other threads end as cancelled."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._engine.close()


def closed() -> InputError:
    """What a call says that comes after :meth:`Client.close`, or was under way when it came."""
    return InputError("client_closed", "This client was closed.", mend="Make a new one.")


async def _engine(settings: Settings) -> Engine:
    return Engine(settings)

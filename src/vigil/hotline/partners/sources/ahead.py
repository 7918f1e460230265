"""The next page is fetched and read while the one before is written: the database and this process work at once.

Everything that a feed does happens in one thread of its own, one thing after the other: a feed never meets itself, and needs no
locks. Nothing there touches the database. How much is done ahead follows what became of the pages before: where they were known
byte for byte, the next one is fetched only, since it will hardly have to be read.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Final, Self

from vigil.hotline.partners.sources.keeping import Reading
from vigil.hotline.partners.sources.limits import CLAIM
from vigil.hotline.partners.sources.record import Page

_NEW_OBJECTS: Final = 200_000
"""Objects that a few pages make and let go of: the collector, which finds nothing among them, looks after so many."""

_TURN: Final = 0.0005
"""Seconds for which one thread may keep the interpreter from the other; usually it is ten times as much."""

HELD_SECONDS: Final = CLAIM.total_seconds() / 5


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Let the collector of cycles look less often: records hold none, and looking through them costs a third of all reading."""
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def shorter_turns() -> Iterator[None]:
    """Let who writes go on soon after the database has answered, while the other thread is reading.

    A page is written in some twenty exchanges, and after each one the writer would wait the whole of a turn.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Ahead(IntEnum):
    """How much is done before anybody asks for it."""

    FETCHED = 0
    READ = 1
    SEALED = 2


@dataclass(slots=True)
class Coming:
    """A page that was fetched. ``reading()`` reads it, where that has not happened yet."""

    page: Page
    reading: Callable[[], Reading]


class Pages:
    """The pages of a feed, one ahead. ``ahead`` may be set by who keeps them, and holds for the next one that comes.

    ``held`` is called every ``HELD_SECONDS`` while a page lets itself be waited for, in the thread that waits: a slow pace must
    not look like a run that has died.
    """

    def __init__(
        self, pages: Iterator[Page], read: Callable[[Page], Reading], held: Callable[[], None], every: float = HELD_SECONDS
    ) -> None:
        self.ahead = Ahead.FETCHED
        self._pages = pages
        self._read = read
        self._held, self._every = held, every
        self._thread = ThreadPoolExecutor(1, "feed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[Coming]:
        """Each page in its order; what the feed raises comes where its page would have come, after those before it."""
        following = self._thread.submit(self._next)
        while (coming := self._awaited(following)) is not None:
            following = self._thread.submit(self._next)
            yield coming

    def _awaited(self, following: Future[Coming | None]) -> Coming | None:
        while True:
            done, _ = wait([following], timeout=self._every)
            if done:
                return following.result()
            self._held()

    def _next(self) -> Coming | None:
        page = next(self._pages, None)
        if page is None:
            return None
        if self.ahead is Ahead.FETCHED:
            return Coming(page, lambda: self._thread.submit(self._read, page).result())
        done: Future[Reading] = Future()
        try:
            reading = self._read(page)
            if self.ahead is Ahead.SEALED:
                reading.seal()
            done.set_result(reading)
        except Exception as error:  # noqa: BLE001  whether it has to be read is not known yet: who asks is told
            done.set_exception(error)
        return Coming(page, done.result)

"""One worker: takes a task, reads its items a little ahead, hashes them in a confined child, decides."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from vigil.base.clock import Clock, SystemClock
from vigil.media import Decoder, sniff
from vigil.media.fetching import Rules
from vigil.media.model import ImageHashes, Unhashable, VideoHashes
from vigil.scan.limits import AHEAD
from vigil.scan.listed import Listed
from vigil.scan.model import Done, Item, Result, Task, Unreadable, result_of, unknown
from vigil.scan.sources import Reader, reader_of

HEAD_BYTES: Final = 512
Read = tuple[Item, bytes | str]


class Setup(msgspec.Struct, frozen=True):
    """What a worker needs: the folder of listed hashes, how addresses are fetched, and how many items it reads ahead."""

    listed: str
    hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    ahead: int = AHEAD.value


class Worker:
    """Lives as long as its process; its decoder's child dies with it."""

    def __init__(self, setup: Setup, clock: Clock | None = None) -> None:
        self._listed = Listed(Path(setup.listed))
        self._rules = Rules(setup.hosts, setup.networks)
        self._decoder = Decoder(workers=1)
        self._clock = clock or SystemClock()
        self._ahead = setup.ahead
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="vigil-scan-reads")

    def work(self, task: Task) -> Done:
        """The results of a task, one for each of its items, in order."""
        now = self._clock.now()
        with reader_of(task, self._rules) as reader:
            results = tuple(self._result(item, read, now) for item, read in self._reads(reader, task.items))
        return Done(task.number, task.digest, results)

    def _reads(self, reader: Reader, items: tuple[Item, ...]) -> Iterator[Read]:
        """Items with their bytes or the reason why there are none; a few are read while others are hashed."""
        waiting: deque[Future[Read]] = deque()
        for item in items:
            waiting.append(self._readers.submit(_read, reader, item))
            if len(waiting) > self._ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _result(self, item: Item, read: bytes | str, now: datetime) -> Result:
        if isinstance(read, str):
            return unknown(item, self._listed.number, read)
        return result_of(item, self._listed.verdict(self._hash(read), now), len(read))

    def _hash(self, data: bytes) -> ImageHashes | VideoHashes | Unhashable:
        if sniff.is_video(data[:HEAD_BYTES]):
            return self._decoder.hash_video(data)
        return self._decoder.hash_image(data)

    def close(self) -> None:
        """End the reader and the child."""
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._decoder.close()


def _read(reader: Reader, item: Item) -> Read:
    if item.reason:
        return item, item.reason
    try:
        return item, reader.read(item)
    except Unreadable as error:
        return item, error.reason

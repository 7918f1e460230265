"""Tasks on a pool of processes. A process that dies takes its tasks with it; they run again, and at last item by item."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Final, Protocol

import msgspec

from vigil.scan.limits import ATTEMPTS
from vigil.scan.model import Done, Result, Task, unknown
from vigil.scan.worker import Setup, Worker

PR_SET_PDEATHSIG: Final = 1
DIED: Final = "worker_died"
IN_FLIGHT: Final = 2  # tasks a worker has before it: bounds what is in memory, and keeps it busy


class Engine(Protocol):
    """Where tasks run."""

    def run(self, tasks: Iterable[Task]) -> Iterator[Done]:
        """What each task gave, in whatever order they end."""
        ...

    def close(self) -> None:
        """End the workers."""
        ...


_own: list[Worker] = []


def _end_with_the_scan() -> None:
    """The process that forked us is not the scan, so its death says nothing: the pipe to the scan itself does."""
    scan = multiprocessing.parent_process()
    if scan is not None:
        wait_for([scan.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)


def begin(setup: bytes) -> None:
    """Once in each process of the pool; the process ends with the scan, also when that is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_with_the_scan, daemon=True).start()
    _own[:] = [Worker(msgspec.json.decode(setup, type=Setup))]


def work(task: bytes) -> bytes:
    """One task, as JSON, in a process that has begun."""
    return msgspec.json.encode(_own[0].work(msgspec.json.decode(task, type=Task)))


class Pool:
    """The default engine: this machine's processors."""

    def __init__(self, setup: Setup, workers: int, edition: int) -> None:
        self._setup, self._workers, self._edition = msgspec.json.encode(setup), workers, edition
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("forkserver")
        return ProcessPoolExecutor(self._workers, context, begin, (self._setup,))

    def run(self, tasks: Iterable[Task]) -> Iterator[Done]:
        """As many tasks at a time as keep the workers busy."""
        waiting: dict[Future[bytes], Task] = {}
        lost: dict[int, int] = {}
        source = iter(tasks)
        for task in source:
            waiting[self._submit(task)] = task
            if len(waiting) >= IN_FLIGHT * self._workers:
                yield from self._some(waiting, lost)
        while waiting:
            yield from self._some(waiting, lost)

    def _submit(self, task: Task) -> Future[bytes]:
        try:
            return self._pool.submit(work, msgspec.json.encode(task))
        except BrokenProcessPool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = self._start()
            return self._pool.submit(work, msgspec.json.encode(task))

    def _some(self, waiting: dict[Future[bytes], Task], lost: dict[int, int]) -> Iterator[Done]:
        """What has ended meanwhile; tasks whose process died are handed in again."""
        ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
        again: list[Task] = []
        for future in ended:
            task = waiting.pop(future)
            try:
                yield msgspec.json.decode(future.result(), type=Done)
            except BrokenProcessPool:
                again.append(task)
        for task in again:
            lost[task.number] = lost.get(task.number, 0) + 1
            if lost[task.number] < ATTEMPTS.value:
                waiting[self._submit(task)] = task
            else:
                yield self._alone(task)

    def _alone(self, task: Task) -> Done:
        """Each item in a process of its own, so that the one that kills is the only one without an answer."""
        results: list[Result] = []
        for item in task.items:
            single = Task(task.number, task.reader, task.place, (item,))
            with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver"), begin, (self._setup,)) as pool:
                try:
                    done = msgspec.json.decode(pool.submit(work, msgspec.json.encode(single)).result(), type=Done)
                    results.extend(done.results)
                except BrokenProcessPool:
                    results.append(unknown(item, self._edition, DIED))
        return Done(task.number, task.digest, tuple(results))

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)

"""Several processes that answer at one port: one of them, alone, is held to the speed of one interpreter.

The keeper opens the port once and answers nothing itself; each worker is a copy of it (fork) that takes connections from the
same socket, so whoever is free takes the next, and none is lost while a worker is replaced. What the workers share beside it is
the database: nothing of a request is kept in a process. A worker that ends is begun anew; workers end with their keeper, also
when it is killed.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NoReturn

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG: Final = 1
BACKLOG: Final = 1024
STEADY_SECONDS: Final = 10.0  # a worker that ended earlier is begun anew after a pause
PAUSE_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 1.0
STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


def listening(host: str, port: int) -> socket.socket:
    """The one socket, open before the first worker begins."""
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(where)
    opened.listen(BACKLOG)
    opened.setblocking(False)
    return opened


def keep(number: int, work: Callable[[int], None]) -> None:
    """Run ``work`` in ``number`` processes, each told its place from 0, until this one is told to stop.

    The keeper takes its signals by asking for them: nothing ever interrupts it between a fork and its note of it.
    """
    running: dict[int, tuple[int, float]] = {}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*STOPS, signal.SIGCHLD})
    try:
        for place in range(number):
            _begin(place, work, running, before)
        while not _told_to_stop():
            for place, since in _ended(running):
                if time.monotonic() - since < STEADY_SECONDS:
                    time.sleep(PAUSE_SECONDS)
                _begin(place, work, running, before)
        log.info("workers are told to stop")
    finally:
        for pid in running:
            os.kill(pid, signal.SIGTERM)
        for pid in running:
            os.waitpid(pid, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _told_to_stop() -> bool:
    """Wait for a signal, for a second at most: whether it says to stop."""
    taken = signal.sigtimedwait({*STOPS, signal.SIGCHLD}, LOOK_SECONDS)
    return taken is not None and taken.si_signo in STOPS


def _ended(running: dict[int, tuple[int, float]]) -> Iterator[tuple[int, float]]:
    """Place and beginning of each worker that has ended."""
    for pid in list(running):
        if os.waitpid(pid, os.WNOHANG)[0]:
            place, since = running.pop(pid)
            log.error("worker ended", extra={"fields": {"place": place, "pid": pid}})
            yield place, since


def _begin(place: int, work: Callable[[int], None], running: dict[int, tuple[int, float]], mask: Iterable[int]) -> None:
    """Begin the worker of ``place``, which takes signals as the keeper did before, by ``mask``."""
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        _work(keeper, place, work, mask)
    running[pid] = place, time.monotonic()


def _work(keeper: int, place: int, work: Callable[[int], None], mask: Iterable[int]) -> NoReturn:
    status = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if os.getppid() == keeper:  # it could have ended before we asked to end with it
            work(place)
            status = 0
    except BaseException:
        log.exception("worker failed", extra={"fields": {"place": place}})
    finally:
        os._exit(status)  # never back into what the keeper was doing

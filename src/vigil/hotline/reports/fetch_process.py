"""The worker's side of the fetching process: starts it, asks it, and gives it up when it is silent or lies."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Final

from vigil.base.limits import Limit
from vigil.hotline.reports.fetch_frames import Answer, BrokenFrame, Request, Setup, read_answer_frame, write_frame
from vigil.hotline.reports.fetching import FETCH_SECONDS, Address, Failure, Fetched, FetchError, fetchable

GRACE_SECONDS: Final = 5.0
MODULE: Final = "vigil.hotline.reports.fetch_child"


class ProcessFetcher:
    """Fetches in a process of its own. One request at a time; a process that is lost is started anew for the next one."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def fetch(self, url: Address, limit: Limit, referrer: str = "") -> Fetched:
        """The answer at ``url``; raises FetchError."""
        with self._lock:
            answer, body = self._ask(Request(url.text(), limit.value, referrer))
        if answer.failure:
            raise FetchError(Failure(answer.failure))
        chain = tuple(fetchable(each) for each in answer.chain)
        return Fetched(
            answer.status, answer.declared_type, body, fetchable(answer.url), answer.headers, answer.certificate, answer.ip, chain
        )

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._give_up()

    def _ask(self, request: Request) -> tuple[Answer, bytes]:
        process = self._running()
        late = threading.Timer(self._setup.seconds + GRACE_SECONDS, process.kill)
        late.daemon = True
        late.start()
        try:
            if process.stdin is None or process.stdout is None:
                raise BrokenFrame
            write_frame(process.stdin, request)  # type: ignore[arg-type]
            answer, body = read_answer_frame(process.stdout, Answer)  # type: ignore[arg-type]
            if answer is None or len(body) > request.limit or answer.failure not in {"", *Failure}:
                raise BrokenFrame
        except (BrokenFrame, OSError):
            self._give_up()
            raise FetchError(Failure.FETCHER_LOST) from None
        finally:
            late.cancel()
        return answer, body

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._give_up()
        process = subprocess.Popen(  # noqa: S603 - our own module, no argument of a stranger
            [sys.executable, "-I", "-m", MODULE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
        )
        self._process = process
        try:
            if process.stdin is None:
                raise FetchError(Failure.FETCHER_LOST)
            write_frame(process.stdin, self._setup)  # type: ignore[arg-type]
        except OSError:
            raise FetchError(Failure.FETCHER_LOST) from None
        return process

    def _give_up(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait()


def setup_of(via: str, host: str = "", port: int = 0, allowed: tuple[str, ...] = ()) -> Setup:
    """The first frame for a way."""
    return Setup(via, host, port, allowed, float(FETCH_SECONDS.value))

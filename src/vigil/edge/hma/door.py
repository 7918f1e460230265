"""The HMA-compatible door as the node sees it: a listening socket, the follower of the feed, and worker processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any, Final

import msgspec

from vigil.base.clock import Clock
from vigil.base.errors import UnavailableError
from vigil.edge.config import NodeConfig
from vigil.edge.counts import Tally
from vigil.edge.enforced import Enforced
from vigil.edge.hma.config import WorkerOptions
from vigil.edge.hma.follower import Follower
from vigil.edge.hma.lists import say_where
from vigil.edge.hma.store import Writer
from vigil.edge.rounds import Rounds
from vigil.edge.shared import Harvest, Region

BACKLOG: Final = 1024
LOOK_SECONDS: Final = 0.5
STOP_SECONDS: Final = 12.0


class HmaDoor:
    """Start it beside the node; it stops with it."""

    def __init__(self, config: NodeConfig, clock: Clock, log: Any, tally: Tally) -> None:
        hma = config.file.hma
        self._log, self._clock = log, clock
        self._region = Region.create(hma.workers + 1)  # the first segment takes over what ended workers counted
        self._harvest = Harvest(self._region, tally)
        self._options = _options(config)
        self._with_lists, self._state = hma.lists, config.state
        self._socket = _listen(hma.host, hma.port)
        self.port: int = self._socket.getsockname()[1]
        writer = Writer(config.state / "hma")
        self._follower = Follower(hma.banks or "", config.banks_token, writer, hma.poll_seconds, clock, log)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._wanted = hma.workers
        self._rounds = [Rounds("banks", self._follower.round, log), Rounds("hma-workers", self._look_after, log)]

    def take_edition(self, enforced: Enforced | None) -> None:
        """An edition came into force: workers answer from its lists, where the operator wants that."""
        if enforced is not None and self._with_lists:
            say_where(self._state, enforced)

    def start(self) -> None:
        """Start workers and follower."""
        self._workers = [self._spawn(place) for place in range(self._wanted)]
        for each in self._rounds:
            each.start()
        self._log.info("hma_listening", port=self.port)

    def stop(self) -> None:
        """End them, running requests being finished."""
        for each in self._rounds:
            each.stop(STOP_SECONDS)
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            try:
                worker.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self._harvest.collect()
        self._socket.close()

    def _look_after(self) -> float:
        """Add up what was counted; start anew what has ended."""
        for place, worker in enumerate(self._workers):
            if worker.poll() is not None:
                self._log.error("hma_worker_ended", status=worker.returncode)
                self._harvest.retire(place + 1, self._clock.now())
                self._workers[place] = self._spawn(place)
        self._harvest.collect()
        return LOOK_SECONDS

    def _spawn(self, place: int) -> subprocess.Popen[bytes]:
        descriptor, region = self._socket.fileno(), self._region
        numbers = (descriptor, os.getpid(), region.descriptor, region.segments, place + 1)
        command = [sys.executable, "-m", "vigil.edge.hma.worker", *map(str, numbers)]
        worker = subprocess.Popen(  # noqa: S603  a command of ours
            command, stdin=subprocess.PIPE, pass_fds=[descriptor, region.descriptor]
        )
        if worker.stdin is not None:
            worker.stdin.write(self._options)
            worker.stdin.close()
        return worker


def _options(config: NodeConfig) -> bytes:
    bounds = config.file.limits
    options = WorkerOptions(
        state=str(config.state),
        hma=config.file.hma,
        tokens=config.hma_tokens,
        curation_token=config.curation_token.open() if config.curation_token else None,
        on_hard_expiry=config.file.enforcement.on_hard_expiry,
        media_bytes=bounds.media_bytes,
        json_bytes=bounds.json_bytes,
        batch_items=bounds.batch_items,
        body_seconds=bounds.body_seconds,
        media_seconds=bounds.media_seconds,
        media_at_once=bounds.media_at_once,
        media_waiting=bounds.media_waiting,
    )
    return msgspec.json.encode(options)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UnavailableError(
            "port_taken", "The HMA-compatible door cannot listen there.", where=f"{host} port {port}", mend="Choose a free port."
        ) from error
    return listener

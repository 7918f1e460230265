"""Runs a node behind uvicorn (httptools, uvloop) until it is told to stop, then lets running requests finish."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING, Final, Protocol

import uvicorn

from vigil.base.errors import UnavailableError
from vigil.edge.counts import CountClass, Tally
from vigil.edge.dns.server import DnsDoor
from vigil.edge.doors import DoorName
from vigil.edge.hma.door import HmaDoor
from vigil.edge.http.app import EdgeApp
from vigil.edge.http.protocol import protocol_with
from vigil.edge.http.routes import Door
from vigil.edge.icap.server import IcapDoor
from vigil.edge.journal import quiet_server_logs
from vigil.edge.node import Node
from vigil.edge.spoe.server import SpoeDoor
from vigil.edge.wiping import Rinse

if TYPE_CHECKING:
    from vigil.edge.rpz.server import RpzDoor

BACKLOG: Final = 1024


class OtherDoor(Protocol):
    """A door that is not HTTP, or what else lives in the loop."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class NodeServer(uvicorn.Server):
    """uvicorn's server; a signal begins the drain and does not kill the process before the counts are written.

    Other doors of the node live in the same loop: they start before it and stop with it.
    """

    def __init__(self, config: uvicorn.Config, node: Node, doors: Sequence[OtherDoor] = ()) -> None:
        super().__init__(config)
        self._node = node
        self._doors = doors

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open all doors."""
        for door in self._doors:
            await door.start()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close them, the requests that run being finished."""
        await asyncio.gather(super().shutdown(sockets), *(door.stop() for door in self._doors))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.drain()

    def drain(self) -> None:
        """Not ready any more; accept nothing new; finish what runs."""
        self._node.state.draining = True
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals begin the drain; they are not raised again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # The handler assigns and takes no lock.
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}  # noqa: TID251
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)  # noqa: TID251


class HitsOf(Tally):
    """Takes the hits that processes of a door counted into the counts of ``node``, by its policy."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node

    def add(
        self,
        edition: int | None,
        name: str | None,
        kind: CountClass,
        now: datetime,
        number: int = 1,
        door: DoorName = DoorName.HTTP,
    ) -> None:
        self._node.take_hits(edition, name, kind, now, number, door)


class Service:
    """A node, its door and its listening socket."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.door = Door(node)
        self._socket = _listen(node.config.file.listen.host, node.config.file.listen.port, reuse=node.reuse_port)
        self.port: int = self._socket.getsockname()[1]
        self.icap = IcapDoor(self.door) if node.config.file.icap.enabled else None
        self.dns = DnsDoor(node) if node.config.file.dns.enabled else None
        self.hma = _hma(node) if node.config.file.hma.enabled and node.first else None
        hma = self.hma
        if hma is not None:
            node.swaps.append(lambda: hma.take_edition(node.state.enforced))
        self.rpz = _rpz(node) if node.config.file.rpz.enabled and node.first else None
        self.spoe = SpoeDoor(node) if node.config.file.spoe.enabled and node.first else None
        doors: list[OtherDoor] = [door for door in (self.icap, self.dns, self.rpz, self.spoe) if door is not None]
        self._server = NodeServer(_uvicorn_config(node, EdgeApp(node, self.door)), node, [*doors, Rinse()])

    def run(self, started: Callable[[int], None] | None = None) -> None:
        """Serve until :meth:`stop` or a signal; then drain, stop the threads, write the counts."""
        node = self.node
        quiet_server_logs(node.log)
        node.start()
        if self.hma is not None:
            self.hma.start()
        node.log.info("listening", host=node.config.file.listen.host, port=self.port)
        try:
            if started is not None:
                started(self.port)
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self.door.close()
            if self.hma is not None:
                self.hma.stop()
            node.stop()
            node.log.info("stopped")

    def stop(self) -> None:
        """Begin the drain; from any thread."""
        self._server.drain()


def _hma(node: Node) -> HmaDoor:
    return HmaDoor(node.config, node.clock, node.log, HitsOf(node))


def _rpz(node: Node) -> RpzDoor:
    """The primary of the policy zone; imported only where it is wanted: what it needs of editions costs each worker 15 MB."""
    from vigil.edge.rpz.server import RpzDoor

    return RpzDoor(node)


def _listen(host: str, port: int, *, reuse: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UnavailableError(
            "port_taken", "The node cannot listen there.", where=f"{host} port {port}", mend="Choose a free port."
        ) from error
    return listener


def _uvicorn_config(node: Node, app: EdgeApp) -> uvicorn.Config:
    bounds = node.config.file.limits
    return uvicorn.Config(
        app,
        http=protocol_with(bounds, app, app),
        loop="uvloop",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, round(bounds.idle_seconds)),
        timeout_graceful_shutdown=max(1, round(bounds.drain_seconds)),
    )

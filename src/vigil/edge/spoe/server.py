"""The sockets of the SPOE door: one protocol a connection, one sweep for all deadlines. Bounded in bytes, seconds and number."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from vigil.edge.dns.server import BACKLOG, socket_at
from vigil.edge.journal import fault_of
from vigil.edge.node import Node
from vigil.edge.spoe.desk import Desk
from vigil.edge.spoe.session import Session
from vigil.edge.spoe.settings import Spoe

SWEEP_SECONDS: Final = 0.5


class SpoeDoor:
    """The agent of one node. Lives in the loop of the HTTP door."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.settings: Spoe = node.config.file.spoe
        self.desk = Desk(node)
        self.connections: set[Connection] = set()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises UnavailableError where the port is taken."""
        loop = asyncio.get_running_loop()
        listener = socket_at(self.settings.host, self.settings.port, socket.SOCK_STREAM)
        self.port = listener.getsockname()[1]
        self._server = await loop.create_server(lambda: Connection(self), sock=listener, backlog=BACKLOG)
        self._sweeper = loop.create_task(self._sweep())
        self.node.log.info("listening_spoe", host=self.settings.host, port=self.port)

    async def stop(self) -> None:
        """Answers are never under way between two callbacks: say goodbye to all, then end."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self.connections):
            connection.late()
        await asyncio.sleep(0)
        for connection in list(self.connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        pause = min(SWEEP_SECONDS, self.settings.idle_seconds / 4, self.settings.hello_seconds / 4)
        while True:
            await asyncio.sleep(pause)
            now = loop.time()
            for connection in list(self.connections):
                if now >= connection.deadline:
                    connection.late()


class Connection(asyncio.Protocol):
    """One connection of HAProxy. ``deadline`` in the loop's seconds."""

    def __init__(self, door: SpoeDoor) -> None:
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._session = Session(door.desk.on_message)
        self._transport: asyncio.Transport | None = None
        self._answered = self._refusals = 0
        self._unwritable = False
        self.deadline = self._loop.time() + door.settings.hello_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._door.connections.add(self)
        if len(self._door.connections) > self._door.settings.connections:
            self._door.node.traffic.problems += 1
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.connections.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._step(lambda: self._session.receive(data))
        if self._session.between:
            self.deadline = self._loop.time() + self._door.settings.idle_seconds
        elif self._answered:
            self.deadline = min(self.deadline, self._loop.time() + self._door.settings.hello_seconds)

    def pause_writing(self) -> None:
        self._unwritable = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._unwritable = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def late(self) -> None:
        """The deadline has passed, or the node stops."""
        if self._unwritable:
            self.abort()
        else:
            self._step(self._session.late)

    def abort(self) -> None:
        """End it without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _step(self, step: Callable[[], bytes]) -> None:
        try:
            out = step()
        except Exception as error:  # noqa: BLE001  nothing is swallowed: logged by type and place, said to HAProxy
            self._door.node.traffic.faults += 1
            self._door.node.log.error("fault", **fault_of(error))
            out = self._session.fault()
        transport, traffic, session = self._transport, self._door.node.traffic, self._session
        traffic.requests += session.answered - self._answered
        traffic.problems += session.refusals - self._refusals
        self._answered, self._refusals = session.answered, session.refusals
        if transport is None or transport.is_closing():
            return
        if out:
            transport.write(out)
        if session.closing:
            transport.close()

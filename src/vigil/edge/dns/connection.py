"""A connection of the DNS door, whatever is spoken on it: counted, bounded in seconds, read only while there is room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from vigil.edge.config import Dns
from vigil.edge.dns.clients import Clients
from vigil.edge.node import Node

Reply = Callable[[bytes], None]


class Door(Protocol):
    """What a connection needs of the door."""

    node: Node
    settings: Dns
    clients: Clients
    connections: set[Client]
    stopping: bool

    def handle(self, message: bytes, reply: Reply, *, tcp: bool, allowed: bool = True, private: bool = False) -> None: ...


class Client(asyncio.Protocol):
    """A connection of somebody who may ask. ``deadline`` in the loop's seconds."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.unwritable = self._paused = False
        self.deadline = self._loop.time() + door.settings.idle_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self.door.connections.add(self)
        peer = transport.get_extra_info("peername")
        crowded = len(self.door.connections) > self.door.settings.connections
        if crowded or not peer or not self.door.clients.may_ask(peer[0]):
            self.door.node.traffic.problems += 1
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.door.connections.discard(self)
        self._transport = None

    def pause_writing(self) -> None:
        self.unwritable = True
        self.go_on()

    def resume_writing(self) -> None:
        self.unwritable = False
        self.go_on()

    def go_on(self) -> None:
        """Something has changed that decides what may be taken."""

    def late(self) -> None:
        """Silent for too long, or does not read its answers."""
        self.abort()

    def is_closing(self) -> bool:
        """True where nothing can be said any more."""
        return self._transport is None or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Bytes for the client; dropped where it is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            self.touch()

    def touch(self) -> None:
        """A sign of life."""
        self.deadline = self._loop.time() + self.door.settings.idle_seconds

    def close(self) -> None:
        """End it; what is written still goes out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    def steer(self, full: bool) -> None:
        """Read only while what comes can be dealt with."""
        transport = self._transport
        if transport is None or transport.is_closing() or full == self._paused:
            return
        self._paused = full
        if full:
            transport.pause_reading()
        else:
            transport.resume_reading()

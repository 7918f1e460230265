"""The sockets of the ICAP door: one protocol a connection, one sweep for all deadlines. Bounded in bytes, seconds and number."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Final

from vigil.base.errors import UnavailableError
from vigil.edge.http.replies import RequestRefused
from vigil.edge.http.routes import Door
from vigil.edge.icap import wire
from vigil.edge.icap.desk import Desk
from vigil.edge.icap.exchange import Exchange
from vigil.edge.journal import fault_of
from vigil.edge.traffic import REQUESTS
from vigil.media import ImageHashes, Unhashable

SWEEP_SECONDS: Final = 0.25
LINGER_SECONDS: Final = 2.0
BACKLOG: Final = 1024


class IcapDoor:
    """The ICAP server of one node. Lives in the loop of the HTTP door, and shares its threads and confined children."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.node = door.node
        self.settings, self.bounds = self.node.config.file.icap, self.node.config.file.limits
        self.desk = Desk(self.node)
        self.connections: set[Connection] = set()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises UnavailableError where the port is taken."""
        loop = asyncio.get_running_loop()
        host, port = self.settings.host, self.settings.port
        try:
            self._server = await loop.create_server(
                lambda: Connection(self), host, port, backlog=BACKLOG, reuse_port=self.node.reuse_port or None
            )
        except OSError as error:
            raise UnavailableError(
                "port_taken", "The node cannot listen there.", where=f"{host} port {port}", mend="Choose a free port."
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        self._sweeper = loop.create_task(self._sweep())
        self.node.log.info("listening_icap", host=host, port=self.port)

    async def stop(self) -> None:
        """Accept nothing new, let what runs finish within ``limits.drain_seconds``, then end it."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self.connections):
            connection.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.bounds.drain_seconds):
                while self.connections:
                    await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def exchange(self) -> Exchange:
        """A new connection's course."""
        return Exchange(
            self.desk,
            self._options,
            head_bytes=self.bounds.header_bytes,
            media_bytes=self.bounds.media_bytes,
            early_bytes=self.settings.early_head_bytes,
            draining=self._draining,
        )

    def _options(self, method: bytes, last: bool) -> bytes:
        settings = self.settings
        preview = 0 if method == b"REQMOD" else settings.preview_bytes
        return wire.options(self.desk.istag(), method, preview, settings.connections, settings.options_seconds, close=last)

    def _draining(self) -> bool:
        return self.node.state.draining

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        pause = min(SWEEP_SECONDS, self.settings.idle_seconds / 4, self.bounds.header_seconds / 4)
        while True:
            await asyncio.sleep(pause)
            now = loop.time()
            for connection in list(self.connections):
                if now >= connection.deadline:
                    connection.late()


class Connection(asyncio.Protocol):
    """One client. ``deadline`` in the loop's seconds."""

    def __init__(self, door: IcapDoor) -> None:
        self._door = door
        self._exchange = door.exchange()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._paused = self._unwritable = self._ended = self._closed = False
        self._counted = self._refusals = 0
        self._task: asyncio.Task[None] | None = None
        self._stage = ""
        self._numbers, self._idle_seconds = door.node.traffic.numbers, door.settings.idle_seconds
        self.deadline = self._loop.time() + self._idle_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._door.connections.add(self)
        if len(self._door.connections) > self._door.settings.connections:
            self._door.node.traffic.problems += 1
            transport.write(wire.status(503, self._door.desk.istag(), close=True))
            self._exchange.end()
            self._after()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.connections.discard(self)
        self._transport = None
        self._exchange.end()

    def data_received(self, data: bytes) -> None:
        transport, answer = self._transport, None
        if transport is not None and not self._paused:
            try:
                answer = self._exchange.at_once(data)
            except Exception as error:  # noqa: BLE001  nothing is swallowed: logged by type and place, then read with care
                self._fault(error)
        if transport is None or answer is None:
            self._guarded(partial(self._exchange.read, data))
            return
        transport.write(answer)
        self._numbers[REQUESTS] += 1
        self._counted, self._stage = self._exchange.answered, ""
        self.deadline = self._loop.time() + self._idle_seconds

    def eof_received(self) -> bool:
        """A half-closed client still gets the answer that is being made for it; one with half a request gets nothing."""
        self._ended = True
        return self._exchange.looking is not None

    def pause_writing(self) -> None:
        self._unwritable = True
        self._steer()

    def resume_writing(self) -> None:
        self._unwritable = False
        self._steer()

    def late(self) -> None:
        """The deadline has passed."""
        if self._unwritable or self._exchange.closing:
            self.abort()
        elif self._exchange.looking is None:
            self._stage = ""
            self._guarded(self._exchange.late)

    def drain(self) -> None:
        """End the connection now if nothing is under way, else after the answer."""
        if self._exchange.idle:
            self._exchange.end()
            self._after()

    def abort(self) -> None:
        """End it without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001  nothing is swallowed: logged by type and place, answered as 500
            self._fault(error)
            self._exchange.fault()
        self._after()

    def _fault(self, error: Exception) -> None:
        self._door.node.traffic.faults += 1
        self._door.node.log.error("fault", **fault_of(error))

    def _after(self) -> None:
        """Write what is to be written, count, look into a file, set the next deadline."""
        exchange, transport = self._exchange, self._transport
        if transport is None:
            return
        out = exchange.take()
        if out:
            transport.write(out)
        traffic = self._door.node.traffic
        traffic.requests += exchange.answered - self._counted
        traffic.problems += exchange.refusals - self._refusals
        self._counted, self._refusals = exchange.answered, exchange.refusals
        if exchange.looking is not None and self._task is None:
            self._task = self._loop.create_task(self._look(exchange.looking))
        elif exchange.closing or (self._ended and exchange.looking is None):
            self._close(transport)
            return
        self._steer()
        self._rearm(bool(out))

    def _close(self, transport: asyncio.Transport) -> None:
        """Say that nothing more comes, and drop what the client still sends: a hard end could cost it the answer."""
        if self._closed:
            return
        self._closed = True
        self._exchange.end()
        self.deadline = self._loop.time() + LINGER_SECONDS
        if self._ended or transport.is_closing():
            transport.close()
        else:
            transport.write_eof()

    def _steer(self) -> None:
        """Read only while what comes can be dealt with."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        wanted = self._unwritable or self._exchange.looking is not None
        if wanted != self._paused:
            self._paused = wanted
            if wanted:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _rearm(self, answered: bool) -> None:
        """A head and a file have so long as a whole; everything else so long from one sign of life to the next."""
        exchange, bounds = self._exchange, self._door.bounds
        stage = "head" if exchange.in_head else "file" if exchange.collecting else ""
        if stage and stage == self._stage and not answered:
            return
        self._stage = stage
        seconds = bounds.header_seconds if stage == "head" else bounds.body_seconds if stage else self._door.settings.idle_seconds
        self.deadline = self._loop.time() + seconds

    async def _look(self, data: bytes) -> None:
        """Hash a file in a confined child, without holding up the loop."""
        found = await self._found(data)
        self._task = None
        if self._transport is not None:
            self._guarded(partial(self._exchange.looked, found))

    async def _found(self, data: bytes) -> ImageHashes | Unhashable | None:
        door, bounds = self._door.door, self._door.bounds
        try:
            door.enter_media()
        except RequestRefused:
            return None
        try:
            hashing = partial(door.decoder.hash_image, data, timeout=bounds.media_seconds)
            return await self._loop.run_in_executor(door.threads, hashing)
        except (UnavailableError, RuntimeError):  # the children are gone, or the threads: the node is stopping
            return None
        finally:
            door.leave_media()

"""The sockets of the hidden primary: UDP and TCP on one port, TLS on another (RFC 9103), and the thread of its zone.

Bounded: connections, seconds without a word, seconds without reading; transfers by the desk.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, Final

from vigil.base.errors import InputError
from vigil.edge.dns.certificate import tls_of
from vigil.edge.dns.clients import Clients
from vigil.edge.dns.handshakes import Bounds, Handshakes
from vigil.edge.dns.server import BACKLOG, socket_at, sockets_at
from vigil.edge.dns.upstream import FRAME_BYTES
from vigil.edge.dns.wire import HEADER_BYTES
from vigil.edge.journal import fault_of
from vigil.edge.node import Node
from vigil.edge.rounds import Rounds
from vigil.edge.rpz.desk import Desk
from vigil.edge.rpz.files import ZoneFile
from vigil.edge.rpz.keeper import Keeper
from vigil.edge.rpz.notifier import Notifier
from vigil.edge.rpz.settings import Rpz, read_keys
from vigil.edge.rpz.tsig import Key
from vigil.edge.rpz.zone import Zone
from vigil.edge.tables import endpoint_of

FOLDER: Final = "rpz"
ALPN: Final = ("dot",)
STOP_SECONDS: Final = 3.0
WRITE_BYTES: Final = 256 * 1024


class RpzDoor:
    """The hidden primary of one node. Lives in the loop of the HTTP door; its zone is kept by a thread of its own."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.settings: Rpz = node.config.file.rpz
        paths = node.config.rpz
        self.clients = Clients(self.settings.secondaries)
        keys = read_keys(paths.keys) if paths.keys is not None else {}
        policy = self.settings.policy()
        self.keeper = Keeper(
            node.config.state / FOLDER,
            paths.names,
            self.settings.versions,
            lambda: node.state.enforced,
            self._changed,
            node.log,
            dry=node.config.file.policy.mode == "dry_run",
        )
        self.desk = Desk(
            self.settings.zone, policy, keys, lambda: (self.keeper.zone, self.keeper.history), self.settings.transfers
        )
        servers = tuple(found for each in self.settings.notify if (found := endpoint_of(each)) is not None)
        self.notifier = Notifier(
            self.settings.zone, policy, servers, self._notify_key(keys), lambda: self.keeper.zone, node.clock, node.log
        )
        self._file = ZoneFile(paths.file, self.settings, policy, node.log) if paths.file is not None else None
        self._tls = tls_of(paths.certificate, paths.key, paths.clients, ALPN) if paths.certificate and paths.key else None
        self._thread = Rounds("rpz", self._round, node.log)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._udp: asyncio.DatagramTransport | None = None
        self._servers: list[asyncio.Server | Handshakes] = []
        self._open: set[asyncio.Task[None]] = set()
        self.port = self.tls_port = 0

    async def start(self) -> None:
        """Listen, and begin to keep the zone. Raises UnavailableError where a port is taken."""
        self._loop = loop = asyncio.get_running_loop()
        udp, tcp = sockets_at(self.settings.host, self.settings.port)
        self.port = udp.getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(lambda: Datagrams(self), sock=udp)
        self._servers.append(await asyncio.start_server(self._connected, sock=tcp, backlog=BACKLOG))
        if self._tls is not None and self.settings.tls_port is not None:
            over_tls = socket_at(self.settings.host, self.settings.tls_port, tcp.type)
            self.tls_port = over_tls.getsockname()[1]
            self._servers.append(Handshakes(over_tls, self._tls, self._streams, self._bounds(), BACKLOG))
        self.node.swaps.append(self._thread.wake)
        self._thread.start()
        self.node.log.info("listening_rpz", host=self.settings.host, port=self.port)

    def _bounds(self) -> Bounds:
        settings = self.settings
        return Bounds(lambda: len(self._open), settings.connections, settings.idle_seconds, self.clients.may_ask, self._refused)

    def _refused(self) -> None:
        self.desk.problems += 1

    def _streams(self) -> asyncio.Protocol:
        loop = asyncio.get_running_loop()
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), self._connected, loop=loop)

    async def stop(self) -> None:
        """Take nothing new; transfers get ``limits.drain_seconds``, then end."""
        for server in self._servers:
            server.close()
        await asyncio.to_thread(self._thread.stop, STOP_SECONDS)
        if self._open:
            await asyncio.wait(self._open, timeout=min(1.0, self.node.config.file.limits.drain_seconds))
        for task in list(self._open):
            task.cancel()
        await self.notifier.stop()
        if self._udp is not None:
            self._udp.close()

    def answer(self, raw: bytes, host: str) -> bytes:
        """The answer to a datagram; empty for none."""
        try:
            found = self.desk.on_message(raw, self._now(), tcp=False, allowed=self.clients.may_ask(host))
            return next(found, b"")
        except Exception as error:  # noqa: BLE001  nothing is swallowed: logged by type and place; silence makes the asker try again
            self._fault(error)
            return b""

    def _now(self) -> int:
        return int(self.node.clock.now().timestamp())

    def _notify_key(self, keys: dict[str, Key]) -> Key | None:
        name = self.settings.notify_key
        if name is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        if name not in keys:
            raise InputError("keys_unusable", "The key of rpz.notify_key is not in the file.", where="rpz.notify_key")
        return keys[name]

    def _round(self) -> float:
        pause = self.keeper.round(self.node.clock.now(), self.settings.poll_seconds)
        if self._file is not None and self.keeper.zone is not None:
            pause = min(pause, self._file.round(self.keeper.zone))
        return pause

    def _changed(self, zone: Zone) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.notifier.notify)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        peer = writer.get_extra_info("peername")
        try:
            if len(self._open) > self.settings.connections or not peer or not self.clients.may_ask(peer[0]):
                self.desk.problems += 1
                writer.transport.abort()
                return
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._serve(reader, writer)
        except Exception as error:  # noqa: BLE001  logged by type and place; the connection ends
            self._fault(error)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One message after the other (RFC 7766 allows it); a secondary that stops reading or asking is dropped."""
        writer.transport.set_write_buffer_limits(high=WRITE_BYTES)
        while True:
            async with asyncio.timeout(self.settings.idle_seconds):
                size = int.from_bytes(await reader.readexactly(FRAME_BYTES), "big")
                if size < HEADER_BYTES:
                    self.desk.problems += 1
                    return
                raw = await reader.readexactly(size)
            for answer in self.desk.on_message(raw, self._now(), tcp=True, allowed=True):
                writer.write(len(answer).to_bytes(FRAME_BYTES, "big") + answer)
                async with asyncio.timeout(self.settings.idle_seconds):
                    await writer.drain()
                await asyncio.sleep(0)  # a long transfer must not keep the other doors waiting

    def _fault(self, error: Exception) -> None:
        self.node.traffic.faults += 1
        self.node.log.error("fault", **fault_of(error))


class Datagrams(asyncio.DatagramProtocol):
    """UDP: one message a datagram."""

    def __init__(self, door: RpzDoor) -> None:
        self._door = door
        self._transport: asyncio.DatagramTransport | None = None
        self._unwritable = False

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        answer = self._door.answer(data, addr[0]) if addr[1] else b""
        if answer and self._transport is not None and not self._unwritable:
            self._transport.sendto(answer, addr)

    def pause_writing(self) -> None:
        self._unwritable = True

    def resume_writing(self) -> None:
        self._unwritable = False

    def error_received(self, exc: Exception) -> None:
        """A secondary is gone; nothing to do."""

"""The sockets of the DNS door: UDP and TCP (RFC 7766) on one port, TLS and HTTPS on two more; all bounded."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final

from vigil.base.errors import UnavailableError
from vigil.edge.config import Dns
from vigil.edge.dns import web
from vigil.edge.dns.certificate import tls_of
from vigil.edge.dns.clients import Clients
from vigil.edge.dns.connection import Client, Reply
from vigil.edge.dns.desk import Desk, Forward
from vigil.edge.dns.handshakes import Bounds, Handshakes
from vigil.edge.dns.upstream import FRAME_BYTES, Upstream
from vigil.edge.dns.wire import HEADER_BYTES
from vigil.edge.journal import fault_of
from vigil.edge.node import Node
from vigil.edge.tables import endpoint_of

SWEEP_SECONDS: Final = 0.25
BACKLOG: Final = 256
PIPELINED: Final = 32
UDP_BUFFER_BYTES: Final = 1 << 20
PORT_TRIES: Final = 16
DOT: Final = "dot"


class DnsDoor:
    """The DNS server of one node. Lives in the loop of the HTTP door."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.settings: Dns = node.config.file.dns
        self.desk = Desk(node, secrets.token_bytes(16))
        self.clients = Clients(self.settings.clients)
        self.connections: set[Client] = set()
        self.port = 0
        servers = tuple(found for each in self.settings.upstream if (found := endpoint_of(each)) is not None)
        self._upstream = Upstream(servers, self.settings.upstream_seconds, self.settings.waiting)
        self._tasks: set[asyncio.Task[None]] = set()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._others: list[Handshakes] = []
        self.tls_port = self.https_port = 0
        self._sweeper: asyncio.Task[None] | None = None
        self.stopping = False

    async def start(self) -> None:
        """Listen. Raises UnavailableError where the port is taken."""
        loop = asyncio.get_running_loop()
        udp, tcp = sockets_at(self.settings.host, self.settings.port, reuse=self.node.reuse_port)
        self.port = udp.getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(lambda: Datagrams(self), sock=udp)
        self._tcp = await loop.create_server(lambda: Connection(self), sock=tcp, backlog=BACKLOG)
        self._start_private()
        self._sweeper = loop.create_task(self._sweep())
        self.node.log.info("listening_dns", host=self.settings.host, port=self.port)

    def _bounds(self) -> Bounds:
        """Those of each of the two: connections of all kinds together, handshakes of each by itself."""
        most, seconds = self.settings.connections, self.settings.idle_seconds
        return Bounds(lambda: len(self.connections), most, seconds, self.clients.may_ask, self._refused)

    def _refused(self) -> None:
        self.node.traffic.problems += 1

    def _start_private(self) -> None:
        """DNS over TLS and over HTTPS, where they have a certificate."""
        settings, paths = self.settings, self.node.config.dns
        if paths.certificate is None or paths.key is None:
            return
        path = settings.https_path.encode("ascii")
        ways: list[tuple[int | None, tuple[str, ...], Callable[[], Client]]] = [
            (settings.tls_port, (DOT,), lambda: Connection(self, private=True)),
            (settings.https_port, web.PROTOCOLS, lambda: web.WebConnection(self, path)),
        ]
        ports = [0, 0]
        for place, (port, protocols, made) in enumerate(ways):
            if port is None:
                continue
            listener = socket_at(settings.host, port, socket.SOCK_STREAM, reuse=self.node.reuse_port)
            ports[place] = listener.getsockname()[1]
            tls = tls_of(paths.certificate, paths.key, None, protocols)
            self._others.append(Handshakes(listener, tls, made, self._bounds(), BACKLOG))
        self.tls_port, self.https_port = ports

    async def stop(self) -> None:
        """Take nothing new, let what waits for the upstream be answered within ``limits.drain_seconds``, then end."""
        if self._udp is None or self._tcp is None:
            return
        self.stopping = True
        self._tcp.close()
        for listener in self._others:
            listener.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.node.config.file.limits.drain_seconds):
                while self._tasks:
                    await asyncio.sleep(0.02)
        for task in list(self._tasks):
            task.cancel()
        for connection in list(self.connections):
            connection.close()
        self._udp.close()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def remembered(self, message: bytes) -> bytes | None:
        """The answer to a datagram that was answered before; None where it must be dealt with in full."""
        try:
            return self.desk.remembered(message)
        except Exception as error:  # noqa: BLE001  nothing is swallowed: logged by type and place, then dealt with in full
            self._fault(error, message)
            return None

    def handle(self, message: bytes, reply: Reply, *, tcp: bool, allowed: bool = True, private: bool = False) -> None:
        """Deal with one message; ``reply`` is called once, now or later, with the answer, or with nothing for none."""
        try:
            found = self.desk.on_message(message, tcp=tcp, allowed=allowed, private=private)
        except Exception as error:  # noqa: BLE001  nothing is swallowed: logged by type and place, answered as SERVFAIL
            found = self._fault(error, message)
        if isinstance(found, Forward):
            self._later(self._forward(found, message, reply, tcp=tcp))
        else:
            reply(found or b"")

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, asked: Forward, message: bytes, reply: Reply, *, tcp: bool) -> None:
        try:
            answer = await self._upstream.ask(asked, tcp=tcp)
            found: bytes | None = self.desk.failed(asked) if answer is None else self.desk.returned(asked, answer)
        except Exception as error:  # noqa: BLE001  as above
            found = self._fault(error, message)
        reply(found or b"")

    def _fault(self, error: Exception, message: bytes) -> bytes | None:
        self.node.traffic.faults += 1
        self.node.log.error("fault", **fault_of(error))
        return self.desk.fault(message)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        pause = min(SWEEP_SECONDS, self.settings.idle_seconds / 4)
        while True:
            await asyncio.sleep(pause)
            now = loop.time()
            for connection in list(self.connections):
                if now >= connection.deadline:
                    connection.late()


class Datagrams(asyncio.DatagramProtocol):
    """UDP: one message a datagram."""

    def __init__(self, door: DnsDoor) -> None:
        self._door = door
        self._transport: asyncio.DatagramTransport | None = None
        self._unwritable = False

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        door = self._door
        if door.stopping or addr[1] == 0:
            return
        allowed = door.clients.may_ask(addr[0])
        answer = door.remembered(data) if allowed else None
        if answer is not None:
            self._send(answer, addr)
        else:
            door.handle(data, lambda answer: self._send(answer, addr), tcp=False, allowed=allowed)

    def _send(self, answer: bytes, addr: tuple[Any, ...]) -> None:
        transport = self._transport
        if answer and transport is not None and not transport.is_closing() and not self._unwritable:
            transport.sendto(answer, addr)

    def pause_writing(self) -> None:
        self._unwritable = True

    def resume_writing(self) -> None:
        self._unwritable = False

    def error_received(self, exc: Exception) -> None:
        """A client is gone; nothing to do."""


class Connection(Client):
    """TCP, plain or behind TLS (RFC 7858): messages behind their length, answered as they are ready (RFC 7766 6.2.1).

    ``private``: nobody on the way can read the answers.
    """

    def __init__(self, door: DnsDoor, *, private: bool = False) -> None:
        super().__init__(door)
        self._private = private
        self._buffer = bytearray()
        self._waiting = 0
        self._ended = self._working = False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._buffer.clear()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self.go_on()

    def eof_received(self) -> bool:
        """A half-closed client still gets its answers; over TLS there is no half."""
        self._ended = True
        if self._private:
            return False
        return bool(self._waiting or (self._transport and self._transport.get_write_buffer_size()))

    def late(self) -> None:
        """A question that waits for the upstream is no silence."""
        if not self._waiting or self.unwritable:
            self.abort()

    def go_on(self) -> None:
        """Take whole messages while there is room for their answers."""
        if self._working:
            return
        self._working = True
        while self._may_take() and (message := self._taken()) is not None:
            self._waiting += 1
            self.touch()
            self.door.handle(message, self._answer, tcp=True, private=self._private)
        self._working = False
        self._settle()

    def _may_take(self) -> bool:
        return self._waiting < PIPELINED and not self.unwritable and not self.is_closing() and not self.door.stopping

    def _taken(self) -> bytes | None:
        """The next whole message; a length below a header's ends the connection."""
        if len(self._buffer) < FRAME_BYTES:
            return None
        size = int.from_bytes(self._buffer[:FRAME_BYTES], "big")
        if size < HEADER_BYTES:
            self.door.node.traffic.problems += 1
            self.abort()
            return None
        if len(self._buffer) < FRAME_BYTES + size:
            return None
        message = bytes(self._buffer[FRAME_BYTES : FRAME_BYTES + size])
        del self._buffer[: FRAME_BYTES + size]
        return message

    def _answer(self, answer: bytes) -> None:
        """An answer, or nothing, to a message taken earlier."""
        self._waiting -= 1
        if self.is_closing():
            return
        if answer:
            self.write(len(answer).to_bytes(FRAME_BYTES, "big") + answer)
        self.go_on()

    def _settle(self) -> None:
        """End once a half-closed client has all its answers; else read on while there is room."""
        if self._ended and not self._waiting:
            self.close()
        elif not self._ended:
            self.steer(self.unwritable or self._waiting >= PIPELINED)


def sockets_at(host: str, port: int, *, reuse: bool = False) -> tuple[socket.socket, socket.socket]:
    """A UDP and a listening TCP socket on one port; with port 0 on any that is free for both."""
    for left in reversed(range(PORT_TRIES if port == 0 else 1)):
        udp = socket_at(host, port, socket.SOCK_DGRAM, reuse=reuse)
        try:
            return udp, socket_at(host, udp.getsockname()[1], socket.SOCK_STREAM, reuse=reuse)
        except UnavailableError:
            udp.close()
            if not left:
                raise
    raise UnavailableError("port_taken", "No port is free for UDP and TCP.", where=host)


def socket_at(host: str, port: int, kind: socket.SocketKind, *, reuse: bool = False) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        if kind is socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER_BYTES)
        if reuse:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setblocking(False)
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise UnavailableError(
            "port_taken", "The node cannot listen there.", where=f"{host} port {port}", mend="Choose a free port."
        ) from error
    return made

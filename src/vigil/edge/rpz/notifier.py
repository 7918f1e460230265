"""Tells secondaries that the zone has changed (RFC 1996), again and again until each has answered or the zone changed anew.

However often the zone changes, one message a secondary is under way at a time, and it names the newest version.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Any, Final

from vigil.base.clock import Clock
from vigil.edge.dns.wire import NOTIFY, Flag
from vigil.edge.rpz import tsig, wire
from vigil.edge.rpz.policy import Policy
from vigil.edge.rpz.tsig import Key, Signer, TsigError
from vigil.edge.rpz.wire import Malformed
from vigil.edge.rpz.zone import Zone

WAITS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds for an answer; RFC 1996 4.8 asks for at most a few tries
Server = tuple[str, int]


class Notifier:
    """``current``: the zone in force. Lives in one event loop."""

    def __init__(
        self,
        zone: str,
        policy: Policy,
        servers: tuple[Server, ...],
        key: Key | None,
        current: Callable[[], Zone | None],
        clock: Clock,
        log: Any,
    ) -> None:
        self._zone, self._policy, self._servers, self._key = zone, policy, servers, key
        self._current, self._clock, self._log = current, clock, log
        self._tasks: dict[Server, asyncio.Task[None]] = {}
        self.sent = 0

    def notify(self) -> None:
        """The zone has changed: begin to tell those who are not being told already."""
        for server in self._servers:
            task = self._tasks.get(server)
            if task is None or task.done():
                self._tasks[server] = asyncio.get_running_loop().create_task(self._tell(server))

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _tell(self, server: Server) -> None:
        """Until the secondary has heard of the version in force, or does not answer however long one waits."""
        told: int | None = None
        while (zone := self._current()) is not None and zone.serial != told:
            for wait in WAITS:
                if await self._told(server, zone, wait):
                    break
                zone = self._current() or zone
            else:
                self._log.warning("rpz_notify", code="no_answer", version=zone.serial)
            told = zone.serial

    async def _told(self, server: Server, zone: Zone, wait: float) -> bool:
        number = secrets.randbits(16)
        raw = wire.notify(number, self._zone, self._policy.soa(zone.serial), self._policy.ttl)
        if self._key is not None:
            raw = Signer(self._key, b"").sign(raw, int(self._clock.now().timestamp()))
        loop = asyncio.get_running_loop()
        self.sent += 1
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(wait):
                transport, exchange = await loop.create_datagram_endpoint(lambda: _Exchange(self, raw), remote_addr=server)
                try:
                    transport.sendto(raw)
                    return await exchange.answer
                finally:
                    transport.close()
        await asyncio.sleep(0)
        return False

    def answers(self, sent: bytes, raw: bytes) -> bool:
        """``raw`` is the secondary's word that it has heard ``sent``; unsigned words do not count where we signed."""
        try:
            message = wire.read_message(raw)
            if raw[:2] != sent[:2] or not message.flags & Flag.QR or message.opcode != NOTIFY:
                return False
            if self._key is None:
                return True
            found = tsig.signature_in(raw, message)
        except Malformed:
            return False
        if found is None:
            return False
        keys, now = {self._key.name: self._key}, int(self._clock.now().timestamp())
        return tsig.verify(found, keys, now, tsig.mac_of(sent)) is TsigError.NONE


class _Exchange(asyncio.DatagramProtocol):
    """One message on a connected socket, and the word that comes back."""

    def __init__(self, notifier: Notifier, sent: bytes) -> None:
        self._notifier, self._sent = notifier, sent
        self.answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.answer.done() and self._notifier.answers(self._sent, data):
            self.answer.set_result(True)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there now; the wait goes on, since a resolver that starts may hear the next one."""

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.cancel()

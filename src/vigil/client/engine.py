"""Asks a node: batches, attempts, pauses, the deadline. One engine belongs to one event loop; both clients stand on it.

It never raises because of a node or a network: what has no answer comes back as a failure with its cause.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import Final

from vigil.base.errors import InputError
from vigil.client import wire
from vigil.client.address import NodeAddress
from vigil.client.answers import AnswerBroken
from vigil.client.connections import Connections, ConnectionStaleError
from vigil.client.policy import Retries, Timeouts
from vigil.client.questions import Signal
from vigil.client.results import Cause
from vigil.client.wire import Failure, Found

Outcome = Found | Failure
ISOLATED: Final = 16  # signals that a node may refuse one by one before the rest of their batch is given up
AHEAD: Final = 2  # batches of one call that are written out at once, for each connection: one on its way, one ready or pausing


@dataclass(frozen=True, slots=True)
class Settings:
    """All that an engine is told."""

    address: NodeAddress
    timeouts: Timeouts
    retries: Retries
    connections: int
    tls: ssl.SSLContext | None = None


class Engine:
    """Signals in, one outcome for each out, in order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._random = SystemRandom()
        self.connections = Connections(settings.address, settings.connections, settings.timeouts.connect, settings.tls)

    async def ask(self, signals: Sequence[Signal], seconds: float | None = None) -> list[Outcome]:
        """The outcome of each signal; all is over within ``seconds``. Few batches are written out at once, however many come."""
        self._check_loop()
        until = self._loop.time() + (seconds or self._settings.timeouts.call)
        room = asyncio.Semaphore(self._settings.connections * AHEAD)
        outcomes: list[Outcome] = []
        asked: list[asyncio.Task[list[Outcome]]] = []
        try:
            for batch in wire.batches(signals):
                await room.acquire()
                task = asyncio.create_task(self._batch(batch, until))
                task.add_done_callback(lambda _: room.release())
                asked.append(task)
            for task in asked:
                outcomes += await task
        finally:
            for task in asked:
                task.cancel()
        return outcomes

    async def send(self, data: bytes) -> Outcome:
        """The outcome of one file that is sent whole, once."""
        self._check_loop()
        request = wire.request_head(self._settings.address, wire.FILE, len(data)) + data
        seconds = self._settings.timeouts.upload
        found = await self._attempt(request, None, self._loop.time() + seconds, seconds, fresh=True)
        return found if isinstance(found, Failure) else found[0]

    async def close(self) -> None:
        """End the connections."""
        await self.connections.close()

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise InputError("other_loop", "This client belongs to another event loop.", mend="Make one client in each loop.")

    async def _batch(self, signals: list[Signal], until: float, isolated: int = 0) -> list[Outcome]:
        """A batch; one that is too long for this node is halved, a signal the node cannot read is set aside."""
        if self._loop.time() >= until:
            return [Failure(Cause.DEADLINE, again=True) for _ in signals]
        body = wire.batch_body(signals)
        request = wire.request_head(self._settings.address, wire.JSON, len(body)) + body
        found = await self._attempts(request, len(signals), until)
        if not isinstance(found, Failure):
            return list(found)
        if found.too_long and len(signals) > 1:
            middle = len(signals) // 2
            return await self._batch(signals[:middle], until) + await self._batch(signals[middle:], until)
        at = found.item
        if at is None or at >= len(signals) or isolated >= ISOLATED:
            return [replace(found, item=None) for _ in signals]
        rest = signals[:at] + signals[at + 1 :]
        others = await self._batch(rest, until, isolated + 1) if rest else []
        return [*others[:at], found, *others[at:]]

    async def _attempts(self, request: bytes, count: int, until: float) -> list[Found] | Failure:
        number, fresh = 1, False
        while True:
            try:
                found = await self._attempt(request, count, until, self._settings.timeouts.attempt, fresh=fresh)
            except ConnectionStaleError:  # can happen once: the next goes out on a connection of its own
                fresh = True
                continue
            if not isinstance(found, Failure) or not found.again or number >= self._settings.retries.attempts:
                return found
            pause = max(found.after, self._random.uniform(0, self._settings.retries.most(number)))
            if self._loop.time() + pause >= until:
                return found
            await asyncio.sleep(pause)
            number += 1

    async def _attempt(
        self, request: bytes, count: int | None, until: float, seconds: float, *, fresh: bool
    ) -> list[Found] | Failure:
        """One exchange. The time for it begins when it has a connection to go out on, the deadline is absolute."""
        try:
            async with asyncio.timeout_at(until):
                answer = await self.connections.exchange(request, seconds, fresh=fresh)
        except ConnectionStaleError:
            raise
        except TimeoutError:
            return Failure(Cause.DEADLINE, again=True)
        except ssl.SSLCertVerificationError:
            return Failure(Cause.CERTIFICATE_REFUSED, again=False)
        except AnswerBroken:
            return Failure(Cause.ANSWER_BROKEN, again=True)
        except (OSError, UnicodeError):  # UnicodeError: a host name that the resolver's IDNA codec refuses
            return Failure(Cause.UNREACHABLE, again=True)
        return wire.verdicts_of(answer, count)

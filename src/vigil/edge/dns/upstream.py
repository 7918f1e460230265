"""Asks the operator's resolvers for names that are not listed. Nothing is kept: no cache, no name.

Each question over UDP has a socket of its own, so that a stranger who wants to slip in an answer must guess the port
(chosen by the kernel) and the id (chosen here at random), and is heard only from the resolver's address (RFC 5452).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import Final

from vigil.edge.dns import answers
from vigil.edge.dns.desk import Forward

FRAME_BYTES: Final = 2
Server = tuple[str, int]


class Upstream:
    """The resolvers, in the order in which they are tried, each for ``seconds``; at most ``waiting`` questions at a time."""

    def __init__(self, servers: tuple[Server, ...], seconds: float, waiting: int) -> None:
        self._servers, self._seconds, self._left = servers, seconds, waiting

    async def ask(self, asked: Forward, *, tcp: bool) -> bytes | None:
        """The first answer that fits the question; None where none comes, or too many wait."""
        if self._left <= 0:
            return None
        self._left -= 1
        try:
            for server in self._servers:
                with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                    async with asyncio.timeout(self._seconds):
                        return await (_over_tcp(server, asked) if tcp else _over_udp(server, asked))
            return None
        finally:
            self._left += 1


async def _over_udp(server: Server, asked: Forward) -> bytes:
    number = secrets.randbits(16)
    loop = asyncio.get_running_loop()
    transport, exchange = await loop.create_datagram_endpoint(lambda: _Exchange(asked, number), remote_addr=server)
    try:
        transport.sendto(answers.forwarded(asked.query, number, asked.room))
        return await exchange.answer
    finally:
        transport.close()


async def _over_tcp(server: Server, asked: Forward) -> bytes:
    number = secrets.randbits(16)
    reader, writer = await asyncio.open_connection(*server)
    try:
        message = answers.forwarded(asked.query, number, answers.OUR_PAYLOAD)
        writer.write(len(message).to_bytes(FRAME_BYTES, "big") + message)
        while True:
            size = int.from_bytes(await reader.readexactly(FRAME_BYTES), "big")
            answer = await reader.readexactly(size)
            if answers.answers_to(answer, number, asked.query):
                return answer
    finally:
        writer.close()


class _Exchange(asyncio.DatagramProtocol):
    """One question on one connected socket; what is no answer to it is not heard."""

    def __init__(self, asked: Forward, number: int) -> None:
        self._query, self._number = asked.query, number
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.answer.done() and answers.answers_to(data, self._number, self._query):
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there: the next resolver is asked at once."""
        if not self.answer.done():
            self.answer.set_exception(exc if isinstance(exc, OSError) else OSError("unreachable"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.cancel()

"""One HTTP/1.1 exchange at a time over a connection that is kept: asyncio streams, bounded in number and time."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from vigil.client.address import NodeAddress
from vigil.client.answers import AnswerReader, HttpAnswer

PIECE = 64 * 1024


class ConnectionStaleError(OSError):
    """A kept connection had been closed by the other side: nothing of an answer came."""


@dataclass(slots=True)
class Line:
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False

    async def exchange(self, request: bytes) -> HttpAnswer:
        """Send a request, read the whole answer. Raises AnswerBroken, OSError."""
        reader = AnswerReader()
        try:
            self.writer.write(request)
            await self.writer.drain()
        except OSError:  # the other side may have answered and closed before it read all
            if self.used:
                raise ConnectionStaleError from None
        while reader.answer is None:
            data = await self.reader.read(PIECE)
            if not data and not reader.started:
                raise ConnectionStaleError if self.used else ConnectionResetError
            reader.feed(data)
        self.used = True
        return reader.answer

    def is_quiet(self) -> bool:
        """Open, and nothing came since the last answer: leftovers would be read as the answer to another question."""
        step = self.reader.read(1)
        try:
            step.send(None)  # ends at once where there are bytes or the end, and waits otherwise
        except StopIteration:
            return False
        except OSError:
            return False
        step.close()
        return not self.writer.is_closing()

    def close(self) -> None:
        """End the connection, whether or not its loop has ended before: then nothing runs that would do it."""
        try:
            self.writer.transport.abort()
        except RuntimeError:
            with suppress(OSError):  # the other side may have ended it
                self.writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class Connections:
    """At most ``most`` at once; idle ones are kept for the next question. Belongs to one event loop."""

    def __init__(self, address: NodeAddress, most: int, connect: float, tls: ssl.SSLContext | None) -> None:
        self._address = address
        self._connect = connect
        self._tls = (tls or ssl.create_default_context()) if address.tls else None
        self._places = asyncio.Semaphore(most)
        self._idle: deque[Line] = deque()
        self._closed = False
        self.opened = 0

    async def exchange(self, request: bytes, seconds: float, *, fresh: bool = False) -> HttpAnswer:
        """One question, one answer within ``seconds`` of going out; ``fresh`` on a connection of its own.

        An exchange that was cancelled, late or broken ends its connection.
        """
        async with self._places:
            line = await self._line(fresh)
            keep = False
            try:
                async with asyncio.timeout(seconds):
                    answer = await line.exchange(request)
                keep = answer.reusable
                return answer
            finally:
                if keep and not self._closed:  # an answer that came after the end leaves nothing open
                    self._idle.append(line)
                else:
                    line.close()

    async def _line(self, fresh: bool) -> Line:
        while self._idle and not fresh:
            line = self._idle.pop()
            if line.is_quiet():
                return line
            line.close()
        async with asyncio.timeout(self._connect):
            reader, writer = await asyncio.open_connection(self._address.host, self._address.port, ssl=self._tls)
        self.opened += 1
        return Line(reader, writer)

    async def close(self) -> None:
        """End all idle connections, and each other one with its answer."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        await asyncio.sleep(0)  # the loop takes note of the ends

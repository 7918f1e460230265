"""The event stream of the partner door: each node that listens hears of a new signature at once, and pulls.

Server-sent events (``text/event-stream``) on a port of their own, in one thread of the door's process: a connection costs
a socket and a few kilobytes, no worker. What is told is a number only, the version of ``timestamp.json``; what it leads to
is fetched and verified as always. Nothing depends on an event: a node polls besides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec

from vigil.base.limits import Limit

log = logging.getLogger(__name__)

PATH: Final = "/v1/events"
HEAD_BYTES: Final = Limit(8 * 1024, "bytes", "the head of a request is read whole before the token is known")
LISTENERS: Final = Limit(5000, "connections", "each costs a socket and a few kilobytes")
UNREAD_BYTES: Final = Limit(4096, "bytes", "who does not read what a few minutes bring is gone")
HEAD_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.2
BEAT_SECONDS: Final = 15.0
STREAM_SECONDS: Final = 15 * 60.0  # then the listener asks again, and its token is looked at again
_REQUEST: Final = re.compile(rb"GET (/[\x21-\x7e]*) HTTP/1\.[01]\r\n")
_TOKEN: Final = re.compile(rb"\r\nauthorization:[ \t]*([\x20-\x7e]+?)[ \t]*\r\n", re.IGNORECASE)


class _Version(msgspec.Struct):
    version: int


class _Timestamp(msgspec.Struct):
    signed: _Version


class EventStream:
    """``timestamp``: the file that is watched. ``admits``: whether an ``Authorization`` header may listen; may wait."""

    def __init__(self, timestamp: Path, admits: Callable[[str], Awaitable[bool]]) -> None:
        self._timestamp = timestamp
        self._admits = admits
        self._listeners: set[asyncio.StreamWriter] = set()
        self._seen: tuple[int, int, int] | None = None
        self._version: int | None = None

    def __len__(self) -> int:
        return len(self._listeners)

    async def serve(self, host: str, port: int, ready: Callable[[int], None] = lambda port: None) -> None:
        """Serve until cancelled; ``ready`` is told the port."""
        server = await asyncio.start_server(self._answer, host, port, limit=HEAD_BYTES.value, backlog=512)
        async with server:
            ready(server.sockets[0].getsockname()[1])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch())
                tasks.create_task(self._beat())

    async def _watch(self) -> None:
        """Tell everyone when another file stands under the name: it is always replaced, never written to."""
        while True:
            if self._look() and self._version is not None:
                self._tell(_event(self._version))
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> bool:
        try:
            found = self._timestamp.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen == self._seen:
                return False
            self._version = msgspec.json.decode(self._timestamp.read_bytes(), type=_Timestamp).signed.version
        except (OSError, msgspec.DecodeError) as error:
            log.debug("no timestamp to tell of", extra={"fields": {"error": type(error).__name__}})
            return False
        self._seen = seen
        return True

    async def _beat(self) -> None:
        """A line now and then, so that a connection that broke in silence is noticed on both sides."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._tell(b":\n\n")

    def _tell(self, data: bytes) -> None:
        for writer in list(self._listeners):
            if writer.transport.is_closing() or writer.transport.get_write_buffer_size() > UNREAD_BYTES.value:
                writer.transport.abort()
            else:
                writer.write(data)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            status = await self._status(reader)
            if status is not HTTPStatus.OK:
                writer.write(_refusal(status))
                await asyncio.wait_for(writer.drain(), HEAD_SECONDS)
                return
            self._listeners.add(writer)
            writer.write(_HEAD + (_event(self._version) if self._version is not None else b""))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STREAM_SECONDS):
                    while await reader.read(HEAD_BYTES.value):
                        pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("a listener left", extra={"fields": {"error": type(error).__name__}})
        finally:
            self._listeners.discard(writer)
            writer.close()

    async def _status(self, reader: asyncio.StreamReader) -> HTTPStatus:
        """What to answer, from the head of the request."""
        async with asyncio.timeout(HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        found = _REQUEST.match(head)
        if not found:
            return HTTPStatus.BAD_REQUEST
        if found[1].decode("ascii") != PATH:
            return HTTPStatus.NOT_FOUND
        token = _TOKEN.search(head)
        if token is None or not await self._admits(token[1].decode("ascii")):
            return HTTPStatus.UNAUTHORIZED
        return HTTPStatus.OK if len(self._listeners) < LISTENERS.value else HTTPStatus.SERVICE_UNAVAILABLE


_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n"
    b"X-Accel-Buffering: no\r\n\r\nretry: 5000\n\n"
)


def _event(version: int) -> bytes:
    return b"event: edition\nid: %d\ndata: %d\n\n" % (version, version)


def _refusal(status: HTTPStatus) -> bytes:
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "code": status.name.lower()}
    body = msgspec.json.encode(problem)
    extra = "WWW-Authenticate: Bearer\r\n" if status is HTTPStatus.UNAUTHORIZED else ""
    extra += "Retry-After: 60\r\n" if status is HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/problem+json\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body

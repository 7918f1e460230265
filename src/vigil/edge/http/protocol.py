"""uvicorn's HTTP protocol with bounds on what slow, silent and half-closed clients may cost.

uvicorn bounds only the pause between requests. Here also: the time and size of a request's head, a connection that says
nothing, an answer that nobody reads, and the number of connections. Refusals are problem documents.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vigil.edge.config import Limits
from vigil.edge.http.replies import RequestRefused, problem_reply

PHRASES: Final = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    bounds: ClassVar[Limits] = Limits()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            self._refuse(503, "connections", "Too many connections are open.", "Try again shortly.")
            return
        self._arm(self.bounds.idle_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing() or self.parser is None:
            return
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.bounds.header_bytes:
                self._refuse(431, "head_too_large", "The head of the request is too large.", "Use POST for long values.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._arm(self.bounds.header_seconds)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._disarm()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_unread()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_unread()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_unread()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_watching()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "http_malformed", "This is not a valid HTTP request.", "Check the client.")

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _watch_unread(self) -> None:
        """What the client does not read within the idle time is dropped with the connection."""
        if self._unread is None and self.transport.get_write_buffer_size():
            self._unread = self.loop.call_later(self.bounds.idle_seconds, self.transport.abort)

    def _stop_watching(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _too_slow(self) -> None:
        if self._in_head:
            self._refuse(408, "head_slow", "The head of the request did not arrive in time.", "Send it at once.")
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, what: str, mend: str) -> None:
        if self.transport.is_closing():
            return
        self._disarm()
        reply = problem_reply(RequestRefused(status, code, what, mend=mend, close=True))
        lines = [b"HTTP/1.1 %d %s" % (status, PHRASES[status]), b"content-length: %d" % len(reply.body)]
        lines += [name + b": " + value for name, value in reply.headers]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + reply.body)
        self.transport.close()
        self._watch_unread()


def protocol_with(bounds: Limits) -> type[GuardedProtocol]:
    """The protocol of a node with these bounds."""
    return type("NodeProtocol", (GuardedProtocol,), {"bounds": bounds})

"""uvicorn's HTTP protocol with bounds on what slow, silent and half-closed clients may cost.

uvicorn bounds only the pause between requests. Here also: the time and size of a request's head, a connection that says
nothing, an answer that nobody reads, and the number of connections. Refusals are problem documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vigil.edge.config import Limits
from vigil.edge.forward_auth.addresses import Pairs
from vigil.edge.http.bodies import BODY_SLOW, BODY_SLOW_MEND, BODY_SLOW_TEXT
from vigil.edge.http.plain import PlainPost, plain_post, plain_request
from vigil.edge.http.replies import Reply, RequestRefused, problem_reply

PHRASES: Final = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


WRITE_BYTES: Final = 65536  # answers that are put together before they are written
HEAD_END: Final = b"\r\n\r\n"
OF_A_BODY: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})


class Incoming(Protocol):
    """A body that goes where it is needed, piece by piece. ``left``: bytes that are still to come."""

    left: int

    def take(self, data: memoryview) -> int:
        """The number of bytes at the beginning of ``data`` that belong to the body, and are taken."""
        ...

    def close(self) -> None:
        """It will not be whole."""
        ...


class Direct(Protocol):
    """Knows answers that need no waiting."""

    def direct(self, path: bytes, query: bytes, client: str, headers: Pairs) -> Reply | None:
        """The answer to a GET without a body; None where it takes a task."""
        ...

    def refused(self) -> None:
        """Count a request or a connection that the protocol itself turned away."""
        ...


class Uploads(Protocol):
    """Takes files that need no task."""

    def upload(self, found: PlainPost) -> Incoming | None:
        """Where the body goes that ``found`` announces, if it is a file that needs no task; None for all others."""
        ...

    def judge(self, upload: Any, answered: Callable[[Reply], None]) -> None:
        """Close an upload that is whole, and have ``answered`` called in the loop with its answer."""
        ...


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    bounds: ClassVar[Limits] = Limits()
    desk: ClassVar[Direct | None] = None
    uploads: ClassVar[Uploads | None] = None
    last: ClassVar[tuple[object, object, bytes]] = (None, None, b"")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._due: float | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_bytes = 0
        self._answered = False
        self._between = True
        self._held = b""
        self._upload: Incoming | None = None
        self._last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            self._refuse(503, "connections", "Too many connections are open.", "Try again shortly.")
            return
        self._arm(self.bounds.idle_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._stop_watching()
        if self._upload is not None and self._upload.left:
            self._upload.close()
        self._upload = None
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self._upload is None:
            super().shutdown()
        self._last = True

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing() or self.parser is None:
            return
        if self._upload is not None:
            self._take(self._upload, memoryview(data))
            return
        if self._between:
            data = self._held + data
            data, self._held = data[self._answered_by_one_look(data) :], b""
            if data and self.flow.write_paused:
                self._held = data  # for when the client has taken its answers; until then nothing more is read from it
                self.flow.pause_reading()
                return
            if not data or self._began_upload(data):
                return
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data) - (data.rfind(HEAD_END) + len(HEAD_END) if HEAD_END in data else 0)
            if self._head_bytes > self.bounds.header_bytes:
                self._refuse(431, "head_too_large", "The head of the request is too large.", "Use POST for long values.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes, self._between = True, 0, False
        self._arm(self.bounds.header_seconds)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._disarm()
        self._answered = self._answered_directly()
        if not self._answered:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._between = True
        if not self._answered:
            super().on_message_complete()

    def _answered_by_one_look(self, data: bytes) -> int:
        """The same for requests that came whole, one behind the other: they are not even parsed. The bytes that are done with."""
        desk, paused = self.desk, self.flow
        if desk is None or (self.cycle is not None and not self.cycle.response_complete) or self.pipeline:
            return 0
        done, client, waiting, size = 0, self.client[0] if self.client else "", [], 0
        while done < len(data) and not paused.write_paused:
            found = plain_request(data, done)
            if found is None or found.end - done > self.bounds.header_bytes:
                break
            reply = desk.direct(found.path, found.query, client, found.fields)
            if reply is None:
                break
            waiting.append(self._bytes_of(reply))
            size, done = size + len(waiting[-1]), found.end
            if size >= WRITE_BYTES:
                self._write(b"".join(waiting))
                waiting, size = [], 0
        if waiting:
            self._write(b"".join(waiting))
        return done

    def _began_upload(self, data: bytes) -> bool:
        """The same for one file whose head came whole: its bytes go where the decoder reads them, and nowhere else."""
        desk = self.uploads
        if desk is None or (self.cycle is not None and not self.cycle.response_complete) or self.pipeline:
            return False
        found = plain_post(data)
        upload = desk.upload(found) if found is not None and found.end <= self.bounds.header_bytes else None
        if found is None or upload is None:
            return False
        self._unset_keepalive_if_required()
        self._upload = upload
        self._arm(self.bounds.body_seconds)
        self._take(upload, memoryview(data)[found.end :])
        return True

    def _take(self, upload: Incoming, data: memoryview) -> None:
        """What comes behind the file waits until the file is answered; nothing more is read from the client until then."""
        wanted = upload.left > 0
        taken = upload.take(data)
        if taken < len(data):
            self._held += data[taken:]
            self.flow.pause_reading()
        if wanted and not upload.left and self.uploads is not None:
            self._disarm()
            self.uploads.judge(upload, self._uploaded)

    def _uploaded(self, reply: Reply) -> None:
        if self._upload is None or self.transport.is_closing():
            return
        self._upload = None
        self._write(self._bytes_of(reply))
        if self._last:
            self.transport.close()
            self._watch_unread()
            return
        self._go_on()

    def _go_on(self) -> None:
        """Take up what waited, and read on; not while a whole file waits for its answer, or answers for the client."""
        if self._upload is None:
            held, self._held = self._held, b""
            if held:
                self.data_received(held)
        if not self.pipeline and not self.flow.write_paused and (self._upload is None or self._upload.left):
            self.flow.resume_reading()

    def _bytes_of(self, reply: Reply) -> bytes:
        """Almost all replies are one and the same: its bytes are kept for as long as the date in them is right."""
        more, protocol = self.server_state.default_headers, type(self)
        kept = protocol.last
        if kept[0] is not reply or kept[1] is not more:
            protocol.last = kept = (reply, more, _written(reply, more))
        return kept[2]

    def _write(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self.transport.write(data)
        self._arm(self.bounds.idle_seconds)

    def _answered_directly(self) -> bool:
        """A GET without a body that :attr:`desk` knows an answer to, while nothing else is under way, makes no task."""
        desk, parser, url = self.desk, self.parser, self.url
        if desk is None or (self.cycle is not None and not self.cycle.response_complete) or self.pipeline:
            return False
        if parser.get_method() != b"GET" or not parser.should_keep_alive() or parser.should_upgrade():
            return False
        if not url.startswith(b"/") or b"#" in url or any(name in OF_A_BODY for name, _ in self.headers):
            return False
        path, _, query = url.partition(b"?")
        reply = desk.direct(path, query, self.client[0] if self.client else "", self.headers)
        if reply is None:
            return False
        self._write(self._bytes_of(reply))
        return True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_unread()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_unread()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.flow.pause_reading()  # who does not read answers is not read from: what waits for them is bounded
        self._watch_unread()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_watching()
        self._go_on()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "http_malformed", "This is not a valid HTTP request.", "Check the client.")

    def _arm(self, seconds: float) -> None:
        """Set the deadline. One timer serves many: it looks again where it rings too early."""
        self._due = self.loop.time() + seconds
        if self._timer is None or self._timer_at > self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = self._due
            self._timer = self.loop.call_later(seconds, self._ring)

    def _disarm(self) -> None:
        self._due = None

    def _ring(self) -> None:
        self._timer, due = None, self._due
        if due is None:
            return
        left = due - self.loop.time()
        if left > 0:
            self._timer_at = due
            self._timer = self.loop.call_later(left, self._ring)
        else:
            self._due = None
            self._too_slow()

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
        elif self._upload is not None:
            self._refuse(408, BODY_SLOW, BODY_SLOW_TEXT, BODY_SLOW_MEND.format(self.bounds.body_seconds))
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, what: str, mend: str) -> None:
        if self.transport.is_closing():
            return
        self._disarm()
        if self.desk is not None:
            self.desk.refused()
        reply = problem_reply(RequestRefused(status, code, what, mend=mend, close=True))
        lines = [b"HTTP/1.1 %d %s" % (status, PHRASES[status]), b"content-length: %d" % len(reply.body)]
        lines += [name + b": " + value for name, value in reply.headers]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + reply.body)
        self.transport.close()
        self._watch_unread()


def protocol_with(bounds: Limits, desk: Direct | None = None, uploads: Uploads | None = None) -> type[GuardedProtocol]:
    """The protocol of a node with these bounds, who may answer at once, and who takes files."""
    return type("NodeProtocol", (GuardedProtocol,), {"bounds": bounds, "desk": desk, "uploads": uploads})


def _written(reply: Reply, more: Sequence[tuple[bytes, bytes]]) -> bytes:
    rows = b"".join(b"%s: %s\r\n" % row for row in (*more, *reply.headers))
    phrase = HTTPStatus(reply.status).phrase.encode("ascii")
    return b"HTTP/1.1 %d %s\r\ncontent-length: %d\r\n%s\r\n%s" % (reply.status, phrase, len(reply.body), rows, reply.body)

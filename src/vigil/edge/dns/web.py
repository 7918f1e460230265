"""The sockets of DNS over HTTPS: HTTP/1.1 and HTTP/2 behind TLS, as the client chose in its handshake (ALPN).

One question a request. Bounded: connections and their silence by the door, heads and bodies in bytes, questions of a
connection that wait, and streams that a client opens only to reset them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import httptools

from vigil.edge.dns.connection import Client, Door
from vigil.edge.dns.https import MESSAGE_BYTES, PHRASES, HttpRefused, headers_of, question_in

HEAD_BYTES: Final = 96 * 1024  # a message of 64 KiB in Base64, and a head around it
PIPELINED: Final = 32
STREAMS: Final = 100
RESETS: Final = 200  # streams that may be given up before they are answered; beyond it somebody only makes work
PROTOCOLS: Final = ("h2", "http/1.1")


class Web(Protocol):
    """What speaks one version of HTTP on a connection."""

    def received(self, data: bytes) -> None: ...
    def waiting(self) -> int: ...


class WebConnection(Client):
    """One connection: TLS below, one of the two versions above."""

    def __init__(self, door: Door, path: bytes) -> None:
        super().__init__(door)
        self.path = path
        self._web: Web | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self._web = Http2(self) if tls is not None and tls.selected_alpn_protocol() == "h2" else Http1(self)

    def data_received(self, data: bytes) -> None:
        if self._web is not None and not self.is_closing():
            self._web.received(data)
            self.go_on()

    def late(self) -> None:
        """A question that waits for the upstream is no silence."""
        if self._web is None or not self._web.waiting() or self.unwritable:
            self.abort()

    def ask(self, message: bytes, reply: Answered) -> None:
        """Hand a question to the door; ``reply`` is called once, now or later."""
        self.touch()
        self.door.handle(message, reply, tcp=True, private=True)

    def go_on(self) -> None:
        """Read on where there is room."""
        self.steer(self.unwritable or (self._web is not None and self._web.waiting() >= STREAMS))


class Answered(Protocol):
    """Takes the answer to one question; empty where there is none."""

    def __call__(self, answer: bytes, /) -> None: ...


class Http1:
    """HTTP/1.1: requests one behind the other, answered in their order."""

    def __init__(self, connection: WebConnection) -> None:
        self._connection = connection
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[tuple[int, bytes, bool]] = deque()
        self._busy = False
        self._ended = False
        self._start()

    def received(self, data: bytes) -> None:
        if self._ended:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._last(400)
        self._next()

    def waiting(self) -> int:
        return len(self._queue) + self._busy

    def _start(self) -> None:
        self._target, self._size = bytearray(), 0
        self._type: bytes | None = None
        self._hosts = 0
        self._body = bytearray()

    def on_message_begin(self) -> None:
        self._start()

    def on_url(self, part: bytes) -> None:
        self._target += part
        self._count(len(part))

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._hosts += name == b"host"
        if name == b"content-type":
            self._type = value
        self._count(len(name) + len(value))

    def on_body(self, part: bytes) -> None:
        if len(self._body) + len(part) > MESSAGE_BYTES:
            self._last(413)
        else:
            self._body += part

    def on_message_complete(self) -> None:
        if self._ended:
            return
        if self.waiting() >= PIPELINED:
            self._last(503)
            return
        keep = self._parser.should_keep_alive()
        try:
            if self._hosts != 1:
                raise HttpRefused(400)
            body, path = bytes(self._body), self._connection.path
            message = question_in(self._parser.get_method(), bytes(self._target), self._type, body, path)
            self._queue.append((200, message, keep))
        except HttpRefused as refused:
            self._queue.append((refused.status, b"", keep))

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > HEAD_BYTES:
            self._last(431)

    def _last(self, status: int) -> None:
        """Nothing more is read: nobody knows where the next request begins."""
        if not self._ended:
            self._ended = True
            self._connection.door.node.traffic.problems += 1
            self._queue.append((status, b"", False))

    def _next(self) -> None:
        while self._queue and not self._busy:
            status, message, keep = self._queue.popleft()
            self._busy = True
            if status == 200:
                self._connection.ask(message, lambda answer, keep=keep: self._answered(answer, keep))
            else:
                self._write(status, b"", keep)

    def _answered(self, answer: bytes, keep: bool) -> None:
        self._write(200 if answer else 400, answer, keep)
        self._next()
        self._connection.go_on()

    def _write(self, status: int, answer: bytes, keep: bool) -> None:
        self._busy = False
        lines = [b"HTTP/1.1 %d %s" % (status, PHRASES[status])]
        lines += [name + b": " + value for name, value in headers_of(status, answer)]
        if not keep:
            lines.append(b"connection: close")
        self._connection.write(b"\r\n".join(lines) + b"\r\n\r\n" + answer)
        if not keep:
            self._ended = True
            self._queue.clear()
            self._connection.close()


class _Stream:
    """One request of HTTP/2 while it comes, and the part of its answer that waits for room."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.headers = dict(headers)
        self.body = bytearray()
        self.asked = False
        self.left = b""


class Http2:
    """HTTP/2: requests side by side."""

    def __init__(self, connection: WebConnection) -> None:
        self._connection = connection
        self._streams: dict[int, _Stream] = {}
        self._resets = 0
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self._http.local_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = STREAMS
        self._http.local_settings[h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE] = HEAD_BYTES
        self._http.initiate_connection()
        self._flush()

    def received(self, data: bytes) -> None:
        try:
            for event in self._http.receive_data(data):
                self._on_event(event)
        except h2.exceptions.ProtocolError:
            self._end()
            return
        self._flush()

    def waiting(self) -> int:
        return sum(stream.asked for stream in self._streams.values())

    def _on_event(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._streams[event.stream_id] = _Stream(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self._on_data(event)
        elif isinstance(event, h2.events.StreamEnded):
            self._on_whole(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self._on_reset(event.stream_id)
        elif isinstance(event, h2.events.WindowUpdated):
            for number in [event.stream_id] if event.stream_id else list(self._streams):
                self._send(number)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self._connection.close()

    def _on_data(self, event: h2.events.DataReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if event.flow_controlled_length:
            self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if stream is None or stream.asked:
            return
        stream.body += event.data
        if len(stream.body) > MESSAGE_BYTES:
            self._refuse(event.stream_id, 413)

    def _on_whole(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is None or stream.asked:
            return
        headers = stream.headers
        method, target = headers.get(b":method", b""), headers.get(b":path", b"")
        try:
            message = question_in(method, target, headers.get(b"content-type"), bytes(stream.body), self._connection.path)
        except HttpRefused as refused:
            self._refuse(number, refused.status)
            return
        stream.asked = True
        stream.body.clear()
        self._connection.ask(message, lambda answer: self._answered(number, answer))

    def _on_reset(self, number: int) -> None:
        stream = self._streams.pop(number, None)
        self._resets += stream is not None
        if self._resets > RESETS:
            self._connection.door.node.traffic.problems += 1
            self._end(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)

    def _answered(self, number: int, answer: bytes) -> None:
        stream = self._streams.get(number)
        if stream is None or self._connection.is_closing():
            return
        stream.asked = False
        self._resets = 0
        if not answer:
            self._refuse(number, 400)
        else:
            self._http.send_headers(number, [(b":status", b"200"), *headers_of(200, answer)])
            stream.left = answer
            self._send(number)
        self._flush()
        self._connection.go_on()

    def _refuse(self, number: int, status: int) -> None:
        self._streams.pop(number, None)
        self._http.send_headers(number, [(b":status", b"%d" % status), *headers_of(status, b"")], end_stream=True)

    def _send(self, number: int) -> None:
        """As much of an answer as the client has room for."""
        stream = self._streams.get(number)
        while stream is not None and stream.left:
            room = min(self._http.local_flow_control_window(number), self._http.max_outbound_frame_size)
            if room <= 0:
                return
            part, stream.left = stream.left[:room], stream.left[room:]
            self._http.send_data(number, part, end_stream=not stream.left)
            if not stream.left:
                self._streams.pop(number, None)

    def _end(self, code: int | None = None) -> None:
        if code is not None:
            self._http.close_connection(code)
        else:
            self._connection.door.node.traffic.problems += 1
        self._flush()
        self._streams.clear()
        self._connection.close()

    def _flush(self) -> None:
        if data := self._http.data_to_send():
            self._connection.write(data)

"""The course of one ICAP connection, without its socket: bytes in by ``receive``, bytes out by ``take``.

What is done with a body is a :class:`Way`. Nothing of a message is kept after its answer.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Protocol

from vigil.edge.http.replies import Reply
from vigil.edge.icap import wire
from vigil.edge.icap.desk import BUSY, SLOW, SNIFF_BYTES, TOO_LARGE, Asked, Budget, file_head
from vigil.edge.icap.parser import Event, IcapParser, Mark, Request
from vigil.edge.icap.wire import IcapRefused, Part
from vigil.edge.readings import HttpHead
from vigil.media import ImageHashes, Unhashable

METHOD_OF: Final = {b"reqmod": b"REQMOD", b"respmod": b"RESPMOD"}
BODY_OF: Final = {b"REQMOD": b"req-body", b"RESPMOD": b"res-body"}
HEAD_ENDING: Final = b"\r\n\r\n"
DROPPED_BYTES: Final = 1024 * 1024
HELD_BYTES: Final = 256 * 1024
_HEAD_OF: Final = {b"REQMOD": (Part.REQUEST_HEAD, b"req-hdr"), b"RESPMOD": (Part.RESPONSE_HEAD, b"res-hdr")}


class Judge(Protocol):
    """The part of a :class:`vigil.edge.icap.desk.Desk` that an exchange needs."""

    budget: Budget

    def istag(self) -> bytes: ...
    def lets_pass(self, data: bytes, start: int = 0) -> bool: ...
    def on_request(self, block: bytes) -> Reply | None: ...
    def asked(self, block: bytes | None) -> Asked: ...
    def is_media(self, head: HttpHead | None, start: bytes) -> bool: ...
    def unfit(self, head: HttpHead | None) -> str | None: ...
    def without_file(self, reason: str, asked: Asked) -> Reply | None: ...
    def on_file(self, found: ImageHashes | Unhashable, asked: Asked) -> Reply | None: ...


class Way(Enum):
    """What is being done with the body that comes in.

    ``WAIT``     the answer is known and due at the end of the preview.
    ``DROP``     the answer is written; what still comes is read and forgotten.
    ``ECHO``     the client cannot take 204: its message is sent back as it comes.
    ``COLLECT``  a file is gathered within bounds; when it is whole, ``looking`` holds it until :meth:`Exchange.looked`.
    """

    NONE = auto()
    WAIT = auto()
    DROP = auto()
    ECHO = auto()
    COLLECT = auto()


class Exchange:
    """One connection. ``closing``: write what is left and end it. ``looking``: a file that waits for its hashes.

    ``cut`` counts answers that had begun and were ended without a byte of the body, because the file was not to pass.
    """

    def __init__(
        self,
        judge: Judge,
        options: Callable[[bytes, bool], bytes],
        *,
        head_bytes: int,
        media_bytes: int,
        early_bytes: int,
        draining: Callable[[], bool],
    ) -> None:
        self._judge, self._options, self._draining = judge, options, draining
        self._media_bytes, self._early_bytes = media_bytes, early_bytes
        self._parser = IcapParser(head_bytes)
        self._out: list[bytes] = []
        self._way = Way.NONE
        self._request: Request | None = None
        self._reply: Reply | None = None
        self._dropped = 0
        self._bounded = False
        self._asked = Asked({})
        self._file: HttpHead | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._wanted = False
        self._reason: str | None = None
        self._short = False
        self._continued = False
        self._opened = False
        self.looking: bytes | None = None
        self.closing = False
        self.answered = 0
        self.refusals = 0
        self.cut = 0

    @property
    def idle(self) -> bool:
        """True between requests: the connection may be ended without loss."""
        return self._way is Way.NONE and self.looking is None and self._parser.between

    @property
    def in_head(self) -> bool:
        """True while a head is incomplete."""
        return self._way is Way.NONE and self._parser.in_head and not self._parser.between

    @property
    def collecting(self) -> bool:
        """True while a file is being gathered."""
        return self._way is Way.COLLECT

    @property
    def full(self) -> bool:
        """True where nothing more should be read for now."""
        return self._parser.held > HELD_BYTES

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        answer = self.at_once(data)
        if answer is None:
            self.read(data)
        else:
            self._out.append(answer)

    def at_once(self, data: bytes) -> bytes | None:
        """The answer to almost all traffic by one look: exactly one plain REQMOD, by a head read before, that passes.

        Where it is not None, :meth:`read` would have written the same; where it is None nothing was done.
        """
        end = data.find(HEAD_ENDING)
        size = wire.plain_size(data[:end]) if end > 0 else -1
        if size < 0 or self.closing or self._way is not Way.NONE or self.looking is not None or not self._parser.between:
            return None
        start = end + len(HEAD_ENDING)
        if len(data) - start != size or self._draining() or not self._judge.lets_pass(data, start):
            return None
        self.answered += 1
        return wire.no_content(self._judge.istag())

    def read(self, data: bytes) -> None:
        """Bytes from the client, read with care."""
        if not self.closing:
            self._parser.feed(data)
            self._run()

    def take(self) -> bytes:
        """The bytes to be written."""
        if not self._out:
            return b""
        out = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        return out

    def looked(self, found: ImageHashes | Unhashable | None) -> None:
        """The hashes of the file that ``looking`` held; None where nobody had time for it."""
        judge = self._judge
        reply = judge.without_file(BUSY, self._asked) if found is None else judge.on_file(found, self._asked)
        self.looking = None
        self._decided(reply, ended=True)
        self._run()

    def late(self) -> None:
        """The time for what is under way is over."""
        if self.collecting and not self._in_preview:
            self._undecided(SLOW)
            self._run()
        elif self.in_head or self.collecting:
            self._refuse(IcapRefused(408, "head_slow", "The head did not arrive in time."))
        else:
            self.end()

    def end(self) -> None:
        """Nothing more will be read."""
        self.closing = True
        self._forget()

    def fault(self) -> None:
        """A mistake of ours: the client is told so, if it still can be."""
        self._refuse(IcapRefused(500, "fault", "The node made a mistake."))

    def _run(self) -> None:
        try:
            while not self.closing and self.looking is None:
                event = self._parser.next()
                if event is None:
                    return
                self._take_event(event)
        except IcapRefused as refused:
            self._refuse(refused)

    def _refuse(self, refused: IcapRefused) -> None:
        """The protocol's own error, unless an answer has already begun."""
        self.refusals += 1
        if not self._opened and self._way in (Way.NONE, Way.WAIT, Way.COLLECT):
            self._out.append(wire.status(refused.status, self._judge.istag(), close=True))
        self.end()

    def _take_event(self, event: Event) -> None:
        if isinstance(event, Request):
            self._begin(event)
        elif isinstance(event, bytes):
            self._take_data(event)
        elif event is Mark.END:
            self._take_end()
        else:
            self._take_preview_end()

    # a request begins

    def _begin(self, request: Request) -> None:
        self._request, head = request, request.head
        method = METHOD_OF.get(head.service)
        if method is None:
            raise IcapRefused(404, "no_such_service", "There is no service of this name.")
        if head.method == b"OPTIONS":
            self._respond(self._options(method, self._last()), ended=not head.has_body, bounded=True)
        elif head.method != method:
            raise IcapRefused(405, "method", "This service does not take this method.")
        elif method == b"REQMOD":
            self._begin_request(request)
        else:
            self._begin_file(request)

    def _begin_request(self, request: Request) -> None:
        block = request.sections.get(Part.REQUEST_HEAD)
        if block is None:
            raise IcapRefused(400, "encapsulated_false", "There is no request in the request.")
        reply = self._judge.on_request(block)
        if request.head.has_body and request.head.preview is not None:
            self._way, self._reply = Way.WAIT, reply
        else:
            self._decided(reply, ended=not request.head.has_body)

    def _begin_file(self, request: Request) -> None:
        if not request.head.has_body:
            self._decided(None, ended=True)
            return
        if (request.head.preview or 0) > HELD_BYTES:
            raise IcapRefused(400, "preview_too_large", "The preview is too large.")
        self._file = file_head(request.sections.get(Part.RESPONSE_HEAD))
        self._asked = self._judge.asked(request.sections.get(Part.REQUEST_HEAD))
        self._way = Way.COLLECT

    # the body

    def _take_data(self, data: bytes) -> None:
        if self._way is Way.ECHO:
            self._out.append(wire.chunk(data))
        elif self._way is Way.COLLECT:
            self._collect(data)
        elif self._way is Way.DROP:
            self._dropped += len(data)
            if self._bounded and self._dropped > DROPPED_BYTES:
                self.end()

    def _collect(self, data: bytes) -> None:
        """A file grows. In a preview nothing is decided: its size is bounded, and its end is near."""
        self._parts.append(data)
        if self._judge.budget.take(len(data)):
            self._size += len(data)
        else:
            self._short = True
        if self._in_preview:
            return
        if self._short:
            self._undecided(BUSY)
        elif self._size > self._media_bytes:
            self._undecided(TOO_LARGE)
        elif not self._wanted and self._size >= SNIFF_BYTES and not self._sort():
            self._decided(None, ended=False)
        elif self._wanted and self._reason is not None:
            self._undecided(self._reason)
        elif self._wanted and not self._opened and 0 < self._early_bytes <= self._size:
            self._open()

    def _open(self) -> None:
        """Begin the answer with the head of the file and hold its body back: Squid stops reading at 64 KiB without it."""
        request = self._request
        if request is not None and not request.head.allow_204:
            self._out.append(self._head_of(request))
            self._opened = True

    @property
    def _in_preview(self) -> bool:
        request = self._request
        return request is not None and request.head.preview is not None and not self._continued

    def _sort(self) -> bool:
        """Is it a file to look at? Also notes why nobody could look into it."""
        judge = self._judge
        self._wanted = judge.is_media(self._file, b"".join(self._parts)[:SNIFF_BYTES])
        if self._wanted:
            self._reason = BUSY if self._short else judge.unfit(self._file)
        return self._wanted

    def _undecided(self, reason: str) -> None:
        self._decided(self._judge.without_file(reason, self._asked), ended=False)

    def _take_end(self) -> None:
        if self._way is Way.ECHO:
            self._out.append(wire.LAST_CHUNK)
            self._finish()
        elif self._way is Way.WAIT:
            self._decided(self._reply, ended=True)
        elif self._way is Way.COLLECT:
            self._take_file()
        else:
            self._finish()

    def _take_file(self) -> None:
        if not self._parts or not (self._wanted or self._sort()):
            self._decided(None, ended=True)
        elif self._reason is not None:
            self._decided(self._judge.without_file(self._reason, self._asked), ended=True)
        else:
            self._parts = [b"".join(self._parts)]
            self._way, self.looking = Way.NONE, self._parts[0]

    def _take_preview_end(self) -> None:
        """The preview is over and more follows: an answer is due, or the rest has to be asked for."""
        if self._way is Way.COLLECT and self._sort() and self._reason is None:
            self._continued = True
            self._out.append(wire.CONTINUE)
            self._parser.proceed()
            return
        self._parser.finish()
        if self._way is Way.COLLECT and self._reason is not None:
            self._reply = self._judge.without_file(self._reason, self._asked)
        if self._way is Way.DROP:
            self._finish()
        else:
            self._respond(self._page(self._reply) if self._reply else self._no_content())

    # answers

    def _decided(self, reply: Reply | None, *, ended: bool) -> None:
        """The answer is known; ``ended``: nothing more of the request comes."""
        request = self._request
        if request is None:
            raise ValueError("no request is under way")
        if reply is not None and self._opened:
            self.cut += 1
            self.end()
        elif reply is not None:
            self._respond(self._page(reply), ended=ended, bounded=True)
        elif request.head.allow_204 or (ended and self._in_preview):
            self._respond(self._no_content(), ended=ended)
        else:
            self._echo(request, ended=ended)

    def _page(self, reply: Reply) -> bytes:
        return wire.answer(self._judge.istag(), reply.status, reply.headers, reply.body, close=self._last())

    def _no_content(self) -> bytes:
        return wire.no_content(self._judge.istag(), close=self._last())

    def _last(self) -> bool:
        """True where the answer should say that it is the last one."""
        return self._draining() or (self._request is not None and self._request.head.close)

    def _respond(self, answer: bytes, *, ended: bool = True, bounded: bool = False) -> None:
        """Write an answer; what still comes of the request is dropped, where ``bounded`` only so much of it."""
        self._out.append(answer)
        if ended:
            self._finish()
            return
        self._release()
        self._way, self._dropped, self._bounded = Way.DROP, 0, bounded

    def _head_of(self, request: Request) -> bytes:
        """The start of a 200 with the head as it came."""
        part, name = _HEAD_OF[request.head.method]
        heads = ((name, request.sections[part]),) if part in request.sections else ()
        body = BODY_OF[request.head.method] if request.head.has_body else None
        return wire.modified(self._judge.istag(), heads, body, close=self._last())

    def _echo(self, request: Request, *, ended: bool) -> None:
        """200 with the message as it came: for clients that do not take 204."""
        if not self._opened:
            self._out.append(self._head_of(request))
        self._out.extend(wire.chunk(part) for part in self._parts)
        self._release()
        if not ended:
            self._way = Way.ECHO
            return
        if request.head.has_body:
            self._out.append(wire.LAST_CHUNK)
        self._finish()

    def _finish(self) -> None:
        """The request is answered and over."""
        self.answered += 1
        if self._last():
            self.end()
        else:
            self._forget()

    def _release(self) -> None:
        self._judge.budget.give_back(self._size)
        self._size = 0
        self._parts = []

    def _forget(self) -> None:
        if self._size or self._parts:
            self._release()
        self._way, self._request, self._reply, self._file = Way.NONE, None, None, None
        self._wanted = self._short = self._continued = self._opened = False
        self._reason = None

"""The two clients: the same questions and answers, with and without ``await``."""

from __future__ import annotations

import asyncio
import inspect
import os
import ssl
import threading
import weakref
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final

from vigil.base.errors import InputError
from vigil.client.address import NodeAddress
from vigil.client.engine import Engine, Outcome, Settings
from vigil.client.hashing import Source, bytes_of_file, question_of_file
from vigil.client.policy import AlarmCallback, FailClosed, FailOpen, Policy, Queue, Retries, Timeouts
from vigil.client.questions import Question, Signal, signal_question, url_question
from vigil.client.results import Verdict
from vigil.client.session import Session, Sheet, pendings
from vigil.client.worker import Worker, closed

CONNECTIONS: Final = 8
MOST_CONNECTIONS: Final = 1000


class _Base:
    """What both clients are told; see :class:`Client`."""

    def __init__(
        self,
        base_url: str,
        *,
        policy: Policy,
        token: str | None = None,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
        connections: int = CONNECTIONS,
        queue: Queue | None = None,
        alarm: AlarmCallback | None = None,
        tls: ssl.SSLContext | None = None,
        plain_http: bool = False,
    ) -> None:
        self._lock = threading.Lock()
        if not isinstance(policy, FailOpen | FailClosed):
            raise InputError("policy", "The policy on unknowns is not chosen.", mend="Give FailOpen() or FailClosed().")
        if not 1 <= connections <= MOST_CONNECTIONS:
            raise InputError("connections_range", "The number of connections is out of range.", mend="Give 1 to 1000.")
        address = NodeAddress.of(base_url, token, plain_http=plain_http)
        self._settings = Settings(address, timeouts or Timeouts(), retries or Retries(), connections, tls)
        self._session = Session(policy, alarm)
        self._queue = queue
        self._closed = False
        _alive.add(self)

    def _after_fork(self) -> None:
        """In the child: locks that a thread of the parent held at that moment would never be let go."""
        self._lock = threading.Lock()
        self._session.renew_lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.address.authority!r})"

    def _open(self) -> None:
        if self._closed:
            raise closed()

    def _hashed(self, source: Source, reference: str | None) -> Question:
        return question_of_file(source, seconds=self._settings.timeouts.hashing, reference=reference)

    def _seconds(self, deadline: float | None) -> float:
        seconds = self._settings.timeouts.call if deadline is None else deadline
        if not seconds > 0:
            raise InputError("timeout_range", "A deadline is above zero seconds.", where="deadline")
        return seconds


class AsyncClient(_Base):
    """As :class:`Client`, inside one event loop. ``queue`` and ``alarm`` may be coroutine functions."""

    _engine: Engine | None = None

    async def check_url(self, address: str, *, deadline: float | None = None, reference: str | None = None) -> Verdict:
        """The verdict on one address."""
        return (await self.ask([url_question(address, reference)], deadline=deadline))[0]

    async def check_urls(self, addresses: Iterable[str], *, deadline: float | None = None) -> list[Verdict]:
        """The verdicts on addresses, in order."""
        return await self.ask([url_question(address) for address in addresses], deadline=deadline)

    async def match_signals(self, signals: Iterable[Signal], *, deadline: float | None = None) -> list[Verdict]:
        """A verdict for each signal, in order."""
        return await self.ask([signal_question(signal) for signal in signals], deadline=deadline)

    async def match_file(
        self, source: Source, *, send_media: bool = False, deadline: float | None = None, reference: str | None = None
    ) -> Verdict:
        """The verdict on one file, hashed here in a thread; see :meth:`Client.match_file`."""
        self._open()
        if send_media:
            outcome = await self._ready().send(await asyncio.to_thread(bytes_of_file, source))
            await self._alarms([[outcome]])
            return self._session.sent(outcome)
        return (await self.ask([await asyncio.to_thread(self._hashed, source, reference)], deadline=deadline))[0]

    async def ask(self, questions: Sequence[Question], *, deadline: float | None = None) -> list[Verdict]:
        """The verdict on each question: those of a queue, asked again."""
        self._open()
        sheet = Sheet(questions)
        answered = await self._ready().ask(sheet.signals, self._seconds(deadline))
        parts = sheet.outcomes(answered)
        verdicts = [self._session.verdict(question, of) for question, of in zip(questions, parts, strict=True)]
        try:
            if self._queue is not None:
                for pending in pendings(questions, verdicts):
                    await _done(self._queue(pending))
        finally:
            await self._alarms(parts)
        return verdicts

    async def close(self) -> None:
        """End all connections. Closing twice is allowed."""
        self._closed = True
        if self._engine is not None:
            await self._engine.close()

    async def __aenter__(self) -> AsyncClient:
        self._open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def _ready(self) -> Engine:
        if self._engine is None:
            self._engine = Engine(self._settings)
        return self._engine

    async def _alarms(self, parts: Sequence[Sequence[Outcome]]) -> None:
        for alarm in self._session.alarms(parts):
            await _done(self._session.raise_alarm(alarm))


class Client(_Base):
    """Asks an edge node whether addresses, hashes and files are listed. Thread-safe; make one for each process or service.

    ``base_url``     ``https://host[:port][/path]`` of the node; plain HTTP off this machine only with ``plain_http=True``
    ``policy``       ``FailOpen()`` or ``FailClosed()``: whether what is unknown is ``allowed``; no default
    ``token``        bearer token of the node
    ``connections``  at most so many at once; they are kept and used again
    ``queue``        called with a :class:`Pending` for each question without an answer that may have one later
    ``alarm``        called with an :class:`Alarm` when matching does not work; without one, the log ``vigil.client`` says it
    ``tls``          an SSL context of your own; by default the system's certificates

    A node or a network that fails is an ``Unknown`` with its reason, never an exception. InputError is raised for mistakes of the
    calling code. ``queue`` and ``alarm`` run in the calling thread, and what they raise reaches the caller.

    The network runs in a thread of its own, so that deadlines hold for each part, names included; after a fork the child begins
    with connections of its own.
    """

    _worker: Worker | None = None

    def check_url(self, address: str, *, deadline: float | None = None, reference: str | None = None) -> Verdict:
        """The verdict on one address. ``deadline`` in seconds; ``reference`` is your own name for it, for the queue."""
        return self.ask([url_question(address, reference)], deadline=deadline)[0]

    def check_urls(self, addresses: Iterable[str], *, deadline: float | None = None) -> list[Verdict]:
        """The verdicts on addresses, in order; as many as you like, sent in batches of what a node takes."""
        return self.ask([url_question(address) for address in addresses], deadline=deadline)

    def match_signals(self, signals: Iterable[Signal], *, deadline: float | None = None) -> list[Verdict]:
        """A verdict for each signal, in order. One that cannot be read is ``Unknown``; the others are answered."""
        return self.ask([signal_question(signal) for signal in signals], deadline=deadline)

    def match_file(
        self, source: Source, *, send_media: bool = False, deadline: float | None = None, reference: str | None = None
    ) -> Verdict:
        """The verdict on one file: bytes, a path, or an open binary file.

        It is hashed here, and SHA-256, SHA-1, MD5 and PDQ are sent. ``send_media=True`` sends the file itself, once, instead:
        for machines that cannot decode, and only where sending it to the node is lawful. Such a file is never queued.
        """
        self._open()
        if send_media:
            outcome = self._ready().send(bytes_of_file(source))
            self._alarms([[outcome]])
            return self._session.sent(outcome)
        return self.ask([self._hashed(source, reference)], deadline=deadline)[0]

    def ask(self, questions: Sequence[Question], *, deadline: float | None = None) -> list[Verdict]:
        """The verdict on each question: those of a queue, asked again."""
        self._open()
        sheet = Sheet(questions)
        answered = self._ready().ask(sheet.signals, self._seconds(deadline))
        parts = sheet.outcomes(answered)
        verdicts = [self._session.verdict(question, of) for question, of in zip(questions, parts, strict=True)]
        try:
            if self._queue is not None:
                for pending in pendings(questions, verdicts):
                    self._queue(pending)
        finally:
            self._alarms(parts)
        return verdicts

    def close(self) -> None:
        """End all connections and the thread. Closing twice is allowed."""
        with self._lock:
            self._closed = True
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def __enter__(self) -> Client:
        self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _ready(self) -> Worker:
        with self._lock:
            self._open()
            if self._worker is None or self._worker.of_another_process():
                self._worker = Worker(self._settings)
            return self._worker

    def _alarms(self, parts: Sequence[Sequence[Outcome]]) -> None:
        for alarm in self._session.alarms(parts):
            self._session.raise_alarm(alarm)


_alive: Final[weakref.WeakSet[_Base]] = weakref.WeakSet()


def _forked() -> None:
    for each in list(_alive):
        each._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


async def _done(result: object) -> None:
    if inspect.isawaitable(result):
        await result

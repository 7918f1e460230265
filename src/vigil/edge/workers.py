"""Several processes behind one port: a keeper that renews the edition and makes the vectors, and workers that answer.

The keeper answers nothing itself. Each worker opens listening sockets of its own with SO_REUSEPORT, so the kernel spreads
connections; it maps the indexes that the keeper built, so a worker costs the memory of its code and connections. A new edition
reaches one worker after the other: the next is told once the one before has it in force. A worker that ends is replaced; SIGHUP
replaces all, one by one, with the configuration as it is then; SIGTERM lets all finish.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from vigil.base.clock import Clock
from vigil.base.errors import UnavailableError, VigilError
from vigil.base.signals import attend
from vigil.edge.config import NodeConfig
from vigil.edge.enforced import NO_KEYS, Enforced, Keys, open_enforced
from vigil.edge.node import Node
from vigil.edge.puller import Pulled
from vigil.edge.rounds import Rounds
from vigil.edge.shared import Harvest, Region, SharedTally
from vigil.edge.state import Concern, Failure
from vigil.editions.model import Secret

PAUSE_SECONDS: Final = 0.05
RESPAWN_SECONDS: Final = 1.0
MATCHES_SECONDS: Final = 2.0  # what a killed worker may lose of its watch for floods, never of its counts
START_SECONDS: Final = 120.0  # a machine that is busy starts slowly; the old workers go on answering meanwhile
MESSAGE_BYTES: Final = 64 * 1024
KEEPER_SEGMENT: Final = 0


class Word(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the keeper says to a worker: the state to show, and the folder of the edition to enforce.

    ``key``, ``terms_key``  the secret under which the addresses of a partner's copy are digested, and what opens the file of its
    words in ``folder``. They travel over the control socket only: a command line can be read by other users of the machine.
    """

    folder: str | None = None
    key: bytes | None = None
    terms_key: bytes | None = None
    pulled_at: datetime | None = None
    concern: str | None = None
    code: str = ""
    since: datetime | None = None
    counts_code: str | None = None
    waiting: int = 0


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker says: it listens on ``port``; the edition in ``folder`` is in force; ``failed`` to open one.

    ``matches``: entries of ``edition`` and how often each matched since the last time, for the keeper's watch for floods.
    """

    port: int | None = None
    folder: str | None = None
    failed: str | None = None
    edition: int = 0
    matches: tuple[tuple[int, int], ...] = ()


class Start(msgspec.Struct, frozen=True):
    """What a worker is started with."""

    config: str
    control: int
    region: int
    segments: int
    segment: int
    port: int
    icap_port: int
    first: bool


class KeeperNode(Node):
    """The node of the keeper: adds up what the workers counted before it writes anything down."""

    def __init__(self, config: NodeConfig, clock: Clock, log: Any, region: Region) -> None:
        super().__init__(config, clock, log)
        self.harvest = Harvest(region, self.tally)
        self._harvesting = threading.Lock()

    def collect(self) -> None:
        """Add up."""
        with self._harvesting:
            self.harvest.collect()

    def retire(self, segment: int) -> None:
        """The worker of ``segment`` has ended."""
        with self._harvesting:
            self.harvest.retire(segment, self.clock.now(), KEEPER_SEGMENT)

    def books_round(self) -> float:
        self.collect()
        return super().books_round()

    def stop(self) -> None:
        self.collect()
        super().stop()


class NobodyToPull:
    """Stands for the client of editions in a worker, which the keeper tells what to enforce."""

    def pull(self, now: datetime) -> Pulled:
        raise UnavailableError("worker_pulls", "A worker does not pull editions.")


class WorkerNode(Node):
    """The node of a worker: enforces what the keeper hands it, counts into shared memory, renews nothing."""

    def __init__(self, config: NodeConfig, clock: Clock, log: Any, region: Region, start: Start) -> None:
        super().__init__(config, clock, log, NobodyToPull())
        own = region.segment(start.segment)
        others = [region.segment(n) for n in range(region.segments) if n != start.segment]
        self.tally, self.traffic = SharedTally(own, [own, *others]), own.traffic
        self.first, self.reuse_port = start.first, True
        self._waiting = 0

    def start(self) -> None:
        """Nothing runs beside the doors; the keeper's word comes through :meth:`take`."""

    def stop(self) -> None:
        """The keeper writes the counts down."""

    def waiting(self) -> int:
        return self._waiting

    def matches(self) -> list[Reply]:
        """How often entries matched since the last time."""
        return [Reply(edition=edition, matches=tuple(found.items())) for edition, found in self.floods.drain().items()]

    def take(self, word: Word) -> Reply | None:
        """Show the keeper's state; put the edition it names into force. What to answer, where there is something."""
        state = self.state
        state.pulled_at, state.counts_code, self._waiting = word.pulled_at, word.counts_code, word.waiting
        state.failure = Failure(Concern(word.concern), word.code, word.since) if word.concern and word.since else None
        current = state.enforced.folder if state.enforced else None
        if word.folder is None or (current is not None and str(current) == word.folder):
            return None
        try:
            keys = Keys(_secret(word.key), _secret(word.terms_key))
            state.enforced = open_enforced(Path(word.folder), self.config.file.enforcement.on_hard_expiry, keys)
        except VigilError as error:
            self.log.error("edition_unusable", code=error.code)
            return Reply(failed=word.folder)
        self.swapped_in()
        return Reply(folder=word.folder)


@dataclass(slots=True)
class Worker:
    """One worker process as the keeper knows it."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    segment: int
    first: bool
    port: int | None = None
    folder: str | None = None
    asked: str | None = None
    failed: str | None = None
    said: Word | None = None
    leaving: bool = False

    @property
    def ended(self) -> bool:
        """Its process is over: a configuration that it cannot read ends it at once."""
        return self.process.poll() is not None


class Keeper:
    """Starts the workers, keeps them told, replaces those that end."""

    def __init__(self, config: NodeConfig, path: Path, clock: Clock, log: Any) -> None:
        self.config, self.path, self.clock, self.log = config, path, clock, log
        self.workers: list[Worker] = []
        self.count = self.config.file.listen.workers or len(os.sched_getaffinity(0))
        # Each worker, its replacement while both live, and the keeper's own.
        self.region = Region.create(2 * self.count + 1)
        self.node = KeeperNode(self.config, self.clock, self.log, self.region)
        self._wake = threading.Event()
        self._stopping = self._reloading = False
        self._placeholders: list[socket.socket] = []

    def run(self, started: Callable[[int], None] | None = None) -> None:
        """Serve until SIGTERM or :meth:`stop`."""
        file = self.config.file
        port = self._reserve(file.listen.host, file.listen.port)
        icap = self._reserve(file.icap.host, file.icap.port) if file.icap.enabled else 0
        give_back = attend({signal.SIGTERM: self.stop, signal.SIGINT: self.stop, signal.SIGHUP: self.reload})
        self.node.start()
        try:
            for number in range(self.count):
                self._spawn(port, icap, first=number == 0)
            self._until(lambda: all(worker.port or worker.ended for worker in self.workers), START_SECONDS)
            self.log.info("listening", host=file.listen.host, port=port)
            if started is not None:
                started(port)
            while not self._stopping:
                self._round(port, icap)
                self._wake.wait(PAUSE_SECONDS)
                self._wake.clear()
        finally:
            self._end_all()
            self.node.stop()
            give_back()
            self.log.info("stopped")

    def stop(self) -> None:
        """Begin the drain; from any thread."""
        self._stopping = True
        self._wake.set()

    def reload(self) -> None:
        """Replace every worker by one that reads the configuration anew, one after the other."""
        self._reloading = True
        self._wake.set()

    def _round(self, port: int, icap: int) -> None:
        for worker in self.workers:
            self._hear(worker)
        self._tell()
        self._bury(port, icap)
        if self._reloading:
            self._reloading = False
            self._replace_all(port, icap)

    def _tell(self) -> None:
        """The state to all; the edition in force to one worker at a time."""
        state, enforced = self.node.state, self.node.state.enforced
        failure = state.failure
        target = str(enforced.folder) if enforced else None
        behind = (worker for worker in self.workers if worker.port and target not in (worker.folder, worker.failed))
        turn = next(behind, None)
        busy = any(worker.asked is not None for worker in self.workers)
        for worker in self.workers:
            asked = worker is turn and not busy and target is not None
            folder = target if asked else worker.asked or worker.folder
            keys = enforced.keys if enforced and folder == target else NO_KEYS
            word = Word(
                folder=folder,
                key=_opened(keys.digests),
                terms_key=_opened(keys.terms),
                pulled_at=state.pulled_at,
                concern=failure.concern.value if failure else None,
                code=failure.code if failure else "",
                since=failure.since if failure else None,
                counts_code=state.counts_code,
                waiting=self.node.waiting(),
            )
            if word != worker.said and _send(worker.control, word):
                worker.said = word
                worker.asked = target if asked else worker.asked

    def _hear(self, worker: Worker) -> None:
        while (reply := _receive(worker.control, Reply)) is not None:
            worker.port = reply.port or worker.port
            if reply.folder is not None:
                worker.folder, worker.asked = reply.folder, None
            if reply.failed is not None:
                worker.asked, worker.failed = None, reply.failed
            for entry, number in reply.matches:
                self.node.floods.add(reply.edition, entry, self.clock.now(), number)

    def _bury(self, port: int, icap: int) -> None:
        """Replace workers that ended by themselves; not faster than one a second, or a wrong setting would spin."""
        for worker in [worker for worker in self.workers if worker.ended]:
            self._remove(worker)
            if not self._stopping and not worker.leaving:
                self.log.error("worker_ended", status=worker.process.returncode)
                self._until(lambda: self._stopping, RESPAWN_SECONDS)
                self._spawn(port, icap, first=worker.first)

    def _replace_all(self, port: int, icap: int) -> None:
        for old in list(self.workers):
            new = self._spawn(port, icap, first=old.first)
            if not self._until(lambda new=new: new.ended or (new.port is not None and self._caught_up(new)), START_SECONDS):  # type: ignore[misc]
                return
            if new.port is None or new.ended:
                self.log.error("reload_failed", code="worker_not_started")
                self._dismiss(new)
                return
            if not self._dismiss(old):
                return
        self.log.info("reloaded")

    def _dismiss(self, worker: Worker) -> bool:
        """Let a worker finish, and give its place back. What it counted stands in shared memory.

        False where the node is to stop meanwhile: then all are let finish together.
        """
        worker.leaving = True
        worker.process.terminate()
        if not self._until(lambda: worker.ended, self._patience):
            return False
        if not worker.ended:
            self.log.error("worker_killed", code="drain_overrun")
            worker.process.kill()  # two configurations must not stay side by side
            worker.process.wait()
        self._remove(worker)
        return True

    @property
    def _patience(self) -> float:
        """Seconds that a worker has to finish what it began."""
        return self.config.file.limits.drain_seconds + 5

    def _caught_up(self, worker: Worker) -> bool:
        self._tell()
        enforced = self.node.state.enforced
        return enforced is None or worker.folder == str(enforced.folder)

    def _spawn(self, port: int, icap: int, *, first: bool) -> Worker:
        taken = {worker.segment for worker in self.workers} | {KEEPER_SEGMENT}
        segment = next(number for number in range(self.region.segments) if number not in taken)
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine.setblocking(False)
        enforced = self.node.state.enforced
        _send(mine, _first_word(enforced))
        region = self.region
        start = Start(str(self.path), theirs.fileno(), region.descriptor, region.segments, segment, port, icap, first)
        command = [sys.executable, "-m", "vigil.cli", "edge", "worker", msgspec.json.encode(start).decode()]
        process = subprocess.Popen(  # noqa: S603  our own interpreter and our own words
            command, pass_fds=(theirs.fileno(), region.descriptor), stdin=subprocess.DEVNULL
        )
        theirs.close()
        worker = Worker(process, mine, segment, first)
        self.workers.append(worker)
        return worker

    def _remove(self, worker: Worker) -> None:
        self.workers.remove(worker)
        worker.control.close()
        self.node.retire(worker.segment)

    def _end_all(self) -> None:
        for worker in self.workers:
            worker.leaving = True
            worker.process.terminate()
        for worker in list(self.workers):
            try:
                worker.process.wait(self._patience)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            self._remove(worker)
        for placeholder in self._placeholders:
            placeholder.close()

    def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Hear the workers until ``condition`` holds or the time is over; False where the node is to stop meanwhile.

        A reload that is asked for meanwhile is kept for the next round, and shortens nothing.
        """
        ends = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < ends:
            for worker in self.workers:
                self._hear(worker)
            if condition():
                break
            self._wake.wait(PAUSE_SECONDS)
            self._wake.clear()
        return not self._stopping

    def _reserve(self, host: str, port: int) -> int:
        """The port to share: bound here with SO_REUSEPORT but not listening, so that it stays ours and takes no connection."""
        placeholder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self._placeholders.append(placeholder)
        placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            placeholder.bind((host, port))
        except OSError as error:
            raise UnavailableError(
                "port_taken", "The node cannot listen there.", where=f"{host} port {port}", mend="Choose a free port."
            ) from error
        return int(placeholder.getsockname()[1])


def with_ports(config: NodeConfig, port: int, icap_port: int) -> NodeConfig:
    """``config`` with the ports that the keeper reserved."""
    replace = msgspec.structs.replace
    file = config.file
    return replace(
        config,
        file=replace(file, listen=replace(file.listen, port=port), icap=replace(file.icap, port=icap_port or file.icap.port)),
    )


def follow(node: WorkerNode, control: socket.socket, drain: Callable[[], None]) -> threading.Thread:
    """A thread that takes the keeper's words, and begins the drain when the keeper is gone."""

    def hear() -> None:
        while (data := control.recv(MESSAGE_BYTES)) != b"":
            reply = node.take(msgspec.json.decode(data, type=Word))
            if reply is not None:
                _send(control, reply)
        drain()

    def tell() -> float:
        for reply in node.matches():
            _send(control, reply)
        return MATCHES_SECONDS

    if node.tells_floods:
        Rounds("matches", tell, node.log).start()
    thread = threading.Thread(target=hear, name="vigil-keeper", daemon=True)
    thread.start()
    return thread


def take_first_word(node: WorkerNode, control: socket.socket) -> None:
    """Put the edition in force that the keeper named before it started this process, and tell what became of it."""
    reply = node.take(msgspec.json.decode(control.recv(MESSAGE_BYTES), type=Word))
    if reply is not None:
        _send(control, reply)


def announce(control: socket.socket, port: int) -> None:
    """Tell the keeper that this worker listens."""
    _send(control, Reply(port=port))


def _first_word(enforced: Enforced | None) -> Word:
    """What a worker is told before it opens its port."""
    if enforced is None:
        return Word()
    return Word(folder=str(enforced.folder), key=_opened(enforced.keys.digests), terms_key=_opened(enforced.keys.terms))


def _opened(secret: Secret | None) -> bytes | None:
    return secret.open() if secret is not None else None


def _secret(data: bytes | None) -> Secret | None:
    return Secret(data) if data else None


def _send(control: socket.socket, message: msgspec.Struct) -> bool:
    """True once the message is on its way; False where the other end is gone, or stands still and has much to read already."""
    try:
        control.send(msgspec.json.encode(message))
    except (BrokenPipeError, ConnectionResetError):
        return False  # its process has ended, which the next round sees
    except BlockingIOError:
        return False  # said again in the next round
    return True


def _receive(control: socket.socket, kind: type[Reply]) -> Reply | None:
    try:
        data = control.recv(MESSAGE_BYTES)
    except (BlockingIOError, ConnectionResetError):
        return None
    return msgspec.json.decode(data, type=kind) if data else None

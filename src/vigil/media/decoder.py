"""A pool of confined children. Thread-safe; what goes wrong with one file costs that file a reason, and nothing else."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from vigil.base.errors import InputError, UnavailableError
from vigil.base.limits import MEDIA_BYTES
from vigil.media import sniff
from vigil.media.limits import CHILD_FILES, PICTURE_SECONDS, TILE_SIDE, VIDEO_BYTES, VIDEO_FRAMES, VIDEO_SECONDS
from vigil.media.model import Decoded, Digests, ImageHashes, Mode, Reason, Tile, Unhashable, VideoHashes
from vigil.media.protocol import Kind, Layer, Request, Wish, decode_answer, decode_tile
from vigil.media.sealed import Sealed
from vigil.media.worker import COMMAND, Worker, WorkerGoneError, WorkerLateError

HEAD_BYTES: Final = 512
CHUNK: Final = 1024 * 1024
Answer = TypeVar("Answer")
CHILD_AFTER_FAILURE: Final = frozenset({Reason.OUT_OF_MEMORY, Reason.DECODER_CRASHED, Reason.TIMED_OUT})


class Decoder:
    """Hashes pictures and videos in confined children that are reused between files.

    ``workers``   children at most, started when needed (default: one for each processor)
    ``required``  layers of confinement without which nothing is decoded: UnavailableError instead
    ``files``     files after which a child is replaced by a fresh one
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        required: Sequence[str] = ("limits", "no_new_privileges"),
        files: int = CHILD_FILES.value,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._required = tuple(required)
        self._files = files
        self._command = tuple(command)
        self._free = threading.BoundedSemaphore(workers or os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._closed = False
        self._owner = os.getpid()
        # Children die with the *thread* that started them (PR_SET_PDEATHSIG), so one thread that lives as long as
        # this pool starts them all.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vigil-media-starter")

    def hash_image(
        self,
        data: bytes,
        *,
        mode: Mode = Mode.EXACT,
        variants: bool = False,
        trim: bool = False,
        timeout: float = PICTURE_SECONDS.value,
    ) -> ImageHashes | Unhashable:
        """All hashes of a picture, or why there is no perceptual one; never an error because of the bytes.

        ``variants`` adds the seven turned and mirrored forms, ``trim`` the picture without borders or the frame
        of a screenshot. ``timeout`` in seconds, waiting for a free child included.
        """
        reason = Reason.EMPTY if not data else Reason.TOO_LARGE if len(data) > MEDIA_BYTES.value else None
        if reason:
            return _unhashable(reason, digests_of(data))
        wishes = (Wish.VARIANTS if variants else Wish(0)) | (Wish.TRIM if trim else Wish(0))
        with _in_memory(data) as descriptor:
            return self._hash_picture(data, descriptor, mode, wishes, timeout)

    def hash_sealed(
        self, file: Sealed, *, mode: Mode = Mode.EXACT, timeout: float = PICTURE_SECONDS.value
    ) -> ImageHashes | Unhashable:
        """The same for a picture that is in sealed memory already: it is not copied, neither here nor in the child."""
        if not file.size:
            return _unhashable(Reason.EMPTY, digests_of(b""))
        with file.mapped() as data:
            if file.size > MEDIA_BYTES.value:
                return _unhashable(Reason.TOO_LARGE, digests_of(data))
            return self._hash_picture(data, file.descriptor, mode, Wish(0), timeout)

    def _hash_picture(
        self, data: bytes | memoryview, descriptor: int, mode: Mode, wishes: Wish, timeout: float
    ) -> ImageHashes | Unhashable:
        """``data`` is what stands behind ``descriptor``."""
        request = Request(Kind.PICTURE, mode, wishes, len(data), seconds=int(timeout) + 1)
        answer, digests = self._ask(request, descriptor, timeout, lambda: digests_of(data))
        return _image(answer, digests, mode) if isinstance(answer, Decoded) else _unhashable(answer, digests)

    def hash_video(
        self,
        source: bytes | Path | int,
        *,
        mode: Mode = Mode.EXACT,
        interval: float = 1.0,
        frames: int = VIDEO_FRAMES.value,
        timeout: float = VIDEO_SECONDS.value,
    ) -> VideoHashes | Unhashable:
        """Digests and vPDQ features of a video: its bytes, the path of its file, or a descriptor open for reading.

        One frame each ``interval`` seconds, ``frames`` at most: a longer film is sampled more thinly. The file
        is never copied into memory: the child is lent the descriptor.
        """
        if not 1 <= frames <= VIDEO_FRAMES.value or not 0 < interval <= 3600:
            raise InputError("sampling", "The interval or number of frames is out of range.", mend="Ask for fewer frames.")
        with _opened(source) as descriptor:
            size = os.fstat(descriptor).st_size
            if not 0 < size <= VIDEO_BYTES.value:
                return _unhashable(Reason.TOO_LARGE if size else Reason.EMPTY, digests_of_file(descriptor, size))
            request = Request(
                Kind.VIDEO, mode, Wish(0), size, frames=frames, interval=int(interval * 1000), seconds=int(timeout) + 1
            )
            answer, digests = self._ask(request, descriptor, timeout, lambda: digests_of_file(descriptor, size))
        return _video(answer, digests, mode) if isinstance(answer, Decoded) else _unhashable(answer, digests)

    def hash_file(
        self, path: Path, *, mode: Mode = Mode.EXACT, variants: bool = False, trim: bool = False
    ) -> ImageHashes | VideoHashes | Unhashable:
        """A picture or a video, by its first bytes, whatever its name says. OSError where it cannot be read."""
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            if sniff.is_video(head):
                return self.hash_video(file.fileno(), mode=mode)
            size = os.fstat(file.fileno()).st_size
            if size > MEDIA_BYTES.value:
                return _unhashable(Reason.TOO_LARGE, digests_of_file(file.fileno(), size))
            return self.hash_image(head + file.read(), mode=mode, variants=variants, trim=trim)

    def tile(self, data: bytes, *, side: int = TILE_SIDE.value, timeout: float = PICTURE_SECONDS.value) -> Tile | Reason:
        """A small tile of a picture, or a contact sheet of a video or animation; why not, where there is none.

        ``side`` is the longest side in pixels, at most ``TILE_SIDE``. Nothing is kept; no sound leaves the child.
        """
        if not 16 <= side <= TILE_SIDE.value:
            raise InputError("tile_side", f"A tile has a side of 16 to {TILE_SIDE.value} pixels.")
        if not 0 < len(data) <= MEDIA_BYTES.value:
            return Reason.TOO_LARGE if data else Reason.EMPTY
        kind = Kind.VIDEO_TILE if sniff.is_video(data[:HEAD_BYTES]) else Kind.PICTURE_TILE
        request = Request(kind, Mode.RGB, Wish(0), len(data), frames=side, seconds=int(timeout) + 1)
        with _in_memory(data) as descriptor:
            return self._asked(request, descriptor, timeout, lambda body: decode_tile(body, side))

    @property
    def confinement(self) -> tuple[Layer, ...]:
        """The layers that confine the children here, active or not, as a child reports them."""
        worker = self._borrow(time.monotonic() + PICTURE_SECONDS.value)
        if worker is None:
            raise UnavailableError("decoder_busy", "All decoders are at work.", mend="Try again in a moment.")
        layers = worker.layers
        self._give_back(worker)
        return layers

    @property
    def children(self) -> tuple[int, ...]:
        """Process numbers of the children that are alive now."""
        with self._lock:
            return tuple(worker.pid for worker in self._all)

    def close(self) -> None:
        """End all children. What is asked from now on raises UnavailableError.

        In a process forked from the owner nothing is ended: the children are the owner's, and still at work.
        """
        if os.getpid() != self._owner:
            return
        with self._lock:
            self._closed = True
            workers, self._idle = list(self._all), []
            self._all.clear()
        for worker in workers:
            worker.kill()
        self._starter.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _ask(
        self, request: Request, descriptor: int, timeout: float, digests: Callable[[], Digests]
    ) -> tuple[Decoded | Reason, Digests]:
        """The child's answer; the exact digests are computed here while the child decodes."""
        exact: list[Digests] = []
        answer = self._asked(
            request, descriptor, timeout, lambda body: decode_answer(body, request.pixels), lambda: exact.append(digests())
        )
        return answer, exact[0] if exact else digests()

    def _asked(
        self,
        request: Request,
        descriptor: int,
        timeout: float,
        read: Callable[[bytes], Answer | Reason],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Answer | Reason:
        """What ``read`` makes of a child's answer; ``meanwhile`` runs here while the child decodes."""
        deadline = time.monotonic() + timeout
        worker = self._borrow(deadline)
        if worker is None:
            return Reason.BUSY
        answer: Answer | Reason = Reason.DECODER_CRASHED
        done = False
        try:
            worker.ask(request, descriptor)
            meanwhile()
            done = True
            answer = read(worker.answer(deadline - time.monotonic()))
        except WorkerLateError:
            answer = Reason.TIMED_OUT
        except (WorkerGoneError, InputError):
            answer = Reason.DECODER_CRASHED
        finally:
            self._give_back(worker, broken=not done or answer in CHILD_AFTER_FAILURE)
        return answer

    def _borrow(self, deadline: float) -> Worker | None:
        """An idle child or a new one; None if none is free before ``deadline``."""
        if not self._free.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return None
        try:
            return self._idle_worker() or self._start()
        except BaseException:
            self._free.release()
            raise

    def _idle_worker(self) -> Worker | None:
        """The child that was used last, if there is one that is alive and has not spoken unasked."""
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
                if worker is None or worker.is_quiet():
                    return worker
                self._all.discard(worker)
            worker.kill()

    def _start(self) -> Worker:
        if self._closed:
            raise UnavailableError("decoder_closed", "The decoder has been closed.")
        worker = self._starter.submit(Worker, self._command).result()
        missing = [name for name in self._required if Layer(name, True, "") not in _names(worker)]
        if missing:
            worker.kill()
            raise UnavailableError(
                "decoder_not_confined",
                "The decoder cannot be confined as required here.",
                where=", ".join(missing),
                mend="Allow these layers on this machine, or require fewer of them.",
            )
        with self._lock:
            self._all.add(worker)
        return worker

    def _give_back(self, worker: Worker, *, broken: bool = False) -> None:
        with self._lock:
            fit = not broken and not self._closed and worker.files < self._files
            if fit:
                self._idle.append(worker)
            self._all -= set() if fit else {worker}
        if not fit:
            worker.kill()
        self._free.release()


def digests_of(data: bytes | memoryview) -> Digests:
    """MD5, SHA-1 and SHA-256 of bytes."""
    return Digests(
        hashlib.md5(data, usedforsecurity=False).digest(),
        hashlib.sha1(data, usedforsecurity=False).digest(),
        hashlib.sha256(data).digest(),
    )


def digests_of_file(descriptor: int, size: int) -> Digests:
    """The same of the first ``size`` bytes behind a descriptor, without moving its position."""
    hashes = (hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False), hashlib.sha256())
    position = 0
    while position < size and (piece := os.pread(descriptor, min(CHUNK, size - position), position)):
        for one in hashes:
            one.update(piece)
        position += len(piece)
    return Digests(*(one.digest() for one in hashes))


@contextmanager
def _in_memory(data: bytes) -> Iterator[int]:
    """A descriptor of an anonymous file in memory, sealed: nothing touches a disk and nobody can change it."""
    with Sealed() as file:
        file.write(data)
        file.seal()
        yield file.descriptor


@contextmanager
def _opened(source: bytes | Path | int) -> Iterator[int]:
    if isinstance(source, int):
        yield source
    elif isinstance(source, bytes):
        with _in_memory(source) as descriptor:
            yield descriptor
    else:
        with source.open("rb") as file:
            yield file.fileno()


def _names(worker: Worker) -> set[Layer]:
    return {Layer(layer.name, layer.active, "") for layer in worker.layers}


def _unhashable(reason: Reason, digests: Digests) -> Unhashable:
    return Unhashable(reason, digests.md5, digests.sha1, digests.sha256)


def _image(decoded: Decoded, exact: Digests, mode: Mode) -> ImageHashes:
    plain, *extras = decoded.hashes
    return ImageHashes(
        exact.md5,
        exact.sha1,
        exact.sha256,
        plain.pdq,
        plain.quality,
        decoded.width,
        decoded.height,
        decoded.format,
        mode,
        decoded.flags,
        tuple(extras),
    )


def _video(decoded: Decoded, exact: Digests, mode: Mode) -> VideoHashes:
    return VideoHashes(
        exact.md5,
        exact.sha1,
        exact.sha256,
        decoded.width,
        decoded.height,
        decoded.milliseconds,
        decoded.format,
        mode,
        decoded.flags,
        decoded.hashes,
    )

"""A file on its way from a client into the memory that is lent to a confined decoder: it is copied once, and is no task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vigil.edge.counts import CountClass
from vigil.edge.http import requests
from vigil.edge.http.plain import PlainPost
from vigil.edge.http.replies import Reply, RequestRefused
from vigil.edge.http.routes import MATCH_PATH, Door, reply_of
from vigil.media.sealed import Sealed

TARGET: Final = MATCH_PATH.encode()
# What a client wishes beyond an answer is read with care: another encoding, an answer later.
WISHES: Final = frozenset({b"content-encoding", b"prefer"})


class Upload:
    """One file. It holds a place among the uploads of ``door`` until :meth:`close`. ``left``: bytes that are still to come."""

    def __init__(self, door: Door, size: int) -> None:
        """Raises RequestRefused where no place is free, OSError where no memory is."""
        self._door = door
        self._file: Sealed | None = Sealed()
        self._lost: OSError | None = None
        self.left = size
        try:
            door.enter_media()
        except RequestRefused:
            self._file.close()
            raise

    def take(self, data: memoryview) -> int:
        """The number of bytes at the beginning of ``data`` that belong to the file; they are in it from now on."""
        part = data[: self.left]
        self.left -= len(part)
        if self._file is not None and self._lost is None:
            try:
                self._file.write(part)
            except OSError as error:
                self._lost = error  # told when the file is whole: until then the client does not listen
        return len(part)

    def reply(self) -> Reply:
        """The verdict on the whole file; waits for a decoder. Raises UnavailableError, OSError."""
        file, door = self._file, self._door
        if file is None or self._lost is not None:
            raise self._lost or OSError("the file is gone")
        file.seal()
        timeout = door.node.config.file.limits.media_seconds
        edition = door.node.state.enforced
        return reply_of(door.judged(door.decoder.hash_sealed(file, timeout=timeout), edition, CountClass.MEDIA_MATCH))

    def close(self) -> None:
        """Give memory and place back; a second time does nothing. In the loop, and not while :meth:`reply` runs."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._door.leave_media()


def wanted(found: PlainPost, fields: Mapping[bytes, bytes], most: int) -> bool:
    """Whether this is one file for a verdict, of at most ``most`` bytes, with no wish that takes care."""
    if found.target != TARGET or not 0 < found.size <= most:
        return False
    kind = fields.get(b"content-type", b"").decode("latin-1")
    return requests.is_media(kind) and not WISHES & fields.keys()

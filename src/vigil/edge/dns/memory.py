"""What the DNS door remembers of one edition, so that a listed name is decided once and answered often. No name is kept.

A name is known by a keyed digest of 16 bytes under a key that lives and dies with the process; an answer is put together
from the question as it came and from the two parts around it, which are the same for all names. Only what
:func:`vigil.edge.dns.wire.read_query` has read before can be found again: equal bytes up to the end of the name mean an equal
name, and the bytes before and after it must be those of a question that was answered. Everything ends with the edition.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from vigil.edge.counts import Adder
from vigil.edge.dns.wire import HEADER_BYTES, NAME_BYTES, TAIL
from vigil.edge.enforced import Enforced

MOST_A_SECOND: Final = 65_536
MOST_NAMES: Final = 262_144
MOST_SHAPES: Final = 1024
REST_BYTES: Final = 15  # type, class, and an OPT record without options: cookies and the like are nobody's to remember
ID_BYTES: Final = 2
REMEMBERED_SECONDS: Final = 30  # as long as an entry that ends may be enforced too long
Shape = tuple[bytes, bytes]  # the header without the id; what follows the name


class Repeats:
    """Names that were counted in this second, as digests under a key that lives and dies with the process."""

    def __init__(self, key: bytes) -> None:
        self._state = blake2b(digest_size=16, key=key)
        self._second, self._seen = 0, set[bytes]()

    def digest(self, name: bytes) -> bytes:
        """The digest of a name in wire form, its capital letters made small."""
        state = self._state.copy()
        state.update(name.lower())
        return state.digest()

    def is_new(self, digest: bytes, second: int) -> bool:
        """True the first time that a name comes in ``second`` (unix). Beyond 65,536 names a second all are new."""
        if second != self._second:
            self._second, self._seen = second, set()
        if digest in self._seen:
            return False
        if len(self._seen) < MOST_A_SECOND:
            self._seen.add(digest)
        return True


@dataclass(frozen=True, slots=True)
class Around:
    """An answer without id and question: ``head`` between them, ``tail`` behind."""

    head: bytes
    tail: bytes


class Memory:
    """For UDP and one edition at a time. ``key``: 16 random bytes."""

    def __init__(self, key: bytes) -> None:
        self.repeats = Repeats(key)
        self._edition: Enforced | None = None
        self._names: dict[bytes, tuple[int, Adder]] = {}
        self._shapes: dict[Shape, Around] = {}

    def answer(self, message: bytes, edition: Enforced | None, second: int) -> bytes | None:
        """The answer to a question that was answered before, counted once a second (unix); None where it must be decided."""
        if edition is not self._edition:
            return None
        end = message.find(b"\0", HEADER_BYTES) + 1
        around = self._shapes.get((message[ID_BYTES:HEADER_BYTES], message[end:]))
        if around is None:
            return None
        digest = self.repeats.digest(message[HEADER_BYTES:end])
        known = self._names.get(digest)
        if known is None or known[0] <= second:
            return None
        if self.repeats.is_new(digest, second):
            known[1].add(second)
        return message[:ID_BYTES] + around.head + message[HEADER_BYTES : end + TAIL.size] + around.tail

    def keep(
        self, message: bytes, question: bytes, answer: bytes, room: int, edition: Enforced, adder: Adder, second: int
    ) -> None:
        """Remember that ``message`` got ``answer`` and is counted by ``adder``.

        Not where a longer name would have lost something of the answer for lack of ``room`` in bytes.
        """
        if edition is not self._edition:
            self._edition, self._names, self._shapes = edition, {}, {}
        end = HEADER_BYTES + len(question) - TAIL.size
        rest = message[end:]
        longest = len(answer) + NAME_BYTES - (end - HEADER_BYTES)
        if len(rest) > REST_BYTES or longest > room or answer[HEADER_BYTES : end + TAIL.size] != question:
            return
        if len(self._names) >= MOST_NAMES:
            self._names.clear()
        if len(self._shapes) >= MOST_SHAPES:
            self._shapes.clear()
        self._names[self.repeats.digest(message[HEADER_BYTES:end])] = (second + REMEMBERED_SECONDS, adder)
        self._shapes[message[ID_BYTES:HEADER_BYTES], rest] = Around(answer[ID_BYTES:HEADER_BYTES], answer[end + TAIL.size :])

"""What the DNS door remembers of one edition, so that a listed name is decided once and answered often. No name is kept.

A name is known by two keyed hashes, 128 bits, under keys that live and die with the process, as in ``match/index/url``. The
shape of a question is its header without the id, and what follows the name. An answer is put together from the question as it
came and from the two parts around it, which are the same for all names. The shape must be that of a question that
:func:`vigil.edge.dns.wire.read_query` has read and that was answered; a name that was not read before must be plain and end
where it seems to. Everything ends with the edition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from vigil.edge.counts import Adder
from vigil.edge.dns.wire import HEADER_BYTES, NAME_BYTES, TAIL
from vigil.edge.enforced import Enforced

MOST_A_SECOND: Final = 65_536
MOST_NAMES: Final = 262_144
MOST_SHAPES: Final = 1024
REST_BYTES: Final = 15  # type, class, and an OPT record without options: cookies and the like are nobody's to remember
ID_BYTES: Final = 2
REMEMBERED_SECONDS: Final = 30  # as long as an entry that ends may be enforced too long
# How a listed name is counted; False for one that is not listed; None for one that must be looked at with care.
Listed = tuple[Adder, int]  # what counts an entry, and its number
Decided = Listed | Literal[False] | None
Count = Callable[[Adder, int, int, int], None]  # one hit: adder, edition, entry, second
Decide = Callable[[bytes, Enforced, int], Decided]


class Repeats:
    """Names that were counted in this second, as keyed hashes under a key that lives and dies with the process."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._second, self._seen = 0, set[int]()

    def digest(self, name: bytes) -> int:
        """64 bits of a name in wire form, its capital letters made small: Python's own keyed hash (SipHash) behind our key."""
        return hash(self._key + name.lower())

    def is_new(self, digest: int, second: int) -> bool:
        """True the first time that a name comes in ``second`` (unix). Beyond 65,536 names a second all are new."""
        if second != self._second:
            self._second, self._seen = second, set()
        seen = self._seen
        if digest in seen:
            return False
        if len(seen) < MOST_A_SECOND:
            seen.add(digest)
        return True


@dataclass(frozen=True, slots=True)
class Around:
    """An answer without id and question: ``head`` between them, ``tail`` behind."""

    head: bytes
    tail: bytes


class Memory:
    """For UDP and one edition at a time. ``key``: 16 random bytes. ``decide``: of names that come for the first time."""

    def __init__(self, key: bytes, decide: Decide, count: Count) -> None:
        self._decide, self._count = decide, count
        self.repeats = Repeats(key)
        self._edition: Enforced | None = None
        self._names: dict[int, tuple[int, int, Listed]] = {}
        self._shapes: dict[bytes, Around] = {}
        self._others: dict[bytes, Around] = {}

    def answer(self, message: bytes, edition: Enforced | None, second: int) -> bytes | None:
        """The answer to a question like one that was answered before, counted once a second (unix); None: read it with care."""
        if edition is None or edition is not self._edition:
            return None
        end = message.find(b"\0", HEADER_BYTES) + 1
        shape = message[ID_BYTES:HEADER_BYTES] + message[end:]
        around, name = self._shapes.get(shape), message[HEADER_BYTES:end].lower()
        if around is None and shape not in self._others:
            return None
        mark = hash(name)
        known = self._names.get(mark)
        if known is None:
            listed, digest = self._decide(name, edition, second), 0
        else:
            listed, digest = self._known(known, name, edition, second)
        if listed is False:
            around = self._others.get(shape)
        if around is None or listed is None:
            return None
        if listed:
            digest = digest or self._know(mark, name, listed, second)
            if self.repeats.is_new(digest, second):
                self._count(listed[0], edition.number, listed[1], second)
        return message[:ID_BYTES] + around.head + message[HEADER_BYTES : end + TAIL.size] + around.tail

    def _known(self, known: tuple[int, int, Listed], name: bytes, edition: Enforced, second: int) -> tuple[Decided, int]:
        """What is remembered, unless it is of another name or too old."""
        digest = self.repeats.digest(name)
        if known[0] == digest and known[1] > second:
            return known[2], digest
        return self._decide(name, edition, second), 0

    def keep(
        self, message: bytes, question: bytes, answer: bytes, room: int, edition: Enforced, listed: Listed, second: int
    ) -> None:
        """Remember that ``message`` got ``answer`` and is counted as ``listed``.

        Not where a longer name would have lost something of the answer for lack of ``room`` in bytes.
        """
        self._begin(edition)
        if self._keep_shape(self._shapes, message, question, answer, room):
            name = question[: -TAIL.size].lower()
            self._know(hash(name), name, listed, second)

    def keep_other(self, message: bytes, question: bytes, answer: bytes, room: int, edition: Enforced) -> None:
        """Remember that ``message`` got ``answer`` because its name is not listed; nothing of the name is kept."""
        self._begin(edition)
        self._keep_shape(self._others, message, question, answer, room)

    def _begin(self, edition: Enforced) -> None:
        if edition is not self._edition:
            self._edition, self._names, self._shapes, self._others = edition, {}, {}, {}

    def _keep_shape(self, shapes: dict[bytes, Around], message: bytes, question: bytes, answer: bytes, room: int) -> bool:
        end = HEADER_BYTES + len(question) - TAIL.size
        rest = message[end:]
        longest = len(answer) + NAME_BYTES - (end - HEADER_BYTES)
        if len(rest) > REST_BYTES or longest > room or answer[HEADER_BYTES : end + TAIL.size] != question:
            return False
        if len(shapes) >= MOST_SHAPES:
            shapes.clear()
        shapes[message[ID_BYTES:HEADER_BYTES] + rest] = Around(answer[ID_BYTES:HEADER_BYTES], answer[end + TAIL.size :])
        return True

    def _know(self, mark: int, name: bytes, listed: Listed, second: int) -> int:
        """Remember a name in small letters by two keyed hashes, 128 bits; the second of them."""
        if len(self._names) >= MOST_NAMES:
            self._names.clear()
        digest = self.repeats.digest(name)
        self._names[mark] = (digest, second + REMEMBERED_SECONDS, listed)
        return digest

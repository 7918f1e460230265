"""Marks: what makes each partner's copy of an edition its own, so that a leaked one names where it came from. Pure.

Three kinds, all harmless: addresses on the hotline's own names, or digests of no file.

``shared``   the presence code. Each list has ``positions`` of them; a partner's copy holds those that its code word asks
             for (Tardos, with Nuida's two biases for coalitions of up to four). Comparing copies shows a coalition where
             their words differ and nothing else; whatever it does with those places, its members score.
``private``  in one partner's copy only: their presence names it, where nobody compared copies.
``alarm``    the same, labelled ``canary``: nodes count hits on them in a class of their own, and the hotline is told.

Nothing is stored for a mark: name, number and code word follow from the key of the book. A mark looks like a neighbour
among the real entries: same scope, rights, algorithm, labels and expiry. Why: docs/decisions/0311-marks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b, shake_256
from typing import Final, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.editions.model import EditionContents, HashEntry, ListInfo, ListKind, UrlEntry, require_name
from vigil.editions.opaque import BITS, OpaqueNumbers
from vigil.match.hashing import algorithm_named
from vigil.match.urls import CanonicalUrl, EntryFlag, Scope, canonical

POSITIONS: Final = 768
PRIVATE: Final = 8
ALARMS: Final = 4
FEWEST_POSITIONS: Final = 16
CANARY: Final = "canary"
BIASES: Final = (0.21132486540518713, 0.7886751345948129)  # (1 ± 1/√3) / 2: the nodes of Gauss and Legendre for two
PARTNERS: Final = Limit(4096, "partners", "a book is searched for each of them")
MOST_POSITIONS: Final = Limit(8192, "positions", "each may become an entry of every copy")

ADDRESSES: Final = frozenset({ListKind.URL, ListKind.NP_URL, ListKind.DOMAIN})
DIGESTS: Final = frozenset({ListKind.HASH_CSAM, ListKind.HASH_AI, ListKind.HASH_NP, ListKind.HASH_EXPLOITATIVE})
MARKED_ALGORITHMS: Final = ("md5", "sha1", "sha256", "pdq")
HOST_LEVEL: Final = frozenset({Scope.HOST, Scope.DOMAIN})
_RIGHTS: Final = EntryFlag.HOST_APPROVED | EntryFlag.HOST_ONLY_SKIPPED | EntryFlag.EXACT_HOST
_FIRST_MARK: Final[int] = 2 ** (BITS - 1)
_ONSETS: Final = ("b", "br", "d", "f", "g", "k", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "v")
_ENDS: Final = ("a", "e", "i", "o", "al", "en", "ir", "os")

Bits = npt.NDArray[np.bool_]
Entry = TypeVar("Entry", UrlEntry, HashEntry)


class MarkKind(StrEnum):
    """What a mark is for."""

    SHARED = "shared"
    PRIVATE = "private"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """One mark of a list. ``holder`` is the partner of a private one and empty for a place of the code."""

    list: str
    kind: MarkKind
    place: int
    holder: str = ""


MarksOf = Callable[[str, int], Iterable[Mark]]


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file form of a book. Secret: with it marks can be told from entries."""

    format: str
    key: str
    domains: tuple[str, ...]
    lists: dict[str, str]
    partners: tuple[str, ...]
    positions: int


_FORMAT: Final = "vigil-marks-1"


@dataclass(frozen=True, slots=True, repr=False)
class MarkBook:
    """Everything marks follow from. ``key`` 32 secret bytes; ``domains`` names of the hotline with everything below them;
    ``lists`` (name, kind), by name; ``partners`` everybody who ever had a copy. Never printed."""

    key: bytes
    domains: tuple[str, ...]
    lists: tuple[tuple[str, str], ...]
    partners: tuple[str, ...]
    positions: int = POSITIONS

    def __post_init__(self) -> None:
        if len(self.key) != 32:
            raise InputError("marks_key", "The key of a book of marks has 32 bytes.")
        if not FEWEST_POSITIONS <= self.positions <= MOST_POSITIONS.value:
            raise InputError("marks_positions", f"The code has {FEWEST_POSITIONS} to {MOST_POSITIONS.value} places.")
        if len(self.partners) > PARTNERS.value or len(set(self.partners)) != len(self.partners):
            raise InputError("marks_partners", f"A book has up to {PARTNERS.value} partners, each once.")
        for name in (*self.partners, *dict(self.lists)):
            require_name(name, "partner or list")
        for domain in self.domains:
            _require_domain(domain)

    # ---- what follows from the key

    def carries(self, kind: str) -> bool:
        """Whether lists of this kind are marked: those of addresses only where the hotline named domains of its own."""
        return bool(kind in DIGESTS or (kind in ADDRESSES and self.domains))

    def biases(self, name: str) -> npt.NDArray[np.float64]:
        """How likely a code word has each place of a list: (positions,), values of :data:`BIASES`."""
        stream = self._stream(b"bias", name, "", (self.positions + 7) // 8)
        ones = np.unpackbits(np.frombuffer(stream, np.uint8))[: self.positions]
        return np.asarray(BIASES, np.float64)[ones]

    def code_word(self, partner: str, name: str) -> Bits:
        """Which places of a list this partner's copy holds: (positions,)."""
        drawn = np.frombuffer(self._stream(b"word", name, partner, 4 * self.positions), "<u4")
        return drawn < (self.biases(name) * 2**32).astype(np.uint64)

    def numbers_of(self, partner: str) -> OpaqueNumbers:
        """The entry numbers of a partner's copy."""
        return OpaqueNumbers(self._draw(b"numbers", partner))

    def address_of(self, mark: Mark, scope: Scope = Scope.URL) -> CanonicalUrl:
        """The address of a mark as an entry of ``scope`` has it: a name below one of the hotline's domains."""
        seed = self._draw(b"name", mark.list, mark.kind, str(mark.place), mark.holder)
        host = f"{_word(seed[1:5])}-{_word(seed[5:9])}.{self.domains[seed[0] % len(self.domains)]}"
        path = {Scope.PREFIX: f"/{_word(seed[9:13])}/", Scope.HOST: "/", Scope.DOMAIN: "/"}.get(scope)
        return canonical(f"http://{host}{path or f'/{_word(seed[9:13])}/{_word(seed[13:17])}'}")

    def value_of(self, mark: Mark, algorithm: str) -> bytes:
        """The hash of a mark: random, so the hash of no file."""
        size = algorithm_named(algorithm).key_bytes
        return self._draw(b"value", mark.list, mark.kind, str(mark.place), mark.holder, algorithm)[:size]

    def number_of(self, mark: Mark) -> int:
        """The hotline's own number of a mark: above every number of an entry."""
        seed = self._draw(b"number", mark.list, mark.kind, str(mark.place), mark.holder)
        return _FIRST_MARK + int.from_bytes(seed[:5], "big")

    # ---- which marks

    def marks_of(self, partner: str, name: str, active: int) -> Iterator[Mark]:
        """The marks of one list in one partner's copy, with ``active`` places of the code in use."""
        yield from (Mark(name, MarkKind.SHARED, int(place)) for place in np.flatnonzero(self.code_word(partner, name)[:active]))
        yield from private_marks(partner, name)

    def all_marks(self, name: str, active: int) -> Iterator[Mark]:
        """Every mark of a list in any copy."""
        yield from (Mark(name, MarkKind.SHARED, place) for place in range(active))
        for partner in self.partners:
            yield from private_marks(partner, name)

    def active(self, entries: int) -> int:
        """Places of the code in use in a list of so many entries: not many more marks than there are entries to hide among."""
        if entries == 0:
            return 0
        wanted = max(FEWEST_POSITIONS, 4 * entries)
        return min(self.positions, 1 << (wanted - 1).bit_length())

    # ---- copies

    def copy_for(self, partner: str, contents: EditionContents) -> EditionContents:
        """A partner's copy of ``contents``, which holds only what this partner may have."""
        self._require(partner)
        marked = self._with_marks(contents, lambda name, active: self.marks_of(partner, name, active), hidden=True)
        return _renumbered(marked, self.numbers_of(partner))

    def own(self, contents: EditionContents) -> EditionContents:
        """The hotline's own copy: every mark of every partner, labelled, so that its own nodes tell hits on marks apart."""
        return self._with_marks(contents, self.all_marks, hidden=False) if self.partners else contents

    def _with_marks(self, contents: EditionContents, marks: MarksOf, *, hidden: bool) -> EditionContents:
        urls, hashes = list(contents.urls), list(contents.hashes)
        for info in contents.lists:
            if not self.carries(info.kind):
                continue
            if info.kind in ADDRESSES:
                urls += self._addresses(info, [each for each in contents.urls if each.list == info.name], marks, hidden)
            else:
                hashes += self._digests(info, [each for each in contents.hashes if each.list == info.name], marks, hidden)
        return replace(contents, urls=tuple(urls), hashes=tuple(hashes))

    def _addresses(self, info: ListInfo, real: Sequence[UrlEntry], marks: MarksOf, hidden: bool) -> Iterator[UrlEntry]:
        chosen = list(marks(info.name, self.active(len(real))))
        for mark, like in self._neighbours(chosen, real):
            scope = Scope.URL if like.scope is Scope.IP else like.scope
            url = self.address_of(mark, scope)
            labels = _labels(mark, like.labels, hidden)
            flags = EntryFlag(like.flags & _RIGHTS)
            yield UrlEntry(self.number_of(mark), info.name, url, scope, flags, labels, like.expires)

    def _digests(self, info: ListInfo, real: Sequence[HashEntry], marks: MarksOf, hidden: bool) -> Iterator[HashEntry]:
        chosen = list(marks(info.name, self.active(len(real))))
        for mark, like in self._neighbours(chosen, real):
            algorithm = like.algorithm if like.algorithm in MARKED_ALGORITHMS else "sha256"
            labels = _labels(mark, like.labels, hidden)
            yield HashEntry(
                self.number_of(mark), info.name, algorithm, self.value_of(mark, algorithm), labels, like.expires
            )

    def _neighbours(self, marks: Sequence[Mark], real: Sequence[Entry]) -> Iterator[tuple[Mark, Entry]]:
        """Each mark with the entry that it imitates: the next one on a ring, which stays the same as others come and go."""
        if not marks or not real:
            return
        ring = OpaqueNumbers(self._draw(b"ring")).shown([each.entry for each in real])
        order = np.argsort(ring)
        wanted = OpaqueNumbers(self._draw(b"places")).shown([self.number_of(mark) for mark in marks])
        places = np.searchsorted(ring[order], wanted) % len(real)
        for mark, place in zip(marks, places, strict=True):
            yield mark, real[int(order[place])]

    def _require(self, partner: str) -> None:
        if partner not in self.partners:
            raise InputError("partner_unknown", "The book of marks does not know this partner.", where=partner)

    def _draw(self, *parts: str | bytes) -> bytes:
        state = blake2b(key=self.key, digest_size=64, person=b"vigil marks")
        for part in parts:
            content = part if isinstance(part, bytes) else part.encode()
            state.update(len(content).to_bytes(2, "big") + content)
        return state.digest()

    def _stream(self, purpose: bytes, name: str, partner: str, size: int) -> bytes:
        return shake_256(self._draw(purpose, name, partner)).digest(size)

    # ---- as a file

    def encoded(self) -> bytes:
        """The book as a file for the one who traces. As secret as a signing key."""
        written = _Written(_FORMAT, self.key.hex(), self.domains, dict(self.lists), self.partners, self.positions)
        return msgspec.json.format(msgspec.json.encode(written, order="sorted"), indent=1) + b"\n"


def decode_book(data: bytes) -> MarkBook:
    """A book from its file. Raises InputError; the message holds nothing of the file."""
    try:
        found = msgspec.json.decode(data, type=_Written)
        key = bytes.fromhex(found.key)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(
            "marks_malformed", "This is not a book of marks.", mend="Make one: vigil hotline partner marks --out FILE."
        ) from error
    if found.format != _FORMAT:
        raise InputError("marks_malformed", "The book of marks has another format than this software knows.")
    return MarkBook(key, found.domains, tuple(found.lists.items()), found.partners, found.positions)


def private_marks(partner: str, name: str) -> Iterator[Mark]:
    """The marks that one partner alone has of a list: hidden ones, then those with an alarm."""
    yield from (Mark(name, MarkKind.PRIVATE, place, partner) for place in range(PRIVATE))
    yield from (Mark(name, MarkKind.ALARM, place, partner) for place in range(ALARMS))


def is_mark_number(number: int) -> bool:
    """Whether one of the hotline's own numbers is that of a mark."""
    return number >= _FIRST_MARK


def _labels(mark: Mark, like: tuple[str, ...], hidden: bool) -> tuple[str, ...]:
    return like if hidden and mark.kind is not MarkKind.ALARM else (*like, CANARY)


def _renumbered(contents: EditionContents, numbers: OpaqueNumbers) -> EditionContents:
    urls = numbers.shown([each.entry for each in contents.urls]).tolist()
    hashes = numbers.shown([each.entry for each in contents.hashes]).tolist()
    return replace(
        contents,
        urls=tuple(replace(each, entry=number) for each, number in zip(contents.urls, urls, strict=True)),
        hashes=tuple(replace(each, entry=number) for each, number in zip(contents.hashes, hashes, strict=True)),
    )


def _require_domain(domain: str) -> None:
    url = canonical(f"http://{domain}/")
    if url.host != domain or url.is_address() or "." not in domain:
        raise InputError("marks_domain", "A domain for marks is not a plain host name.", mend="Write it as in sub.site.example.")


def _word(seed: bytes) -> str:
    """A word that can be spoken and means nothing, from four bytes."""
    first, second, third = (_ONSETS[byte % 16] + _ENDS[byte // 16 % 8] for byte in seed[:3])
    return first + second + third + str(seed[3] % 10) * (seed[3] > 127)

"""Whose copy was it? Names the partner, or the smallest set of partners, from the marks in a leaked file. Pure but for reading.

Each accusation carries the chance that an innocent partner would be accused by this evidence, over all partners of the book.
Those chances are bounds, not estimates: code words are random and secret, so an innocent one has nothing to do with what
a leak shows, whatever those who made it did. Five kinds of evidence, each enough by itself:

``key``       digests that only this partner's copy has: each partner's addresses are digested under a key of its own.
``private``   marks that stand in one partner's copy only.
``numbers``   entry numbers, which are each partner's own.
``code``      the symmetric score of the presence code (Škorić, Katzenbeisser and Celik), with Chernoff's bound.
``completes`` with those accused already, this partner alone explains every place that they cannot (places where all of
              a coalition agree cannot be changed).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from hashlib import md5, sha1, sha256
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil.editions.leak import Leak, read_leak
from vigil.editions.marks import (
    ADDRESSES,
    BIASES,
    FEWEST_POSITIONS,
    MARKED_ALGORITHMS,
    Bits,
    Mark,
    MarkBook,
    MarkKind,
    private_marks,
)
from vigil.match.urls import SCOPES, Scope, entry_key, host_key

CONFIDENCE: Final = 1e-6  # the chance, over all partners together, that an innocent one is named
KEYED_PLACES: Final = 64
READ_SHARE: Final = 16  # a list was read where at least one place in sixteen is there
MOST_NUMBER: Final = 2**32  # no hotline has numbered more entries; a foreign number falls below by chance once in 65,536
_EXPONENTS: Final = np.concatenate([np.linspace(0.01, 2.0, 200), np.linspace(2.1, 8.0, 60)])

Floats = npt.NDArray[np.float64]


class Evidence(StrEnum):
    """Why somebody is named."""

    KEY = "key"
    PRIVATE = "private"
    NUMBERS = "numbers"
    CODE = "code"
    COMPLETES = "completes"


@dataclass(frozen=True, slots=True)
class Named:
    """A partner whose copy is in the leak. ``wrong`` bounds the chance that this evidence would name an innocent partner."""

    partner: str
    evidence: tuple[Evidence, ...]
    private: int
    score: float
    wrong: float


@dataclass(frozen=True, slots=True)
class Trace:
    """What a leak tells. ``named`` is the smallest set that the evidence gives, the surest first; empty: nobody can be named.

    ``lists``      those of which marks were read, with the number of places of the code read.
    ``explained``  share of the places read that the named together can have produced; None where none was read.
    """

    form: str
    lists: dict[str, int]
    marks: int
    named: tuple[Named, ...]
    explained: float | None

    def words(self) -> str:
        """The finding as a sentence."""
        if not self.marks and not self.named:
            return "No mark of this book is in the file: it is no copy of ours, or its marks were taken out."
        if not self.named:
            return "Marks are in the file, but too few to name anybody without risk to the innocent."
        who = " and ".join(each.partner for each in self.named)
        what = "The copy of" if len(self.named) == 1 else "The copies of"
        wrong = max(each.wrong for each in self.named)
        return f"{what} {who}. The chance that an innocent partner is named: below {_power(wrong)}."


@dataclass(frozen=True, slots=True)
class _Observed:
    """The presence code as it was read: ``seen`` (m,), the biases (m,), and all code words (n, m)."""

    seen: Bits
    biases: Floats
    words: Bits


DigestKeys = Mapping[str, Iterable[bytes]]


def trace_file(
    path: Path, book: MarkBook, digest_keys: DigestKeys | None = None, confidence: float = CONFIDENCE
) -> Trace:
    """Trace a file of whatever form. ``digest_keys`` are those a partner's addresses were ever digested under.

    Raises InputError where the file cannot be read.
    """
    wanted = _Wanted.of(book, digest_keys or {})
    leak = read_leak(path, frozenset(wanted.hosts), frozenset(wanted.digests) | frozenset(wanted.keyed))
    keyed = {wanted.keyed[value] for value in leak.digests if value in wanted.keyed}
    found = wanted.marks_in(leak) | {mark for _, mark in keyed}
    return trace_marks(
        found, book, numbers=leak.numbers, keys_of={partner for partner, _ in keyed}, form=leak.form, confidence=confidence
    )


def trace_marks(
    found: set[Mark],
    book: MarkBook,
    *,
    numbers: set[int] | None = None,
    keys_of: Set[str] = frozenset(),
    form: str = "marks",
    confidence: float = CONFIDENCE,
) -> Trace:
    """The same from what a leak holds: marks, entry numbers, and whose digest keys it was made with."""
    observed, lists = _observed(found, book)
    scores = _scores(observed)
    evidence: dict[str, dict[Evidence, float]] = {partner: {} for partner in book.partners}
    private = {partner: sum(mark.holder == partner for mark in found) for partner in book.partners}
    count = max(1, len(book.partners))
    for place, partner in enumerate(book.partners):
        chances = {
            Evidence.KEY: 2.0**-100 if partner in keys_of else 1.0,
            Evidence.PRIVATE: 2.0**-40 if private[partner] else 1.0,  # names and digests are drawn by a secret key
            Evidence.NUMBERS: count * _chance_of_numbers(numbers or set(), book, partner),
            Evidence.CODE: count * _chance_of_code(observed, observed.words[place]) if len(observed.seen) else 1.0,
        }
        evidence[partner] = {kind: chance for kind, chance in chances.items() if chance <= confidence / len(Evidence)}
    _complete(observed, book, evidence, confidence / len(Evidence))
    named = [
        Named(name, tuple(why), private[name], round(float(scores[place]), 1), min(why.values()))
        for place, name in enumerate(book.partners)
        if (why := evidence[name])
    ]
    named.sort(key=lambda each: (each.wrong, each.partner))
    members = [book.partners.index(each.partner) for each in named]
    return Trace(form, lists, len(found), tuple(named), _explained(observed, members))


def _observed(found: set[Mark], book: MarkBook) -> tuple[_Observed, dict[str, int]]:
    """The places of all lists that are in the leak, one after the other."""
    seen, biases, words, lists = [], [], [], {}
    for name, kind in book.lists:
        places = np.zeros(book.positions, bool)
        places[[mark.place for mark in found if mark.list == name and mark.kind is MarkKind.SHARED]] = True
        in_use = _in_use(places, book) if book.carries(kind) else 0
        if not in_use:
            continue
        lists[name] = in_use
        seen.append(places[:in_use])
        biases.append(book.biases(name)[:in_use])
        words.append(np.stack([book.code_word(partner, name)[:in_use] for partner in book.partners]))
    if not seen:
        return _Observed(np.zeros(0, bool), np.zeros(0), np.zeros((len(book.partners), 0), bool)), {}
    return _Observed(np.concatenate(seen), np.concatenate(biases), np.concatenate(words, axis=1)), lists


def _in_use(places: Bits, book: MarkBook) -> int:
    """How many places of the code the list had: its last one is among the last half of them; 0 where too few are there."""
    if not places.any() or not book.partners:
        return 0
    last = int(np.flatnonzero(places)[-1]) + 1
    in_use = min(book.positions, max(FEWEST_POSITIONS, 1 << (last - 1).bit_length()))
    return in_use if int(places.sum()) * READ_SHARE >= in_use else 0


def _weights(seen: Bits, biases: Floats) -> tuple[Floats, Floats]:
    """What a place adds to the score of a word that has it, and of one that has it not."""
    present, absent = np.sqrt((1 - biases) / biases), np.sqrt(biases / (1 - biases))
    return np.where(seen, present, -present), np.where(seen, -absent, absent)


def _scores(observed: _Observed) -> Floats:
    have, lack = _weights(observed.seen, observed.biases)
    found: Floats = np.where(observed.words, have, lack).sum(axis=1) if len(have) else np.zeros(len(observed.words))
    return found


def _chance_of_code(observed: _Observed, word: Bits) -> float:
    """Bound on the chance that a random word scores as high: the better of two tests, for which it pays by doubling.

    The first looks at all places. The second only at those that are there: a file may be a part of the copy.
    """
    there = observed.seen
    whole = _tail(observed.seen, observed.biases, word)
    part = _tail(observed.seen[there], observed.biases[there], word[there])
    return min(1.0, 2 * min(whole, part))


def _tail(seen: Bits, biases: Floats, word: Bits) -> float:
    """Chernoff's bound on P(score of a random word ≥ score of this one), exact for the biases and what was seen."""
    have, lack = _weights(seen, biases)
    score = float(np.where(word, have, lack).sum())
    if score <= 0:
        return 1.0
    exponent = -_EXPONENTS * score
    for bias in BIASES:
        for there in (True, False):
            count = int(np.count_nonzero((biases == bias) & (seen == there)))
            if count:
                with_it, without = _weights(np.array([there]), np.array([bias]))
                exponent += count * np.log(bias * np.exp(_EXPONENTS * with_it[0]) + (1 - bias) * np.exp(_EXPONENTS * without[0]))
    return min(1.0, math.exp(float(exponent.min())))


def _chance_of_numbers(numbers: set[int], book: MarkBook, partner: str) -> float:
    """Bound on the chance that so many foreign numbers look like the hotline's own when read as this partner's."""
    if not numbers:
        return 1.0
    meant = book.numbers_of(partner).meant(np.fromiter(numbers, np.uint64))
    near = int(np.count_nonzero(meant < MOST_NUMBER))
    expected = len(numbers) * MOST_NUMBER / 2**48
    if near < 3 or near <= expected:
        return 1.0
    return math.exp(near - expected + near * math.log(expected / near))


def _complete(observed: _Observed, book: MarkBook, evidence: dict[str, dict[Evidence, float]], enough: float) -> None:
    """Add the partner who alone explains all that those named cannot, if an innocent one hardly ever would."""
    named = [place for place, partner in enumerate(book.partners) if evidence[partner]]
    if not named or not len(observed.seen):
        return
    open_places = ~_explains(observed, named)
    if not open_places.any():
        return
    seen, biases = observed.seen[open_places], observed.biases[open_places]
    chance = len(book.partners) * float(np.prod(np.where(seen, biases, 1 - biases)))
    fitting = np.flatnonzero((observed.words[:, open_places] == seen).all(axis=1))
    if chance <= enough and len(fitting) == 1:
        evidence[book.partners[int(fitting[0])]][Evidence.COMPLETES] = chance


def _explains(observed: _Observed, members: Sequence[int]) -> Bits:
    """Where at least one of the members has what was seen."""
    found: Bits = (observed.words[list(members)] == observed.seen).any(axis=0)
    return found


def _explained(observed: _Observed, members: Sequence[int]) -> float | None:
    if not members or not len(observed.seen):
        return None
    return round(float(_explains(observed, members).mean()), 4)


def _power(chance: float) -> str:
    return "10^-100" if chance < 1e-100 else f"10^{math.ceil(math.log10(chance))}"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What marks look like in files: host names and digests, each with its mark."""

    hosts: dict[bytes, Mark]
    digests: dict[bytes, Mark]
    keyed: dict[bytes, tuple[str, Mark]]

    @classmethod
    def of(cls, book: MarkBook, digest_keys: DigestKeys) -> _Wanted:
        hosts: dict[bytes, Mark] = {}
        digests: dict[bytes, Mark] = {}
        for name, kind in book.lists:
            if book.carries(kind):
                for mark in _all(book, name):
                    if kind in ADDRESSES:
                        hosts[book.address_of(mark).host.encode()] = mark
                    digests.update(dict.fromkeys(_digests(book, mark, kind), mark))
        return cls(hosts, digests, dict(_keyed(book, digest_keys)))

    def marks_in(self, leak: Leak) -> set[Mark]:
        plain = {self.digests[value] for value in leak.digests if value in self.digests}
        return {self.hosts[name] for name in leak.hosts} | plain


def _all(book: MarkBook, name: str) -> Iterator[Mark]:
    yield from (Mark(name, MarkKind.SHARED, place) for place in range(book.positions))
    for partner in book.partners:
        yield from private_marks(partner, name)


def _keyed(book: MarkBook, digest_keys: DigestKeys) -> Iterator[tuple[bytes, tuple[str, Mark]]]:
    """Digests of a partner's addresses under its own keys. A few marks will do: such a file is one partner's as it is."""
    for partner, keys in digest_keys.items():
        for name in (name for name, kind in book.lists if kind in ADDRESSES and book.carries(kind)):
            for mark in book.marks_of(partner, name, KEYED_PLACES):
                for key in keys:
                    for scope in SCOPES:
                        if scope is not Scope.IP:
                            yield entry_key(scope, book.address_of(mark, scope), key), (partner, mark)


def _digests(book: MarkBook, mark: Mark, kind: str) -> Iterator[bytes]:
    """Keys of an edition, and what others usually make of an address: its digests, with and without scheme."""
    if kind not in ADDRESSES:
        yield from (book.value_of(mark, algorithm) for algorithm in MARKED_ALGORITHMS)
        return
    for scope in SCOPES:
        if scope is not Scope.IP:
            yield entry_key(scope, book.address_of(mark, scope))
    yield host_key(book.address_of(mark).host)
    text = book.address_of(mark).text()
    for form in (text, text.partition("://")[2], book.address_of(mark).host):
        yield from (make(form.encode(), usedforsecurity=False).digest() for make in (md5, sha1, sha256))

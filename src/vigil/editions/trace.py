"""Whose copy was it? Names the partner, or the smallest set of partners, from the marks in a leaked file. Pure but for reading.

Each accusation carries the chance that an innocent partner would be accused by this evidence, over all partners of the book.
Those chances are bounds, not estimates: code words are random and secret, so an innocent one has nothing to do with what
a leak shows, whatever those who made it did. Five kinds of evidence, each enough by itself:

``key``       digests that only this partner's copy has: each partner's addresses are digested under a key of its own.
``private``   marks that stand in one partner's copy only.
``numbers``   entry numbers, which are each partner's own.
``code``      the symmetric score of the presence code (Škorić, Katzenbeisser and Celik), with Chernoff's bound.
``completes`` it is of the smallest set that explains every place, and the only one who explains those that the others of
              the set cannot (places where all of a coalition agree cannot be changed): :mod:`vigil.editions.coalition`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil.editions.coalition import Places, smallest_sets
from vigil.editions.leak import Leak, LeakForm, read_leak
from vigil.editions.marks import BIASES, FEWEST_POSITIONS, Bits, Mark, MarkBook, MarkKind
from vigil.editions.signs import DigestKeys, Signs

CONFIDENCE: Final = 1e-6  # the chance, over all partners together, that an innocent one is named
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


class Unread(StrEnum):
    """Why a file without a mark may be a partner's copy all the same."""

    FORM = "form"
    DIGESTED = "digested"
    UNMARKED = "unmarked"


_NOTHING: Final = (
    "No mark of this book is in the file: it is no copy of ours, its marks were taken out, or its lists had no entries."
)
_UNREAD: Final = {
    Unread.FORM: "This form carries no marks: a Safe Browsing list holds digests of whole names and network addresses, and the "
    "copies traced here have no marks among those. It cannot be said whose it is.",
    Unread.DIGESTED: "No mark can be read in the file, but it holds digests: addresses in a partner's copy are digested under "
    "its own key. Trace it with the key folder of the list office: --keys DIR. Without it nobody can be cleared.",
    Unread.UNMARKED: "The lists of this book carry no marks, because the hotline has named no domains for them "
    "(lists.canary_domains). It cannot be said whose it is.",
}


@dataclass(frozen=True, slots=True)
class Trace:
    """What a leak tells. ``named`` is the smallest set that the evidence gives, the surest first; empty: nobody can be named.

    ``lists``      those of which marks were read, with the number of places of the code read.
    ``explained``  share of the places read that the named together can have produced; None where none was read.
    ``unread``     where no mark was found, why that proves nothing; None where it does.
    """

    form: str
    lists: dict[str, int]
    marks: int
    named: tuple[Named, ...]
    explained: float | None
    unread: Unread | None = None

    def words(self) -> str:
        """The finding as a sentence."""
        if not self.marks and not self.named:
            return _UNREAD[self.unread] if self.unread else _NOTHING
        if not self.named:
            return "Marks are in the file, but too few to name anybody without risk to the innocent."
        *others, last = (each.partner for each in self.named)
        who = f"The copies of {', '.join(others)} and {last}" if others else f"The copy of {last}"
        wrong = max(each.wrong for each in self.named)
        return f"{who}. The chance that an innocent partner is named: below {_power(wrong)}."


def trace_file(
    path: Path, book: MarkBook, digest_keys: DigestKeys | None = None, confidence: float = CONFIDENCE
) -> Trace:
    """Trace a file of whatever form. ``digest_keys`` are those a partner's addresses were ever digested under.

    Raises InputError where the file cannot be read.
    """
    given = {partner: tuple(keys) for partner, keys in (digest_keys or {}).items()}
    book = replace(book, partners=(*book.partners, *sorted(given.keys() - set(book.partners))))
    signs = Signs.of(book, given)
    leak = read_leak(path, frozenset(signs.hosts), frozenset(signs.digests) | frozenset(signs.keyed))
    found = trace_marks(
        signs.marks_in(leak), book, numbers=leak.numbers, keys_of=signs.keys_in(leak), form=leak.form, confidence=confidence
    )
    return found if found.marks or found.named else replace(found, unread=_unread(leak, book, given))


def trace_books(path: Path, books: Sequence[MarkBook], digest_keys: DigestKeys | None = None) -> Trace:
    """Trace a file by several books, because names and key of the marks may have changed: whoever any of them names.

    Each book more is a chance more to name somebody innocent, so each has to be surer by that.
    """
    found = [trace_file(path, book, digest_keys, CONFIDENCE / len(books)) for book in books]
    best = max(found, key=lambda each: (len(each.named) > 0, each.marks))
    surest: dict[str, Named] = {}
    for each in (each for one in (best, *found) for each in one.named):
        if each.partner not in surest or each.wrong < surest[each.partner].wrong:
            surest[each.partner] = each
    named = [replace(each, wrong=min(1.0, each.wrong * len(books))) for each in surest.values()]
    return replace(best, named=tuple(sorted(named, key=lambda each: (each.wrong, each.partner))))


def _unread(leak: Leak, book: MarkBook, digest_keys: DigestKeys) -> Unread | None:
    if leak.form == LeakForm.SAFE_BROWSING:
        return Unread.FORM
    if not any(book.carries(kind) for _, kind in book.lists):
        return Unread.UNMARKED
    return Unread.DIGESTED if leak.strange_digests and not digest_keys else None


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
    for place, chance in smallest_sets(observed, scores, confidence / len(Evidence)).items():
        evidence[book.partners[place]][Evidence.COMPLETES] = chance
    named = [
        Named(name, tuple(why), private[name], round(float(scores[place]), 1), min(why.values()))
        for place, name in enumerate(book.partners)
        if (why := evidence[name])
    ]
    named.sort(key=lambda each: (each.wrong, each.partner))
    members = [book.partners.index(each.partner) for each in named]
    return Trace(form, lists, len(found), tuple(named), _explained(observed, members))


def _observed(found: set[Mark], book: MarkBook) -> tuple[Places, dict[str, int]]:
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
        return Places(np.zeros(0, bool), np.zeros(0), np.zeros((len(book.partners), 0), bool)), {}
    return Places(np.concatenate(seen), np.concatenate(biases), np.concatenate(words, axis=1)), lists


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


def _scores(observed: Places) -> Floats:
    have, lack = _weights(observed.seen, observed.biases)
    found: Floats = np.where(observed.words, have, lack).sum(axis=1) if len(have) else np.zeros(len(observed.words))
    return found


def _chance_of_code(observed: Places, word: Bits) -> float:
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


def _explained(observed: Places, members: Sequence[int]) -> float | None:
    if not members or not len(observed.seen):
        return None
    return round(float((observed.words[list(members)] == observed.seen).any(axis=0).mean()), 4)


def _power(chance: float) -> str:
    return "10^-100" if chance < 1e-100 else f"10^{math.ceil(math.log10(chance))}"

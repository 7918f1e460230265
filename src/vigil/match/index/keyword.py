"""Is a listed word in this text? Many patterns at once (Aho–Corasick), on normalised views of the text.

A long text is read in blocks with room on both sides, so that memory stays bounded; a hit belongs to the block in
which it starts. Offsets are characters of the text that was handed in. The obvious twin is ``keyword_twin``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import ahocorasick_rs
import numpy as np

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.match.keywords.characters import LETTER, is_unspaced
from vigil.match.keywords.terms import WINDOW_CHARACTERS, Allowed, Hit, Term, Together, checked, spellings_of
from vigil.match.keywords.views import Folded, View, fold, plain_texts, plain_view, skeleton_texts, skeleton_views

TEXT_CHARACTERS: Final = Limit(32 * 1024 * 1024, "characters", "one text must not keep a worker busy for minutes")
HITS: Final = Limit(10_000, "hits", "a text made of nothing but listed words must not fill the memory")
BLOCK: Final = 524_288
ROOM: Final = 4_096
SHORTEST_SKELETON: Final = 4


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What a pattern stands for: positions in the terms, or in the allowed phrases."""

    terms: list[int] = field(default_factory=list)
    allowed: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Find:
    term: int
    start: int
    end: int
    evasive: bool


class _Engine:
    """An automaton and what its patterns stand for."""

    def __init__(self, patterns: dict[str, _Pattern]) -> None:
        self._meanings = list(patterns.values())
        self._automaton = ahocorasick_rs.AhoCorasick(list(patterns), store_patterns=False) if patterns else None

    def finds(self, text: str) -> Iterator[tuple[_Pattern, int, int]]:
        """Every occurrence, overlapping ones too: meaning, start and end."""
        if self._automaton is not None:
            for number, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
                yield self._meanings[number], start, end


class KeywordMatcher:
    """The words of one edition, ready to scan. Build it with :meth:`build`."""

    def __init__(self, terms: Sequence[Term], together: Sequence[Together], allowed: Sequence[Allowed]) -> None:
        self._terms, self._together, self._allowed = tuple(terms), tuple(together), tuple(allowed)
        spellings = spellings_of(self._terms)
        self._plain = _Engine(_plain_patterns(spellings, self._allowed))
        self._skeleton = _Engine(_skeleton_patterns(self._terms, spellings))
        self._check_groups()

    @classmethod
    def build(
        cls, terms: Iterable[Term], *, together: Iterable[Together] = (), allowed: Iterable[Allowed] = ()
    ) -> KeywordMatcher:
        """A matcher. Raises InputError for a term, phrase or pair that cannot be looked for, naming its entry."""
        return cls(tuple(terms), tuple(together), tuple(allowed))

    def __len__(self) -> int:
        return len(self._terms)

    def _check_groups(self) -> None:
        groups = {term.group for term in self._terms} - {""}
        for pair in self._together:
            if pair.first not in groups or pair.second not in groups:
                raise InputError("group_unknown", "A pair names a group without terms.", where=f"entry {pair.entry}")
            if not 0 <= pair.window <= WINDOW_CHARACTERS.value:
                raise InputError("window_out_of_range", "A window is out of range.", where=f"entry {pair.entry}")

    def scan(self, text: str | bytes) -> list[Hit]:
        """All hits in order of their start, at most :data:`HITS`. Bytes are read as UTF-8; others become separators.

        Raises InputError ``text_too_long`` beyond :data:`TEXT_CHARACTERS`.
        """
        whole = text if isinstance(text, str) else text.decode("utf-8", "replace")
        if len(whole) > TEXT_CHARACTERS.value:
            raise InputError("text_too_long", f"The text has more than {TEXT_CHARACTERS.value} characters.")
        finds = sorted(self._finds(whole), key=lambda find: (find.start, find.end, find.term))
        alone = [find for find in finds if not self._terms[find.term].group]
        hits = [Hit(self._terms[find.term].entry, find.start, find.end, find.evasive) for find in alone]
        if self._together:
            hits = sorted([*hits, *self._pairs(finds)], key=lambda hit: (hit.start, hit.end, hit.entry))
        return hits[: HITS.value]

    def _finds(self, whole: str) -> Iterator[_Find]:
        """Finds of all blocks; stops after as many as anyone will be told."""
        left = HITS.value
        for start in range(0, len(whole), BLOCK):
            begin, end = max(0, start - ROOM), start + BLOCK + ROOM
            for find in self._finds_in_block(whole[begin:end]):
                if start <= find.start + begin < start + BLOCK:
                    yield _Find(find.term, find.start + begin, find.end + begin, find.evasive)
                    left -= 1
            if left <= 0:
                return

    def _finds_in_block(self, block: str) -> list[_Find]:
        folded = fold(block)
        view = plain_view(folded)
        excuses: list[tuple[int, int, int | None]] = []
        finds: list[_Find] = []
        for meaning, start, end in self._plain.finds(view.text):
            if meaning.allowed and _is_whole(view.text, start, end):
                excuses += [(*_span(view, folded, start, end), self._allowed[number].entry) for number in meaning.allowed]
            whole = _is_whole(view.text, start, end) if meaning.terms else False
            wanted = [term for term in meaning.terms if whole or not self._terms[term].whole_word]
            if wanted:
                span = _span(view, folded, start, end)
                finds += [_Find(term, *span, False) for term in wanted]
        known = {(find.term, find.start, find.end) for find in finds}
        finds += [find for find in self._evasive(folded) if (find.term, find.start, find.end) not in known]
        return [find for find in finds if not self._is_excused(find, excuses)] if excuses else finds

    def _evasive(self, folded: Folded) -> Iterator[_Find]:
        """Finds in the skeleton view that are written with letters for the most part."""
        seen: set[tuple[int, int, int]] = set()
        for view in skeleton_views(folded):
            for meaning, start, end in self._skeleton.finds(view.text):
                first, last = _folded_span(view, folded, start, end)
                if not _is_mostly_letters(folded, first, last):
                    continue
                whole = _stands_alone(folded, first, last)
                for term in meaning.terms:
                    if (whole or not self._terms[term].whole_word) and (term, first, last) not in seen:
                        seen.add((term, first, last))
                        yield _Find(term, folded.origin(first), folded.origin(last - 1) + 1, True)

    def _is_excused(self, find: _Find, excuses: list[tuple[int, int, int | None]]) -> bool:
        entry = self._terms[find.term].entry
        return any(start <= find.start and find.end <= end and only in {None, entry} for start, end, only in excuses)

    def _pairs(self, finds: list[_Find]) -> Iterator[Hit]:
        """For each find of the first group, the nearest one of the second inside the window."""
        groups: dict[str, list[_Find]] = {}
        for find in finds:
            groups.setdefault(self._terms[find.term].group, []).append(find)
        for pair in self._together:
            others = groups.get(pair.second, [])
            starts = [other.start for other in others]
            for find in groups.get(pair.first, []):
                other = _nearest(find, others, starts, pair.window)
                if other is not None:
                    evasive = find.evasive or other.evasive
                    yield Hit(pair.entry, find.start, find.end, evasive, (other.start, other.end))


def _plain_patterns(spellings: Sequence[set[str]], allowed: Sequence[Allowed]) -> dict[str, _Pattern]:
    patterns: dict[str, _Pattern] = {}
    for number, variants in enumerate(spellings):
        for spelling in variants:
            patterns.setdefault(spelling, _Pattern()).terms.append(number)
    for number, spelling in enumerate(plain_texts([phrase.text for phrase in allowed]) if allowed else []):
        patterns.setdefault(checked(spelling, "allowed phrase"), _Pattern()).allowed.append(number)
    return patterns


def _skeleton_patterns(terms: Sequence[Term], spellings: Sequence[set[str]]) -> dict[str, _Pattern]:
    wanted = [(number, text) for number, variants in enumerate(spellings) if terms[number].evasions for text in variants]
    patterns: dict[str, _Pattern] = {}
    for (number, _), skeleton in zip(wanted, skeleton_texts([text for _, text in wanted]), strict=False):
        found = patterns.setdefault(skeleton, _Pattern()).terms
        if not found or found[-1] != number:
            found.append(number)
    return {skeleton: pattern for skeleton, pattern in patterns.items() if len(skeleton) >= SHORTEST_SKELETON}


def _span(view: View, folded: Folded, start: int, end: int) -> tuple[int, int]:
    """Offsets in the block of a find in the plain view."""
    return folded.origin(view.folded_at(start)), folded.origin(view.folded_at(end - 1)) + 1


def _folded_span(view: View, folded: Folded, start: int, end: int) -> tuple[int, int]:
    """Positions in the folded block of a find in the skeleton view, a run at its end taken whole."""
    first, last = view.folded_at(start), view.folded_at(end - 1) + 1
    limit = view.folded_at(end) if end < len(view.text) else len(folded.codes)
    while last < limit and folded.codes[last] == folded.codes[last - 1]:
        last += 1
    return first, last


def _is_whole(text: str, start: int, end: int) -> bool:
    return _is_edge(text, start) and _is_edge(text, end)


def _is_edge(text: str, at: int) -> bool:
    """Between the characters before and at ``at`` a word may begin or end."""
    if at in (0, len(text)) or text[at - 1] == " " or text[at] == " ":
        return True
    return is_unspaced(text[at - 1]) or is_unspaced(text[at])


def _stands_alone(folded: Folded, first: int, last: int) -> bool:
    """No letter touches the find: digits and signs may, since they may be padding."""
    before = first > 0 and folded.classes[first - 1] & LETTER
    after = last < len(folded.classes) and folded.classes[last] & LETTER
    return not before and not after


def _is_mostly_letters(folded: Folded, first: int, last: int) -> bool:
    """At least half of what was read as letters is letters: a number alone is no word."""
    letters = int(np.count_nonzero(folded.classes[first:last] & LETTER))
    signs = int(np.count_nonzero(folded.classes[first:last] & 6))
    return letters >= signs


def _nearest(find: _Find, others: list[_Find], starts: list[int], window: int) -> _Find | None:
    """The other find with the smallest gap, at most ``window``; overlapping ones have none."""
    at = bisect_left(starts, find.start)
    best: tuple[int, _Find] | None = None
    for step in (-1, 1):
        place = at - 1 if step < 0 else at
        while 0 <= place < len(others) and abs(others[place].start - find.start) <= window + 2 * ROOM:
            other = others[place]
            gap = max(other.start - find.end, find.start - other.end, 0)
            if gap <= window and (best is None or gap < best[0]):
                best = (gap, other)
                break
            place += step
    return None if best is None else best[1]

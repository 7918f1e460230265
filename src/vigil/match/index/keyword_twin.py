"""The slow, obvious twin of the keyword matcher: character by character, term by term. For tests, for life."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vigil.match.index.keyword import SHORTEST_SKELETON
from vigil.match.keywords import Hit, Term
from vigil.match.keywords.characters import (
    JOINER,
    LEET,
    LEET_OTHER,
    LETTER,
    SEPARATOR,
    SPACE,
    SYMBOL,
    WORD,
    class_of,
    folded,
    is_unspaced,
)
from vigil.match.keywords.terms import spellings_of
from vigil.match.keywords.views import skeleton_text

Traced = list[tuple[str, int]]


def trace(text: str) -> Traced:
    """Folded characters, each with the position it came from."""
    return [(part, at) for at, character in enumerate(text) for part in folded(character)]


def plain(text: str) -> Traced:
    """Letters and digits; each run of anything else is one space, placed where the run begins."""
    out: Traced = []
    for part, at in trace(text):
        if class_of(part) & WORD:
            out.append((part, at))
        elif not out or out[-1][0] != " ":
            out.append((" ", at))
    return out


class KeywordTwin:
    """Finds what :class:`vigil.match.index.keyword.KeywordMatcher` must find, for terms alone, in short texts."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._terms = tuple(terms)

    def scan(self, text: str) -> set[Hit]:
        """Hits of the plain view, and those of the skeleton view that it does not have."""
        found = {hit for term in self._terms for hit in plain_hits(term, text)}
        spans = {(hit.entry, hit.start, hit.end) for hit in found}
        evasive = {hit for term in self._terms if term.evasions for hit in evasive_hits(term, text)}
        return found | {hit for hit in evasive if (hit.entry, hit.start, hit.end) not in spans}


def plain_hits(term: Term, text: str) -> Iterator[Hit]:
    traced = plain(text)
    line = "".join(part for part, _ in traced)
    for spelling in spellings_of([term])[0]:
        for found in re.finditer(f"(?={re.escape(spelling)})", line):
            start, end = found.start(), found.start() + len(spelling)
            whole = _is_edge(line[max(start - 1, 0) : start], line[start]) and _is_edge(line[end - 1], line[end : end + 1])
            if whole or not term.whole_word:
                yield Hit(term.entry, traced[start][1], traced[end - 1][1] + 1)


def _is_edge(before: str, after: str) -> bool:
    return not {"", " "}.isdisjoint({before, after}) or is_unspaced(before) or is_unspaced(after)


def evasive_hits(term: Term, text: str) -> Iterator[Hit]:
    traced = trace(text)
    for table in (LEET, {**LEET, **LEET_OTHER}):
        for start, end in places(traced):
            kept = [at for at in range(start, end) if class_of(traced[at][0]) & (WORD | SYMBOL)]
            letters = [table.get(traced[at][0], traced[at][0]) for at in kept]
            single = [n for n in range(len(kept)) if n == 0 or letters[n] != letters[n - 1]]
            yield from _in_place(term, traced, [(letters[n], kept[n]) for n in single], end)


def _in_place(term: Term, traced: Traced, line: Traced, limit: int) -> Iterator[Hit]:
    text = "".join(letter for letter, _ in line)
    for spelling in {skeleton_text(variant) for variant in spellings_of([term])[0]}:
        for found in re.finditer(f"(?={re.escape(spelling)})", text) if len(spelling) >= SHORTEST_SKELETON else ():
            stop = found.start() + len(spelling)
            first, last = line[found.start()][1], line[stop - 1][1] + 1
            bound = line[stop][1] if stop < len(line) else limit
            while last < bound and traced[last][0] == traced[last - 1][0]:
                last += 1
            if _counts(term, traced, first, last):
                yield Hit(term.entry, traced[first][1], traced[last - 1][1] + 1, True)


def _counts(term: Term, traced: Traced, first: int, last: int) -> bool:
    classes = [class_of(part) for part, _ in traced]
    letters = sum(kind == LETTER for kind in classes[first:last])
    signs = sum(kind not in (LETTER, SPACE, SEPARATOR, JOINER) for kind in classes[first:last])
    before = first > 0 and classes[first - 1] == LETTER
    after = last < len(classes) and classes[last] == LETTER
    return letters >= signs and (not term.whole_word or not (before or after))


def places(traced: Traced) -> list[tuple[int, int]]:
    """Tokens with a sign of evasion, and letters spaced out; those that overlap or touch made one."""
    classes = [class_of(part) for part, _ in traced]
    found = [*_tokens(traced, classes), *_spaced(classes)]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _tokens(traced: Traced, classes: list[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for at in range(len(classes) + 1):
        if at == len(classes) or classes[at] in (SPACE, SEPARATOR):
            if _looks_evasive(traced[start:at], classes[start:at]):
                yield start, at
            start = at + 1


def _looks_evasive(token: Traced, classes: list[int]) -> bool:
    kinds = "".join("l" if kind == LETTER else "j" if kind == JOINER else "s" if kind == SYMBOL else "d" for kind in classes)
    letters = "".join(part if kind == LETTER else " " for (part, _), kind in zip(token, classes, strict=True))
    return bool(re.search(r"l[ds]|[ds]l|l[js]l", kinds) or re.search(r"([^ ])\1\1", letters))


def _spaced(classes: list[int]) -> Iterator[tuple[int, int]]:
    word = "".join("w" if kind & (WORD | SYMBOL) else "-" for kind in classes)
    for found in re.finditer(r"(?<!w)(?=w-w-w(?!w))", word):
        yield found.start(), found.start() + 5

"""Two readings of a text, each with the way back to the original offsets.

The *plain* view folds every character (:mod:`characters`) and makes each run of separators one space. The *skeleton*
view covers only places that look like evasion (a letter beside a digit or sign that stands for one, letters with
signs or single spaces between them, a letter three times or more) and there reads digits and signs as letters, drops
separators and makes runs of a letter one. All steps are vectorised; time and memory grow with the text, never faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vigil.match.keywords.characters import (
    CODE_POINTS,
    DIGIT,
    JOINER,
    LETTER,
    SEPARATOR,
    SPACE,
    SYMBOL,
    WORD,
    Tables,
    tables,
)

Codes = NDArray[np.uint32] | NDArray[np.uint8]
Mask = NDArray[np.bool_]
_SPACE: Final = 32
ASCII: Final = 128
_BETWEEN: Final = 0xE000


@dataclass(frozen=True, slots=True, repr=False)
class Folded:
    """``codes`` of the folded characters, their ``classes``, and the original position of each (None: the same)."""

    codes: Codes
    classes: NDArray[np.uint8]
    source: NDArray[np.int64] | None

    def origin(self, at: int) -> int:
        """The original position of a folded character."""
        return at if self.source is None else int(self.source[at])


@dataclass(frozen=True, slots=True, repr=False)
class View:
    """A normalised text; ``kept`` (one per character of it) are positions in the folded characters."""

    text: str
    kept: NDArray[np.intp] | None

    def folded_at(self, at: int) -> int:
        return at if self.kept is None else int(self.kept[at])


def fold(text: str) -> Folded:
    """Every character folded. Lone surrogates count as separators."""
    table = tables()
    if text.isascii():
        data = text.encode("ascii")
        codes = np.frombuffer(data.translate(table.ascii_fold), np.uint8)
        return Folded(codes, np.frombuffer(data.translate(table.ascii_classes), np.uint8), None)
    numbers = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    found: NDArray[np.uint32] = table.fold[numbers]
    source: NDArray[np.int64] | None = None
    if found.size and int(found.max()) >= CODE_POINTS:
        found, source = _expanded(found, table)
    kept = found != 0
    if not kept.all():
        source = np.flatnonzero(kept) if source is None else source[kept]
        found = found[kept]
    if found.size and int(found.max()) < ASCII:
        # Most texts of Europe are ASCII once their marks are folded: a quarter of the bytes for every later step.
        data = found.astype(np.uint8).tobytes()
        return Folded(np.frombuffer(data, np.uint8), np.frombuffer(data.translate(table.ascii_classes), np.uint8), source)
    return Folded(found, table.classes[found], source)


def _expanded(found: NDArray[np.uint32], table: Tables) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Characters that are spelled with several, spelled out."""
    long = found >= CODE_POINTS
    rows = found[long] - np.uint32(CODE_POINTS)
    counts = np.ones(len(found), np.int64)
    counts[long] = table.lengths[rows]
    source = np.repeat(np.arange(len(found)), counts)
    spelled = found[source]
    starts = np.cumsum(counts) - counts
    within = np.arange(len(source)) - starts[source]
    wide = long[source]
    spelled[wide] = table.expansions[spelled[wide] - np.uint32(CODE_POINTS), within[wide]]
    return spelled, source


def plain_view(folded: Folded) -> View:
    """Letters and digits as they are, everything else one space."""
    apart = (folded.classes & WORD) == 0
    codes = np.where(apart, folded.codes.dtype.type(_SPACE), folded.codes)
    doubled = apart[1:] & apart[:-1]
    if not doubled.any():
        return View(_text(codes), None)
    keep = np.ones(len(codes), np.bool_)
    keep[1:] = ~doubled
    return View(_text(codes[keep]), np.flatnonzero(keep))


def skeleton_views(folded: Folded) -> list[View]:
    """The evasive places alone, one after the other with a space between; twice where a sign has two readings."""
    places = suspicious_places(folded.classes, folded.codes)
    if not len(places):
        return []
    inside = _marked(places, len(folded.codes))
    table = tables()
    ends = places[:, 1][places[:, 1] < len(folded.codes)]
    readable = (folded.classes & (WORD | SYMBOL)) != 0
    kept = inside & readable
    kept[ends] = True
    positions = np.flatnonzero(kept)
    raw = folded.codes[positions].astype(np.uint32)
    raw[~inside[positions]] = _SPACE
    first = table.leet[raw]
    views = [_without_runs(first, positions)]
    second = table.leet_other[raw]
    if not np.array_equal(first, second):
        views.append(_without_runs(second, positions))
    return views


def _without_runs(codes: NDArray[np.uint32], positions: NDArray[np.intp]) -> View:
    keep = np.ones(len(codes), np.bool_)
    keep[1:] = codes[1:] != codes[:-1]
    return View(_text(codes[keep]), positions[keep])


def suspicious_places(classes: NDArray[np.uint8], codes: Codes) -> NDArray[np.int64]:
    """(k, 2) starts and ends of the places worth reading as a skeleton, sorted and apart from each other."""
    if len(classes) < 3:
        return np.zeros((0, 2), np.int64)
    letter = (classes & LETTER) != 0
    leet = (classes & (DIGIT | SYMBOL)) != 0
    beside = np.flatnonzero((letter[:-1] & leet[1:]) | (leet[:-1] & letter[1:]))
    joined = np.flatnonzero(letter[:-2] & ((classes[1:-1] & (JOINER | SYMBOL)) != 0) & letter[2:])
    tripled = np.flatnonzero((codes[:-2] == codes[1:-1]) & (codes[1:-1] == codes[2:]) & letter[:-2])
    tokens = _tokens_around(np.concatenate([beside, joined, tripled]), classes)
    return _merged(np.concatenate([tokens, _spaced_out(classes)]))


def _tokens_around(positions: NDArray[np.intp], classes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The stretch between white space around each position."""
    if not len(positions):
        return np.zeros((0, 2), np.int64)
    spaces = np.flatnonzero((classes == SPACE) | (classes == SEPARATOR))
    after = np.searchsorted(spaces, positions)
    bounds = np.concatenate([[-1], spaces, [len(classes)]])
    return np.stack([bounds[after] + 1, bounds[after + 1]], axis=1)


def _spaced_out(classes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Three or more single characters in a row with one separator between: ``z o r``."""
    word = np.concatenate([[False], (classes & (WORD | SYMBOL)) != 0, [False]])
    single = word[1:-1] & ~word[:-2] & ~word[2:]
    if len(single) < 5:
        return np.zeros((0, 2), np.int64)
    starts = np.flatnonzero(single[:-4] & single[2:-2] & single[4:])
    return np.stack([starts, starts + 5], axis=1)


def _merged(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places that overlap or touch made one."""
    if not len(places):
        return places
    places = places[np.argsort(places[:, 0], kind="stable")]
    furthest = np.maximum.accumulate(places[:, 1])
    first = np.concatenate([[True], places[1:, 0] > furthest[:-1]])
    last = np.concatenate([first[1:], [True]])
    return np.stack([places[first, 0], furthest[last]], axis=1)


def _marked(places: NDArray[np.int64], length: int) -> Mask:
    steps = np.zeros(length + 1, np.int8)
    steps[places[:, 0]] += 1
    steps[places[:, 1]] -= 1
    marked: Mask = np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)
    return marked


def _text(codes: NDArray[Any]) -> str:
    if codes.dtype == np.uint8:
        return codes.tobytes().decode("ascii")
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def plain_texts(texts: Sequence[str]) -> list[str]:
    """The plain view of each term or phrase, without spaces at its ends."""
    folded, codes = _joined(texts)
    apart = (folded.classes & WORD) == 0
    spaced = np.where(apart & (codes != _BETWEEN), np.uint32(_SPACE), codes)
    keep = np.ones(len(spaced), np.bool_)
    keep[1:] = (spaced[1:] != _SPACE) | (spaced[:-1] != _SPACE)
    return [line.strip(" ") for line in _text(spaced[keep]).split(chr(_BETWEEN))]


def skeleton_texts(texts: Sequence[str]) -> list[str]:
    """Each term as the skeleton view spells it: letters for digits and signs, no separators, no runs."""
    folded, codes = _joined(texts)
    kept = codes[((folded.classes & (WORD | SYMBOL)) != 0) | (codes == _BETWEEN)]
    letters = tables().leet[kept]
    keep = np.ones(len(letters), np.bool_)
    keep[1:] = (letters[1:] != letters[:-1]) | (letters[1:] == _BETWEEN)
    return _text(letters[keep]).split(chr(_BETWEEN))


def _joined(texts: Sequence[str]) -> tuple[Folded, NDArray[np.uint32]]:
    """All texts folded in one go, with a private-use character between them that no text keeps."""
    mark = chr(_BETWEEN)
    folded = fold(mark.join(text.replace(mark, " ") for text in texts))
    return folded, folded.codes.astype(np.uint32)


def plain_text(text: str) -> str:
    """:func:`plain_texts` of one."""
    return plain_texts([text])[0]


def skeleton_text(text: str) -> str:
    """:func:`skeleton_texts` of one."""
    return skeleton_texts([text])[0]

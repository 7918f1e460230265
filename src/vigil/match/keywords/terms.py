"""What a keyword list says: terms, pairs of groups that count together, and phrases that excuse a hit."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.match.keywords.views import plain_texts

TERM_CHARACTERS: Final = Limit(256, "characters", "a longer term could be cut by the blocks that a long text is read in")
WINDOW_CHARACTERS: Final = Limit(10_000, "characters", "two words further apart than a few pages say nothing together")
SHORTEST: Final = 2

# Spellings that a language allows beside dropping the marks, after folding: both count as the term.
_SPELLINGS: Final[dict[str, dict[str, str]]] = {
    "de": {"ä": "ae", "ö": "oe", "ü": "ue"},
    "da": {"å": "aa", "ø": "oe"},
    "nb": {"å": "aa", "ø": "oe"},
    "sv": {"å": "aa", "ä": "ae", "ö": "oe"},
    "fi": {"å": "aa", "ä": "ae", "ö": "oe"},
}


@dataclass(frozen=True, slots=True, repr=False)
class Term:
    """One word or phrase to look for. Its text never shows in ``repr``.

    ``entry``       number that a hit reports.
    ``whole_word``  only between separators; else inside words too.
    ``language``    BCP 47; adds spellings where a language has them (``de``: ä as ae).
    ``evasions``    also in the skeleton view, where the term has at least four letters.
    ``group``       empty: a hit by itself. Otherwise it counts only in a :class:`Together` that names the group.
    """

    entry: int
    text: str
    whole_word: bool = True
    language: str = ""
    evasions: bool = True
    group: str = ""


@dataclass(frozen=True, slots=True)
class Together:
    """A hit where a term of group ``first`` and one of group ``second`` lie at most ``window`` characters apart."""

    entry: int
    first: str
    second: str
    window: int


@dataclass(frozen=True, slots=True, repr=False)
class Allowed:
    """A phrase inside which a hit does not count; for all entries, or for ``entry`` only."""

    text: str
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A find: entry number and offsets in the characters of the text; never the term.

    ``evasive``  it was read from the skeleton view.  ``other``  for a :class:`Together`: the span of the second term.
    """

    entry: int
    start: int
    end: int
    evasive: bool = False
    other: tuple[int, int] | None = None


def spellings_of(terms: Sequence[Term]) -> list[set[str]]:
    """The plain spellings of each term. Raises InputError for one that is too short or too long to look for."""
    if not terms:
        return []
    spelled = [_spelled_out(term) for term in terms]
    found: list[set[str]] = []
    for term, one, other in zip(terms, plain_texts([term.text for term in terms]), plain_texts(spelled), strict=True):
        found.append({checked(spelling, f"entry {term.entry}") for spelling in (one, other)})
    return found


def _spelled_out(term: Term) -> str:
    """The term with the letters that its language may write with two."""
    table = _SPELLINGS.get(term.language.partition("-")[0])
    if table is None:
        return term.text
    text = unicodedata.normalize("NFC", term.text.casefold())
    return "".join(table.get(letter, letter) for letter in text)


def checked(spelling: str, where: str) -> str:
    """The spelling, if it can be looked for."""
    if len(spelling) < SHORTEST:
        raise InputError("term_too_short", "A term has fewer than two letters or digits.", where=where)
    if len(spelling) > TERM_CHARACTERS.value:
        raise InputError("term_too_long", f"A term has more than {TERM_CHARACTERS.value} characters.", where=where)
    return spelling

"""Listed terms in a query to a search engine or a chat, and which reviewed message to show instead. Pure, but for the file that
is read.

Terms are confidential: they come encrypted with an edition, or in a file that the operator was given; they never show in
answers, logs or errors, and neither does the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.edge.policy import KEYWORD
from vigil.match.index.keyword import KeywordMatcher
from vigil.match.keywords import Allowed, Term, Together
from vigil.match.verdict import Outcome, Verdict

QUERY_CHARACTERS: Final = Limit(20_000, "characters", "a query or a chat message; longer texts are no search")
NO_TERMS: Final = "no_terms"
TOO_LONG: Final = "query_too_long"
FILE: Final = "keywords.json"


class TermRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A term of the file; fields as in :class:`vigil.match.keywords.Term`."""

    entry: int
    text: str
    whole_word: bool = True
    language: str = ""
    evasions: bool = True
    group: str = ""
    labels: tuple[str, ...] = ()


class PairRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two groups that count together."""

    entry: int
    first: str
    second: str
    window: int


class AllowedRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A phrase that excuses."""

    text: str
    entry: int | None = None


class TermFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file ``keywords.json``: one list of terms."""

    list: str
    terms: tuple[TermRow, ...]
    together: tuple[PairRow, ...] = ()
    allowed: tuple[AllowedRow, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Screen:
    """One list of terms, ready to scan."""

    list: str
    matcher: KeywordMatcher
    labels: dict[int, tuple[str, ...]]

    def verdict(self, query: str, edition: int | None) -> Verdict:
        """Whether ``query`` holds a listed term; the first hit answers."""
        if len(query) > QUERY_CHARACTERS.value:
            return Verdict(Outcome.UNKNOWN, edition, KEYWORD, reason=TOO_LONG)
        hits = self.matcher.scan(query)
        if not hits:
            return Verdict(Outcome.NOT_LISTED, edition, KEYWORD)
        entry = hits[0].entry
        return Verdict(
            Outcome.LISTED, edition, KEYWORD, list=self.list, entry=entry, distance=0, labels=self.labels.get(entry, ())
        )


def without_terms(edition: int | None) -> Verdict:
    """The verdict where no terms are there to compare with."""
    return Verdict(Outcome.UNKNOWN, edition, KEYWORD, reason=NO_TERMS)


def screened(query: str, screens: Sequence[Screen], edition: int | None) -> Verdict:
    """The verdict on ``query`` by the first of ``screens`` that holds a term of it; ``unknown`` where there are none."""
    verdict = without_terms(edition)
    for screen in screens:
        verdict = screen.verdict(query, edition)
        if verdict.verdict is not Outcome.NOT_LISTED:
            return verdict
    return verdict


def screens_of(documents: Iterable[bytes], lists: Sequence[str]) -> tuple[Screen, ...]:
    """A screen for each of ``lists``, in their order; one without a document has no terms today.

    Raises InputError for a document of two that name the same list, or that cannot be read.
    """
    found: dict[str, Screen] = {}
    for document in documents:
        screen = load_terms(document)
        if screen.list in found:
            raise InputError("terms_twice", "Two files of terms name the same list.", where=screen.list)
        found[screen.list] = screen
    return tuple(found.get(name) or Screen(name, KeywordMatcher.build(()), {}) for name in lists)


def load_terms(data: bytes) -> Screen:
    """The screen of a file. Raises InputError that says where, never what stood there."""
    try:
        file = msgspec.json.decode(data, type=TermFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(
            "terms_malformed", "The file of terms cannot be read.", where=FILE, mend="See docs/reference/edge-api.md."
        ) from None
    terms = [Term(row.entry, row.text, row.whole_word, row.language, row.evasions, row.group) for row in file.terms]
    together = [Together(row.entry, row.first, row.second, row.window) for row in file.together]
    allowed = [Allowed(row.text, row.entry) for row in file.allowed]
    matcher = KeywordMatcher.build(terms, together=together, allowed=allowed)
    return Screen(file.list, matcher, {row.entry: row.labels for row in file.terms if row.labels})

"""Fuzz target: whatever the text, hits lie inside it, and the matcher and its twin agree on short texts."""

from __future__ import annotations

from vigil.match.index.keyword import KeywordMatcher
from vigil.match.index.keyword_twin import KeywordTwin
from vigil.match.keywords import Term, plain_text

TERMS = [
    Term(1, "zorblat"),
    Term(2, "quim", whole_word=False),
    Term(3, "zor fenn"),
    Term(4, "bo0k"),
    Term(5, "ärk", language="de"),
]
MATCHER = KeywordMatcher.build(TERMS)
TWIN = KeywordTwin(TERMS)
PIECES = ["zorblat", "quim", "z", "o", "r", "fenn", "b", "0", "1", "@", "!", "-", " ", ".", "\u0308", "\u200b", "ß", "о", "Ä"]


def TestOneInput(data: bytes) -> None:
    """Raises where a promise is broken. Low bytes become pieces of terms, so that hits are common."""
    text = "".join(PIECES[byte % len(PIECES)] if byte < 96 else chr(byte * 37) for byte in data[:64])
    for whole in (text, data.decode("utf-8", "surrogateescape")[:200]):
        hits = MATCHER.scan(whole)
        if set(hits) != TWIN.scan(whole):
            raise AssertionError("the matcher and its twin differ")
        if not all(0 <= hit.start < hit.end <= len(whole) for hit in hits):
            raise AssertionError("a hit lies outside the text")
        once = plain_text(whole)
        if plain_text(once) != once:
            raise AssertionError("normalisation is not stable")

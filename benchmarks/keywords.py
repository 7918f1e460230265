"""Scanning text for 100,000 terms, against the bare automaton on text that somebody else normalised already."""

from __future__ import annotations

import random

import ahocorasick_rs

from benchmarks.harness import PROCESSOR, Measurement, bench, compare, seconds
from vigil.match.index.keyword import KeywordMatcher
from vigil.match.keywords import Term, plain_text
from vigil.match.keywords.terms import spellings_of

TERMS = 100_000
WORDS = 120_000
ALPHABET = "etaoinshrdlucmfwypvbgkjqxz"


def made_up(rng: random.Random, shortest: int, longest: int) -> str:
    """A nonsense word whose letters are as uneven as those of a language."""
    letters = ALPHABET[: rng.randint(8, 26)]
    return "".join(rng.choice(letters) for _ in range(rng.randint(shortest, longest)))


def terms_of(rng: random.Random) -> list[Term]:
    return [Term(n, made_up(rng, 6, 14) + (" " + made_up(rng, 4, 8) if n % 5 == 0 else "")) for n in range(TERMS)]


def prose(rng: random.Random, terms: list[Term], accents: float) -> str:
    """Nonsense prose: capitals, punctuation, hyphens, numbers, a term in 5,000 words, accents in some words."""
    vocabulary = [made_up(rng, 2, 9) for _ in range(20_000)]
    words = []
    for _ in range(WORDS):
        word, chance = rng.choice(vocabulary), rng.random()
        if chance < 0.1:
            word = word.capitalize()
        if chance > 0.97:
            word += rng.choice([",", ".", "-" + rng.choice(vocabulary), "'s", "99"])
        if chance > 0.9998:
            word = rng.choice(terms).text
        if rng.random() < accents:
            word = word.replace("o", "ö").replace("e", "é")
        words.append(word)
    return " ".join(words)


def scan(seed: int, accents: float) -> Measurement:
    rng = random.Random(seed)
    terms = terms_of(rng)
    text = prose(rng, terms, accents)
    matcher = KeywordMatcher.build(terms)
    patterns = sorted({spelling for spellings in spellings_of(terms) for spelling in spellings})
    bare = ahocorasick_rs.AhoCorasick(patterns, store_patterns=False)
    ready = plain_text(text)
    found = {ready[start:end] for _, start, end in bare.find_matches_as_indexes(ready, overlapping=True)}
    ours = {plain_text(text[hit.start : hit.end]) for hit in matcher.scan(text) if not hit.evasive}
    if not ours <= found or not ours:
        raise AssertionError("the matcher and the bare automaton disagree")
    conditions = {"terms": TERMS, "characters": len(text), "words_with_accents": accents, "hits": len(matcher.scan(text))}
    return compare(
        ours=lambda: matcher.scan(text),
        theirs=lambda: bare.find_matches_as_indexes(ready, overlapping=True),
        conditions=conditions,
        clock=PROCESSOR,
    )


@bench(name="keyword_scan", against="ahocorasick-rs alone", at_least=0.5)
def keyword_scan(seed: int) -> Measurement:
    """Normalisation, evasive spellings, word edges and offsets included, ASCII text."""
    return scan(seed, 0.0)


@bench(name="keyword_scan_accents", against="ahocorasick-rs alone", at_least=0.5)
def keyword_scan_accents(seed: int) -> Measurement:
    """The same where a sixth of the words carry accents."""
    return scan(seed, 0.15)


@bench(name="keyword_build", unit="seconds")
def keyword_build(seed: int) -> Measurement:
    """Building the matcher from 100,000 terms."""
    terms = terms_of(random.Random(seed))
    return Measurement(seconds(lambda: KeywordMatcher.build(terms)), {"terms": TERMS})

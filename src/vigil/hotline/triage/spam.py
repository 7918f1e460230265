"""Does a report look like spam? Rules that each say why, weighed by the policy. Pure; no rule reads meaning.

The score is 1 − Π(1 − weight) over the rules that fit: each reason moves it towards 1, none alone decides unless it is
given such a weight.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, repr=False)
class Facts:
    """What the rules see of one report.

    ``words``     the reporter's words. ``addresses`` as received; ``hosts`` of those that can be read.
    ``files``     how many files it names by hash. ``services`` how many apps and accounts.
    ``repeated``  how many other reports of the last day have the same words and other addresses.
    """

    words: str = ""
    addresses: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    files: int = 0
    services: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers of the policy that rules compare with."""

    repeated_after: int
    many_addresses: int
    own_hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """``text`` says to an analyst why the report looks like spam."""

    text: str
    fits: Callable[[Facts, Bounds], bool]


MARKUP: Final = re.compile(r"\[url[=\]]|<a\s+href|\[link[=\]]", re.IGNORECASE)
PRICE: Final = re.compile(r"(?:[$€£]\s?\d|\d\s?%\s|\d+\s?(?:usd|eur))", re.IGNORECASE)
LINK: Final = re.compile(r"https?://", re.IGNORECASE)
LONG_WORD: Final = re.compile(r"[a-z]{9,}", re.IGNORECASE)
VOWELS: Final = frozenset("aeiouy")
LEAST_LETTERS: Final = 20


def _shouts(facts: Facts, bounds: Bounds) -> bool:
    letters = [sign for sign in facts.words if sign.isalpha() and sign.lower() != sign.upper()]
    return len(letters) >= LEAST_LETTERS and sum(sign.isupper() for sign in letters) > 0.8 * len(letters)


def _is_gibberish(facts: Facts, bounds: Bounds) -> bool:
    """Long Latin words almost without vowels. Other scripts are never judged."""
    words = LONG_WORD.findall(facts.words)
    odd = [word for word in words if sum(sign in VOWELS for sign in word.lower()) * 6 < len(word)]
    return len(odd) >= 2 and len(odd) * 2 > len(words)


RULES: Final[Mapping[str, Rule]] = {
    "nothing_named": Rule(
        "It names no address that can be read, no file and no app.",
        lambda facts, bounds: not (facts.hosts or facts.files or facts.services),
    ),
    "repeated_words": Rule(
        "The same words came with other addresses several times today.",
        lambda facts, bounds: facts.repeated >= bounds.repeated_after,
    ),
    "markup_links": Rule(
        "Its words hold links in markup, as advertising robots write them.", lambda facts, _: bool(MARKUP.search(facts.words))
    ),
    "many_addresses": Rule(
        "It names many addresses at different hosts.",
        lambda facts, bounds: len(set(facts.hosts)) >= bounds.many_addresses,
    ),
    "shouting": Rule("Its words are almost all in capitals.", _shouts),
    "no_words_at_all": Rule("It says nothing beside the address.", lambda facts, _: not facts.words.strip()),
    "own_host": Rule(
        "It names a host that is reported by mistake again and again.",
        lambda facts, bounds: bool(facts.hosts) and all(host in bounds.own_hosts for host in facts.hosts),
    ),
    "gibberish": Rule("Its words are rows of letters that nobody could say.", _is_gibberish),
    "advertising_shape": Rule(
        "Its words hold prices and several links.",
        lambda facts, _: bool(PRICE.search(facts.words)) and len(LINK.findall(facts.words)) >= 2,
    ),
}


@dataclass(frozen=True, slots=True)
class Score:
    """``value`` from 0 to 1, and the codes of the rules that fitted."""

    value: float
    reasons: tuple[str, ...]


def score(facts: Facts, bounds: Bounds, weights: Mapping[str, float]) -> Score:
    """How much ``facts`` look like spam, and why."""
    reasons = tuple(code for code, rule in RULES.items() if rule.fits(facts, bounds))
    rest = 1.0
    for code in reasons:
        rest *= 1.0 - weights[code]
    return Score(round(1.0 - rest, 4), reasons)


def plain(words: str) -> str:
    """Words as they are compared with those of other reports: folded, without marks, digits and spaces."""
    folded = unicodedata.normalize("NFKD", words).casefold()
    return "".join(sign for sign in folded if sign.isalpha())

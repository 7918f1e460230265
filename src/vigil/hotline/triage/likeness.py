"""Names that look like one brand though they are not spelt alike: rules, version 2, that propose and never join or close. Pure.

around    the name with words or numbers around it: ``www2-quimber.example``, ``quimber-mirror7.test`` for ``quimber.example``
digits    digits in place of letters: ``qu1mber.example``
plural    one is the other's plural: ``quimbers.example``, ``zorblaties.example`` for ``zorblaty.example``
misspelt  one letter more, fewer, other, or two changed places, in names of at least seven letters: ``qiumber.example``

Plurals are asked about from seven letters on too. They have a reason of their own, because they are rarely slips: whoever decides
should know that ``gardens`` may simply be another site than ``garden``.

Names that differ only by the numbers behind them are one brand already (:mod:`.related`). Names of fewer than five letters, names
that say what a site does, and names in other scripts (``xn--``) are like nothing.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

RULE: Final = "2"  # 2: a plural is no slip
SHORTEST: Final = 5
SHORTEST_MISSPELT: Final = 7
GENERIC: Final = frozenset(
    {"archive", "files", "forum", "gallery", "galleries", "hosting", "image", "images", "media", "photo", "photos", "picture",
     "pictures", "server", "share", "stream", "upload", "uploads", "video", "videos"}
)  # fmt: skip
"""Names that say what a site does, not whose it is."""
AROUND: Final = frozenset({"alt", "backup", "mirror", "mirrors", "mobile", "new", "official", "proxy", "unblock", "web", "www"})
"""Words that sites put around their name when it is blocked or moved."""
DIGITS: Final = str.maketrans("0134578", "oleastb")
NUMBERS: Final = re.compile(r"^[0-9]+|[0-9]+$")


class Reason(StrEnum):
    """Why two names look alike."""

    AROUND = "around"
    DIGITS = "digits"
    PLURAL = "plural"
    MISSPELT = "misspelt"


def core_of(domain: str) -> str:
    """The name in a registrable domain without words and numbers around it; empty where it says too little."""
    name = domain.partition(".")[0]
    if name.startswith("xn--"):
        return ""
    parts = [NUMBERS.sub("", part) if NUMBERS.sub("", part) in AROUND else part for part in re.split(r"[-_]", name)]
    left = "".join(part for part in parts if part and part not in AROUND and not part.isdigit())
    core = left.rstrip("0123456789")
    return core if len(core) >= SHORTEST and core not in GENERIC else ""


def folded(core: str) -> str:
    """With the letters that its digits stand for."""
    return core.translate(DIGITS)


def singular(name: str) -> str:
    """The English singular of a name that looks like a plural; else the name itself."""
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    if re.search(r"(?:[sxz]|ch|sh)es$", name):
        return name[:-2]
    return name[:-1] if re.search(r"[^sui]s$", name) else name


def traces_of(core: str) -> set[str]:
    """What names that may be alike share: the folded name, its singular, and it without each one of its letters (symmetric
    deletion)."""
    name = folded(core)
    if len(name) < SHORTEST_MISSPELT:
        return {name}
    return {name, singular(name)} | {name[:place] + name[place + 1 :] for place in range(len(name))}


def why_alike(one: str, other: str) -> Reason | None:
    """Why the domains ``one`` and ``other`` may be one brand; None where nothing says so, or where their names are one."""
    left, right = core_of(one), core_of(other)
    if not left or not right or bare(one) == bare(other):
        return None
    if left == right:
        return Reason.AROUND
    if folded(left) == folded(right):
        return Reason.DIGITS
    if min(len(left), len(right)) < SHORTEST_MISSPELT:
        return None
    if _number_apart(folded(left), folded(right)):
        return Reason.PLURAL
    return Reason.MISSPELT if one_slip_apart(folded(left), folded(right)) else None


def _number_apart(one: str, other: str) -> bool:
    return singular(one) == other or singular(other) == one


def bare(domain: str) -> str:
    """The name without the numbers behind it, by which brands are joined."""
    return domain.partition(".")[0].rstrip("-_0123456789")


def one_slip_apart(one: str, other: str) -> bool:
    """Whether one letter was changed, added or left out, or two neighbours changed places."""
    if len(one) > len(other):
        one, other = other, one
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    rest, more = one[start:], other[start:]
    if len(one) < len(other):
        return rest == more[1:]
    return rest[1:] == more[1:] or (rest[:2] == more[1::-1] and rest[2:] == more[2:])

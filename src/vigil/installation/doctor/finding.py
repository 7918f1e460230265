"""A finding of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much it matters."""

    GOOD = "good"
    NOTE = "note"  # worth knowing
    BAD = "bad"  # something does not work, or is not safe


@dataclass(frozen=True, slots=True)
class Finding:
    """``subject`` is what was looked at, ``saw`` what was seen, ``mend`` what to do (empty where all is good)."""

    level: Level
    subject: str
    saw: str
    mend: str = ""


def good(subject: str, saw: str) -> Finding:
    return Finding(Level.GOOD, subject, saw)


def note(subject: str, saw: str, mend: str) -> Finding:
    return Finding(Level.NOTE, subject, saw, mend)


def bad(subject: str, saw: str, mend: str) -> Finding:
    return Finding(Level.BAD, subject, saw, mend)

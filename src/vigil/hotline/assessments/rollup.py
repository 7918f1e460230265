"""From files to a page: the youngest, the most severe, the sexes seen, each with the file it comes from. Pure.

The three may come from different files: a roll-up says what is on the page, never that one picture shows all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vigil.hotline.assessments.scheme import AgeBand, Severity, SexRollUp

GRAVEST_FIRST: Final = (Severity.A, Severity.B, Severity.C, Severity.UNDETERMINED, Severity.NONE)
AGES: Final = tuple(AgeBand)


@dataclass(frozen=True, slots=True)
class Graded:
    """One assessed file: its short name, ``uk_severity``, the ages and sexes of the children in it."""

    file: str
    severity: str
    ages: tuple[str, ...]
    sexes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RollUp:
    """The page's values and the file that each comes from; ``undetermined`` files were not counted as mild."""

    severity: str
    severity_from: str
    age_youngest: str
    age_from: str
    sex: str
    files: int
    undetermined: int

    def sources(self) -> dict[str, str | int]:
        """As stored with the assessment."""
        return {"severity": self.severity_from, "age_youngest": self.age_from, "files": self.files,
                "undetermined": self.undetermined}  # fmt: skip


def roll_up(files: Iterable[Graded]) -> RollUp | None:
    """The roll-up of assessed files; None where there is none."""
    graded = list(files)
    if not graded:
        return None
    gravest = min(graded, key=lambda one: GRAVEST_FIRST.index(Severity(one.severity)))
    aged = [(AGES.index(AgeBand(age)), age, one.file) for one in graded for age in one.ages]
    _, age, age_from = min(aged, default=(0, AgeBand.INDETERMINATE.value, ""))
    undetermined = sum(one.severity == Severity.UNDETERMINED for one in graded)
    return RollUp(gravest.severity, gravest.file, age, age_from, _sex(graded), len(graded), undetermined)


def _sex(graded: list[Graded]) -> str:
    seen = {sex for one in graded for sex in one.sexes}
    if {"girl", "boy"} <= seen:
        return SexRollUp.BOTH.value
    if "girl" in seen:
        return SexRollUp.GIRLS.value
    return SexRollUp.BOYS.value if "boy" in seen else SexRollUp.UNIDENTIFIED.value

"""The language of mappings: from granular labels to the value of one axis, with the labels that decided it.

A mapping is data::

    {"axis": "uk_severity", "version": "1", "values": ["A", "B", "C", "none", "undetermined"],
     "inputs": {"activity": ["penetrative", "non_penetrative", ...], "animal": ["yes", "no"]},
     "cases": [{"value": "A", "any": ["activity=penetrative", "animal=yes"]},
               {"value": "B", "any": ["activity=non_penetrative"]}],
     "otherwise": "none",
     "examples": [{"labels": {"activity": ["penetrative"]}, "value": "A"}, …]}

``any`` asks for at least one of its conditions, ``all`` for every one; a case may have both. A condition ``group=value`` is yes,
no or unknown (Kleene's strong three-valued logic): unknown where nothing, or "unknown", was said about the group. Cases are
read in order: the first that is yes gives the value; the first that is unknown gives ``undetermined``, unless the case says
``"unknown": "skip"``. ``group=?`` is yes where nothing was said about the group, and no otherwise. Several values of one
group may be given: "activity=x" is yes where x is among them.
Pure: data in, values out. Unknown keys, groups and values are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

import msgspec

from vigil.base.errors import InputError
from vigil.base.limits import Limit

UNDETERMINED: Final = "undetermined"
MISSING: Final = "?"
UNKNOWN: Final = frozenset({"", "unknown", "indeterminate"})
COMBINATIONS: Final = Limit(200_000, "combinations", "a truth table must be read in seconds")

Labels = Mapping[str, frozenset[str]]
"""Values given for each group; a group that is missing or empty was not labelled."""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One case of a mapping."""

    value: str
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    unknown: str = "stop"


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a mapping must say of some labels."""

    labels: dict[str, tuple[str, ...]]
    value: str


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping as data."""

    axis: str
    version: str
    values: tuple[str, ...]
    inputs: dict[str, tuple[str, ...]]
    cases: tuple[Case, ...]
    otherwise: str
    examples: tuple[Example, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A value and the conditions that decided it (``group=value``; ``group=?`` where a label is missing)."""

    value: str
    explanation: tuple[str, ...] = field(default=())


def read(data: bytes | str | Mapping[str, Any]) -> Rules:
    """The mapping in ``data`` (JSON or what it decodes to); InputError says what does not fit."""
    try:
        if isinstance(data, bytes | str):
            rules = msgspec.json.decode(data, type=Rules)
        else:
            rules = msgspec.convert(dict(data), type=Rules)
    except msgspec.MsgspecError as error:
        raise InputError("mapping_wrong", f"This is not a mapping: {error}.", where="rules") from error
    problem = next(problems_of(rules), None)
    if problem:
        raise InputError("mapping_wrong", problem, where="rules")
    return rules


def problems_of(rules: Rules) -> Iterator[str]:
    """Everything that keeps ``rules`` from being a mapping, in words."""
    if UNDETERMINED not in rules.values or len(set(rules.values)) != len(rules.values):
        yield "The values must hold undetermined, and each once."
    for value in [*(case.value for case in rules.cases), rules.otherwise, *(one.value for one in rules.examples)]:
        if value not in rules.values:
            yield f"{value} is not a value of this axis."
    for case in rules.cases:
        if not (case.any or case.all) or case.unknown not in ("stop", "skip"):
            yield "Each case has conditions, and stops or skips where they are unknown."
        for condition in (*case.any, *case.all):
            group, _, wanted = condition.partition("=")
            if group not in rules.inputs or wanted not in (*rules.inputs[group], MISSING):
                yield f"{condition} is not among the inputs."
    for example in rules.examples:
        for group, given in example.labels.items():
            if set(given) - set(rules.inputs.get(group, ())) - UNKNOWN:
                yield f"An example gives a value of {group} that is not among the inputs."
    size = 1
    for values in rules.inputs.values():
        size *= len(values) + 1
    if size > COMBINATIONS.value:
        yield f"Its inputs have {size} combinations; at most {COMBINATIONS.value}."


def compute(rules: Rules, labels: Labels) -> Result:
    """The value of the axis for these labels."""
    passed: list[str] = []
    for case in rules.cases:
        answer, because = _case(case, labels)
        if answer is True:
            return Result(case.value, because)
        if answer is None and case.unknown == "stop":
            return Result(UNDETERMINED, because)
        passed += [condition for condition in because if condition not in passed]
    return Result(rules.otherwise, tuple(passed))


def _case(case: Case, labels: Labels) -> tuple[bool | None, tuple[str, ...]]:
    """Yes, no or None for unknown, with the conditions that decided it."""
    some = [(condition, _condition(condition, labels)) for condition in case.any]
    every = [(condition, _condition(condition, labels)) for condition in case.all]
    parts = [_any(some)] if some else []
    parts += [_all(every)] if every else []
    answers = [answer for answer, _ in parts]
    answer = False if False in answers else None if None in answers else True
    because = [condition for part, conditions in parts if part is answer for condition in conditions]
    return answer, tuple(dict.fromkeys(because))


def _any(found: list[tuple[str, bool | None]]) -> tuple[bool | None, list[str]]:
    if any(answer is True for _, answer in found):
        return True, [condition for condition, answer in found if answer is True]
    if any(answer is None for _, answer in found):
        return None, [f"{condition.partition('=')[0]}=?" for condition, answer in found if answer is None]
    return False, [f"not {condition}" for condition, _ in found]


def _all(found: list[tuple[str, bool | None]]) -> tuple[bool | None, list[str]]:
    if any(answer is False for _, answer in found):
        return False, [f"not {condition}" for condition, answer in found if answer is False]
    if any(answer is None for _, answer in found):
        return None, [f"{condition.partition('=')[0]}=?" for condition, answer in found if answer is None]
    return True, [condition for condition, _ in found]


def _condition(condition: str, labels: Labels) -> bool | None:
    group, _, wanted = condition.partition("=")
    given = labels.get(group, frozenset()) - UNKNOWN
    if wanted == MISSING:
        return not given
    if wanted in given:
        return True
    return False if given else None


def combinations(rules: Rules) -> Iterator[dict[str, frozenset[str]]]:
    """Every combination of one value or none for each input: the rows of the truth table."""
    groups = list(rules.inputs)
    for row in product(*(("", *rules.inputs[group]) for group in groups)):
        yield {group: frozenset({value}) if value else frozenset() for group, value in zip(groups, row, strict=True)}

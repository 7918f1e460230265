"""A review policy as data, and what it asks of a situation. Pure: the draw for samples is handed in.

    {"version": "2", "rules": [
      {"subject_kind": "media", "outcomes": ["found"], "stages": ["second", "third"], "why": "hash lists"},
      {"subject_kind": "url", "outcomes": ["found"], "risks": ["new_host"], "stages": ["second"], "why": "new host"},
      {"subject_kind": "url", "stages": ["qa"], "sample_rate": 0.05, "why": "quality sample"}]}

Every rule that fits adds its stages. ``outcomes`` are ``found``, ``nothing_found`` or values of the outcome; ``tenure`` is
``new`` (the first 90 days) or ``settled``; ``risks`` ask for at least one of them; without one of these, the rule fits all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import product
from typing import Any, Final, Literal

import msgspec

from vigil.base.errors import InputError

NEW_FOR: Final = timedelta(days=90)
STAGES: Final = ("second", "third", "qa")


class Risk(StrEnum):
    NEW_HOST = "new_host"
    CHILD_AT_RISK = "child_at_risk"
    AI = "ai"
    LOW_CONFIDENCE = "low_confidence"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of a policy."""

    subject_kind: Literal["url", "media"]
    stages: tuple[Literal["second", "third", "qa"], ...]
    why: str
    outcomes: tuple[str, ...] = ()
    tenure: tuple[Literal["new", "settled"], ...] = ()
    risks: tuple[Risk, ...] = ()
    sample_rate: float = 1.0


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of the review policy. ``blind``: later assessors see neither the earlier result nor the name."""

    version: str
    rules: tuple[Rule, ...]
    blind: bool = True
    note: str = ""


NONE: Final = Policy("none", (), note="One assessment, then a second person decides on listing.")


@dataclass(frozen=True, slots=True)
class Situation:
    """What was assessed, and how it came out."""

    subject_kind: str
    outcome: str
    found: bool
    tenure: str = "settled"
    risks: frozenset[Risk] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages that a situation needs, in order, and why."""

    stages: tuple[str, ...] = ()
    reasons: tuple[str, ...] = field(default=())


def read(data: bytes | str | Mapping[str, Any]) -> Policy:
    """The policy in ``data``; InputError says what does not fit."""
    try:
        policy = msgspec.json.decode(data, type=Policy) if isinstance(data, bytes | str) else msgspec.convert(dict(data), Policy)
    except msgspec.MsgspecError as error:
        raise InputError("policy_wrong", f"This is not a review policy: {error}.", where="rules") from error
    problem = next(_problems(policy), None)
    if problem:
        raise InputError("policy_wrong", problem, where="rules")
    return policy


def _problems(policy: Policy) -> Iterator[str]:
    for rule in policy.rules:
        if not rule.stages:
            yield "Each rule asks for at least one stage."
        if not 0.0 <= rule.sample_rate <= 1.0:
            yield "A sample rate lies between 0 and 1."
        if "third" in rule.stages and "second" not in rule.stages:
            yield "There is no third look without a second."


def plan_for(policy: Policy, situation: Situation, draw: float) -> Plan:
    """What the policy asks; ``draw`` in [0, 1) decides samples: a rule with a rate fits where the draw lies below it."""
    fitting = [rule for rule in policy.rules if _fits(rule, situation) and draw < rule.sample_rate]
    wanted = {stage for rule in fitting for stage in rule.stages}
    return Plan(tuple(stage for stage in STAGES if stage in wanted), tuple(dict.fromkeys(rule.why for rule in fitting)))


def _fits(rule: Rule, situation: Situation) -> bool:
    if rule.subject_kind != situation.subject_kind:
        return False
    general = "found" if situation.found else "nothing_found"
    if rule.outcomes and not {situation.outcome, general} & set(rule.outcomes):
        return False
    if rule.tenure and situation.tenure not in rule.tenure:
        return False
    return not rule.risks or bool(situation.risks & set(rule.risks))


def situations() -> Iterator[Situation]:
    """Every kind of situation that a rule can tell apart, with one risk or none."""
    outcomes = (("found", True), ("nothing_found", False))
    risks: tuple[frozenset[Risk], ...] = (frozenset(), *(frozenset({risk}) for risk in Risk))
    for kind, (outcome, found), tenure, risk in product(("url", "media"), outcomes, ("new", "settled"), risks):
        yield Situation(kind, outcome, found, tenure, risk)


def report_on(policy: Policy, before: Policy) -> dict[str, Any]:
    """The test report of a proposed policy: what it asks of every situation (samples drawn), and what it changes."""
    counts: Counter[str] = Counter()
    changed: list[dict[str, str]] = []
    number = 0
    for situation in situations():
        number += 1
        new, old = plan_for(policy, situation, 0.0), plan_for(before, situation, 0.0)
        counts[", ".join(new.stages) or "no further look"] += 1
        if new.stages != old.stages:
            risk = "+".join(sorted(situation.risks)) or "no risk"
            named = f"{situation.subject_kind}, {situation.outcome}, {situation.tenure}, {risk}"
            changed.append({"labels": named, "before": ", ".join(old.stages) or "–", "after": ", ".join(new.stages) or "–"})
    return {"rows": number, "counts": dict(sorted(counts.items())), "failed": [], "unshown": [], "changed": len(changed),
            "shown": changed[:20], "passed": True}  # fmt: skip

"""The retention policy: read strictly from a file, with its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec

from vigil.base.errors import InputError

SHIPPED: Final = Path(__file__).with_name("policy.toml")
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class Action(StrEnum):
    DELETE = "delete"
    REDUCE = "reduce"
    KEEP = "keep"


class RetentionRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The period of one data class: ``days`` after ``start_event``, on the ``authority`` of a law or an agreement."""

    data_class: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{3,40}$")]
    days: Annotated[int, msgspec.Meta(ge=0, le=36_500)]
    start_event: Text
    action: Action
    authority: Text


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    version: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.-]{1,20}$")]
    rules: tuple[RetentionRule, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules, the SHA-256 of the file they stand in, and the data classes it has no rule for: those are kept."""

    rules: Rules
    digest: str
    missing: tuple[str, ...] = ()


def read_policy(data: bytes, where: str, known: frozenset[str], fixed: frozenset[str] = frozenset()) -> Policy:
    """The policy in ``data``: at most one rule for each of the ``known`` data classes; those that are ``fixed`` are kept.

    A class without a rule is kept too, and is ``missing``: a new version may know classes that an operator's file does not.
    """
    try:
        rules = msgspec.toml.decode(data, type=Rules)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError("retention_policy_wrong", f"The retention policy is not valid: {error}.", where=where) from error
    named = [rule.data_class for rule in rules.rules]
    if flaws := sorted({name for name in named if name not in known or named.count(name) > 1}):
        raise InputError(
            "retention_policy_wrong", f"Each data class has one rule. Unknown or twice: {', '.join(flaws)}.", where=where,
            mend=f"The classes are {', '.join(sorted(known))}.",
        )  # fmt: skip
    wrong = sorted(rule.data_class for rule in rules.rules if rule.data_class in fixed and rule.action is not Action.KEEP)
    if wrong:
        raise InputError(
            "retention_policy_wrong",
            f"These classes are always kept: {', '.join(wrong)}.",
            where=where,
            mend='Say action = "keep".',
        )
    return Policy(rules, hashlib.sha256(data).hexdigest(), tuple(sorted(known.difference(named))))


def policy_in(path: Path, known: frozenset[str], fixed: frozenset[str] = frozenset()) -> Policy:
    """The policy in a file as it is now."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("retention_policy_unreadable", "The retention policy cannot be read.", where=str(path)) from error
    return read_policy(data, str(path), known, fixed)

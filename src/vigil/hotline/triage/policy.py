"""The triage policy: read strictly from a file, with its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import msgspec

from vigil.base.errors import InputError
from vigil.hotline.reports.enumerations import SourceClass, Theme
from vigil.hotline.triage.spam import RULES

SHIPPED: Final = Path(__file__).with_name("policy.toml")

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Weight = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Spam(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``weights`` by rule; scores from ``hold_at`` on wait at low priority, from ``close_at`` on are closed."""

    hold_at: Share
    close_at: Share
    repeated_after: Annotated[int, msgspec.Meta(ge=2)]
    many_addresses: Annotated[int, msgspec.Meta(ge=2)]
    weights: dict[str, Weight]
    own_hosts: tuple[str, ...] = ()


class Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The share of automatic closings that a person checks, by kind."""

    known: Share
    spam: Share


class Priorities(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What raises or lowers a priority, beside what a report says of itself."""

    urgent_sources: tuple[SourceClass, ...] = ()
    low_themes: tuple[Theme, ...] = ()


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    version: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.-]{1,20}$")]
    spam: Spam
    sampling: Sampling
    priority: Priorities


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force and the SHA-256 of the file they stand in."""

    rules: Rules
    digest: str


def read_policy(data: bytes, where: str) -> Policy:
    """The policy in ``data``; InputError for anything unknown, missing or contradictory."""
    try:
        rules = msgspec.toml.decode(data, type=Rules)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError("triage_policy_wrong", f"The triage policy is not valid: {error}.", where=where) from error
    if set(rules.spam.weights) != set(RULES) or rules.spam.hold_at > rules.spam.close_at:
        raise InputError(
            "triage_policy_wrong", "The triage policy must weigh each rule once, and hold before it closes.", where=where,
            mend=f"The rules are {', '.join(sorted(RULES))}.",
        )  # fmt: skip
    return Policy(rules, hashlib.sha256(data).hexdigest())


@cache
def policy_in(path: Path) -> Policy:
    """The policy in a file, read once."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("triage_policy_unreadable", "The triage policy cannot be read.", where=str(path)) from error
    return read_policy(data, str(path))

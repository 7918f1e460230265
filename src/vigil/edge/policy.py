"""From a verdict to an action, by the operator's policy. Pure: a verdict, a door and a policy in; an action out.

A rule chooses what is done about a hit; it cannot make one. Nothing here sees an address or a scope, so no rule can turn an
entry for one page into a block of its host. Rules are tried in order; the first that fits decides; without one the default of
the kind of signal holds. ``dry_run`` decides as ever, lets everything pass, and counts it as let through.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec

from vigil.edge.doors import DoorName
from vigil.match.verdict import Outcome, Verdict

URL: Final = "url"
KEYWORD: Final = "keyword"
MEDIA: Final = "media"
TEST: Final = "test"
Choice = Literal["refuse", "pass"]
Family = Literal["url", "keyword", "media"]


class Action(StrEnum):
    """What a door does. ``log`` lets pass and counts; ``quarantine`` holds a file, and denies where a door cannot hold."""

    ALLOW = "allow"
    BLOCK = "block"
    DENY = "deny"
    LOG = "log"
    QUARANTINE = "quarantine"
    DETER = "deter"


PASSING: Final = frozenset({Action.ALLOW, Action.LOG})
DEFAULTS: Final = {URL: Action.BLOCK, MEDIA: Action.BLOCK, KEYWORD: Action.DETER}
Names = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
Doors = Annotated[tuple[DoorName, ...], msgspec.Meta(min_length=1)]
Families = Annotated[tuple[Family, ...], msgspec.Meta(min_length=1)]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``action`` for hits of these lists, at these doors, by these signals; whatever is not named fits all."""

    action: Action
    lists: Names | None = None
    doors: Doors | None = None
    signals: Families | None = None

    def fits(self, name: str | None, door: DoorName, family: str) -> bool:
        """True where the rule speaks of such a hit."""
        return (
            (self.lists is None or name in self.lists)
            and (self.doors is None or door in self.doors)
            and (self.signals is None or family in self.signals)
        )


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[policy]``. ``shadow``: a file with another such table, decided beside this one and only counted."""

    mode: Literal["enforce", "dry_run"] = "enforce"
    shadow: str | None = None
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """``action`` is done; ``intended`` would be without a dry run. ``unsure``: let pass or refused for want of an answer."""

    verdict: Verdict
    action: Action
    intended: Action
    unsure: bool = False

    @property
    def passes(self) -> bool:
        """True where what was asked for goes on its way."""
        return self.action in PASSING


def family_of(signal: str | None) -> str:
    """The kind of signal that rules name: ``url``, ``keyword``, or ``media`` for hashes and files."""
    return signal if signal in (URL, KEYWORD) else MEDIA


def resolve(verdict: Verdict, door: DoorName, policy: Policy, on_unknown: Choice) -> Decision:
    """What is done about ``verdict`` at ``door``."""
    intended = _intended(verdict, door, policy, on_unknown)
    dry = policy.mode == "dry_run" and intended not in PASSING
    return Decision(verdict, Action.LOG if dry else intended, intended, verdict.verdict is Outcome.UNKNOWN)


def _intended(verdict: Verdict, door: DoorName, policy: Policy, on_unknown: Choice) -> Action:
    if verdict.verdict is Outcome.NOT_LISTED:
        return Action.ALLOW
    if verdict.verdict is Outcome.UNKNOWN:
        return Action.ALLOW if on_unknown == "pass" else Action.DENY
    family = family_of(verdict.signal)
    for rule in policy.rules:
        if rule.fits(verdict.list, door, family):
            return rule.action
    return Action.QUARANTINE if door is DoorName.UPLOAD and family == MEDIA else DEFAULTS[family]


def differs(mine: Decision, door: DoorName, shadow: Policy, on_unknown: Choice) -> str | None:
    """``block>log`` where ``shadow`` would do something else; None where it would do the same."""
    other = resolve(mine.verdict, door, shadow, on_unknown)
    return None if other.action is mine.action else f"{mine.action}>{other.action}"

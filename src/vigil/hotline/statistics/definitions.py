"""What each figure means: the registry of definitions. A changed meaning is a new version, never a silent change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    REPORT = "report"
    URL = "url"
    HASH = "hash"
    ENTRY = "entry"
    BLOCKED_REQUEST = "blocked_request"
    EVENT = "event"

    @property
    def plural(self) -> str:
        """As the head of a column and along an axis."""
        word = self.value.replace("_", " ")
        return f"{word[:-1]}ies" if word.endswith("y") else f"{word}es" if word.endswith("sh") else f"{word}s"


class Basis(StrEnum):
    RECEIVED = "received"
    ASSESSED = "assessed"
    ACTIONED = "actioned"
    LISTED = "listed"


class Clock(StrEnum):
    RECEIVED_AT = "received_at"
    ACTIONED_AT = "actioned_at"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """``code`` and ``version`` name it; ``unit`` is what one of it is, ``basis`` its state, ``clock`` the stamp that dates it."""

    code: str
    version: int
    title: str
    unit: Unit
    basis: Basis
    clock: Clock
    text: str


REPORTS_BY_DAY: Final = Definition(
    "reports_by_day", 1, "Reports received by day", Unit.REPORT, Basis.RECEIVED, Clock.RECEIVED_AT,
    "One report is one arrival at the desk. Repeats of a known address are counted here too. Days are UTC days.",
)  # fmt: skip
REPORTS_BY_CHANNEL: Final = Definition(
    "reports_by_channel", 1, "Reports received by channel", Unit.REPORT, Basis.RECEIVED, Clock.RECEIVED_AT,
    "One report is one arrival at the desk, by the technical way it came in.",
)  # fmt: skip
OUTCOMES: Final = Definition(
    "cases_by_outcome", 1, "Cases concluded by outcome", Unit.REPORT, Basis.ASSESSED, Clock.ACTIONED_AT,
    "One case is one report and everything decided about it, dated by the day it was last concluded.",
)  # fmt: skip
ENTRIES: Final = Definition(
    "entries_by_list", 2, "Entries in force by list", Unit.ENTRY, Basis.LISTED, Clock.NONE,
    "Entries neither withdrawn nor expired at this moment. One picture may have several hashes and stand on several lists.",
)  # fmt: skip
NOT_SERVED: Final = Definition(
    "not_served_by_day", 1, "Requests that matched the list and were not served", Unit.BLOCKED_REQUEST, Basis.LISTED,
    Clock.RECEIVED_AT,
    "Requests for pages, and requests whose kind was not stated, that met an entry at an enforcement node. "
    "Not people, not distinct requests, not proof of intent.",
)  # fmt: skip
NOT_SERVED_BY_CLASS: Final = Definition(
    "not_served_by_class", 2, "Events at enforcement nodes by class", Unit.EVENT, Basis.LISTED, Clock.RECEIVED_AT,
    "What the nodes counted, by class. Only pages asked for and requests of unstated kind are in the total above; what could "
    "not be checked met no entry. Tests and canaries are in no total.",
)  # fmt: skip

MESSAGES: Final = Definition(
    "messages_by_variant", 1, "Messages of the block and warning pages", Unit.EVENT, Basis.LISTED, Clock.RECEIVED_AT,
    "How often each variant was shown at the nodes, and how often its help was followed. The same page opened twice counts "
    "twice; who saw it is not known, and nobody is followed from one page to the next.",
)  # fmt: skip

REGISTRY: Final = {
    each.code: each
    for each in (REPORTS_BY_DAY, REPORTS_BY_CHANNEL, OUTCOMES, ENTRIES, NOT_SERVED, NOT_SERVED_BY_CLASS, MESSAGES)
}

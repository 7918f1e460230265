"""Which status may follow which, and which outcomes need what. Data; the actions ask here."""

from __future__ import annotations

from typing import Final

from vigil.hotline.reports.enumerations import Outcome, Status

S, O = Status, Outcome  # noqa: E741

TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    S.NEW: frozenset({S.TRIAGED, S.IN_ASSESSMENT, S.CLOSED}),
    S.TRIAGED: frozenset({S.IN_ASSESSMENT, S.CLOSED}),
    S.IN_ASSESSMENT: frozenset({S.TRIAGED, S.SECOND_REVIEW, S.ADJUDICATION, S.AWAITING_POLICE, S.ACTIONED, S.CLOSED}),
    S.SECOND_REVIEW: frozenset({S.IN_ASSESSMENT, S.ADJUDICATION, S.AWAITING_POLICE, S.ACTIONED, S.CLOSED}),
    S.ADJUDICATION: frozenset({S.SECOND_REVIEW, S.AWAITING_POLICE, S.ACTIONED, S.CLOSED}),
    S.AWAITING_POLICE: frozenset({S.ACTIONED, S.CLOSED}),
    S.ACTIONED: frozenset({S.MONITORING, S.CLOSED, S.REOPENED}),
    S.MONITORING: frozenset({S.CLOSED, S.REOPENED}),
    S.CLOSED: frozenset({S.REOPENED}),
    S.REOPENED: frozenset({S.TRIAGED, S.IN_ASSESSMENT, S.CLOSED}),
}

# What still waits for somebody to pick it up or to finish it; the rest is done or being watched.
QUEUED: Final = frozenset({S.NEW, S.TRIAGED, S.REOPENED})
IN_HAND: Final = frozenset({S.IN_ASSESSMENT, S.SECOND_REVIEW, S.ADJUDICATION, S.AWAITING_POLICE})
OPEN: Final = QUEUED | IN_HAND
CONCLUDED: Final = frozenset(Status) - OPEN

ACTIONED_OUTCOMES: Final = frozenset({O.ACTIONED_CONTAINS, O.ACTIONED_LINKS, O.ACTIONED_ADVERT, O.ACTIONED_INCHOATE})
# Findings about content: somebody assessed it. All other outcomes can be given at the front desk, but for "duplicate",
# which only the duplicate rule gives.
ASSESSED_OUTCOMES: Final = ACTIONED_OUTCOMES | {O.NON_PHOTOGRAPHIC, O.NOT_CRIMINAL}
DESK_OUTCOMES: Final = frozenset(Outcome) - ASSESSED_OUTCOMES - {O.DUPLICATE}

DUPLICATE_RULES: Final[dict[str, str]] = {
    "1": "A report is a duplicate when its address has the same canonical form as that of an earlier report which is no "
    "duplicate itself, and which is open or was actioned. A page that was found not criminal, or could not be reached, is "
    "looked at again.",
    "2": "As version 1, for reports that name several things: a report is a duplicate when each address it names (by canonical "
    "form) and each file it names (by SHA-256) is named by an earlier report which is no duplicate itself, and which is open "
    "or was actioned; it counts on the one that names its first thing. A report that names anything else as well, such as an "
    "app or an address that cannot be read, is no duplicate. What a child reports about itself is no duplicate and has none.",
    "list-1": "A report is a duplicate when each address it names is listed as that exact address and each file as that exact "
    "file, on a list of this hotline, for cases of its own; it counts on the case that its first thing is listed for.",
}
"""Each version in words, for ever: a report keeps the version that judged it (``Report.duplicate_rule_version``)."""

LISTED_RULE: Final = "list-1"
"""The version by which triage closes what is listed already."""

DUPLICATE_RULE: Final = "2"
"""The version in force."""

REPEATS_TO_URGENT: Final = 5
"""A report of normal priority becomes urgent when it was reported this many times more."""

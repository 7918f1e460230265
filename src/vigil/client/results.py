"""Answers, one type for each: ``Listed``, ``NotListed``, ``Unknown``.

An unknown is neither of the others. What to do with one is the caller's policy, and ``allowed`` says what it came to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn


class Cause(StrEnum):
    """Why there is no answer of a node: reasons of ``Unknown`` that are made here. A node's own are in edge-api.md."""

    UNREACHABLE = "unreachable"  # no connection, or it broke before an answer was whole
    DEADLINE = "deadline"  # the time for this call was over
    ANSWER_BROKEN = "answer_broken"  # not HTTP, not JSON, cut short, or not an answer to what was asked
    NODE_FAULT = "node_fault"  # the node says it made a mistake (5xx)
    NODE_BUSY = "node_busy"  # the node asks to come back later (429, 503)
    TOKEN_REFUSED = "token_refused"  # noqa: S105  the name of a reason
    CERTIFICATE_REFUSED = "certificate_refused"  # the other side could not prove who it is
    REQUEST_REFUSED = "request_refused"  # any other status, redirections included


TRANSPORT: Final = frozenset(cause.value for cause in Cause)
SILENT: Final = frozenset({"no_edition", "edition_expired", "busy"})
"""A node's own reasons by which it answers nothing at all: as much a cause for alarm as no node."""
PASSING: Final = TRANSPORT | SILENT | {"entry_stale"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found. ``allowed``: whether the thing may pass, the policy on unknowns applied.

    ``edition``  number of the edition that was asked, None where none was.
    ``signal``   what matched or was asked: ``url``, ``sha256``, ``pdq`` …; ``media`` for a file.
    """

    allowed: bool
    edition: int | None
    signal: str | None

    @property
    def listed(self) -> bool:
        return isinstance(self, Listed)

    @property
    def not_listed(self) -> bool:
        return isinstance(self, NotListed)

    @property
    def unknown(self) -> bool:
        return isinstance(self, Unknown)

    def __bool__(self) -> NoReturn:
        raise TypeError("A verdict is not yes or no. Ask for .listed, .not_listed, .unknown or .allowed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Verdict):
    """On a list: its name, the number of the entry, the distance in bits (0 for equality) and the entry's labels."""

    allowed: bool = False
    list: str
    entry: int
    distance: int
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotListed(Verdict):
    """Asked whole, and on no list of this edition."""

    allowed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Verdict):
    """No answer, and why: a :class:`Cause`, a reason of the node, or why the file could not be hashed."""

    reason: str

    @property
    def passing(self) -> bool:
        """Whether asking again later can bring an answer; False for what lies in the thing itself."""
        return self.reason in PASSING

"""What the caller decides: what becomes of unknowns, how long to wait, how often to try, whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vigil.base.errors import InputError
from vigil.client.questions import Question
from vigil.client.results import Unknown


@dataclass(frozen=True, slots=True)
class FailOpen:
    """What is unknown may pass. It is still unknown, is handed to the queue, and raises the alarm."""

    allows_unknown = True


@dataclass(frozen=True, slots=True)
class FailClosed:
    """What is unknown may not pass until it is known."""

    allows_unknown = False


Policy = FailOpen | FailClosed


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``call`` bounds all network time of one call: waiting for a free connection, attempts and pauses between.

    ``connect``  one connection, name and TLS included        ``attempt``  one request and its answer
    ``upload``   in place of both where media are sent         ``hashing``  one file, on the caller's side
    """

    connect: float = 1.0
    attempt: float = 3.0
    call: float = 8.0
    upload: float = 60.0
    hashing: float = 20.0

    def __post_init__(self) -> None:
        if not all(0 < getattr(self, name) <= LONGEST for name in self.__slots__):
            raise InputError("timeout_range", "A time limit is out of range.", mend=f"Give seconds above 0, at most {LONGEST}.")


@dataclass(frozen=True, slots=True)
class Retries:
    """``attempts`` in all for a question; a pause between them, drawn from 0 to ``first`` × 2ⁿ, at most ``longest`` seconds.

    Questions change nothing at the node beyond its counts and are asked again; an upload is sent once.
    """

    attempts: int = 3
    first: float = 0.1
    longest: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 20 or self.first < 0 or self.longest < 0:
            raise InputError("retries_range", "The number of attempts or a pause is out of range.", mend="Give 1 to 20 attempts.")

    def most(self, attempt: int) -> float:
        """The longest pause after that many attempts."""
        return min(self.longest, self.first * 2.0 ** (attempt - 1))


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that had no answer for a reason that can pass. ``question.as_dict()`` goes into a queue of the caller's."""

    question: Question
    unknown: Unknown


@dataclass(frozen=True, slots=True)
class Alarm:
    """Matching does not work: ``questions`` went without an answer since the last alarm for this ``cause``."""

    cause: str
    questions: int
    status: int | None = None
    code: str | None = None


LONGEST: Final = 3600
Queue = Callable[[Pending], object]
AlarmCallback = Callable[[Alarm], object]

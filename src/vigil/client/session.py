"""What both clients share, without any I/O: from questions to signals, from outcomes to verdicts, and whom to tell."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Final

from vigil.client.alarms import AlarmBell
from vigil.client.engine import Outcome
from vigil.client.policy import Alarm, AlarmCallback, Pending, Policy
from vigil.client.questions import MEDIA, Question, Signal
from vigil.client.results import SILENT, Listed, NotListed, Unknown, Verdict
from vigil.client.wire import Failure, Found

LOG: Final = logging.getLogger("vigil.client")


class Session:
    """Policy, alarms, and the rules by which several signals make one verdict."""

    def __init__(self, policy: Policy, alarm: AlarmCallback | None) -> None:
        self._policy = policy
        self._bell = AlarmBell()
        self._alarm = alarm or log_alarm

    def verdict(self, question: Question, outcomes: Sequence[Outcome]) -> Verdict:
        """One verdict on a question: what is listed counts first, then every doubt, and only then that nothing was found."""
        reasons: list[str] = []
        edition: int | None = None
        for signal, outcome in zip(question.signals, outcomes, strict=True):
            if isinstance(outcome, Failure):
                reasons.append(reason_of(outcome))
                continue
            edition = outcome.edition
            if outcome.verdict == "listed" and (signal.near or outcome.distance == 0):
                return _listed(outcome)
            if outcome.verdict == "unknown":
                reasons.append(outcome.reason or "unknown")
        # What can pass comes first: it keeps the question in the queue.
        unknowns = [self._unknown(reason, edition, question.kind) for reason in reasons]
        if question.doubt is not None:
            unknowns.append(self._unknown(question.doubt, edition, question.kind))
        if unknowns:
            return max(unknowns, key=lambda unknown: unknown.passing)
        return NotListed(edition=edition, signal=question.kind)

    def sent(self, outcome: Outcome) -> Verdict:
        """The verdict on a file that was sent."""
        return self.verdict(Question(MEDIA, (Signal(MEDIA, ""),)), [outcome])

    def alarms(self, parts: Iterable[Sequence[Outcome]]) -> list[Alarm]:
        """The alarms to raise now. ``parts``: the outcomes of each question; one with several signals counts once."""
        silent: dict[str, list[Outcome]] = {}
        answered = False
        for outcomes in parts:
            causes = {cause: outcome for outcome in outcomes if (cause := _silence(outcome))}
            for cause, outcome in causes.items():
                silent.setdefault(cause, []).append(outcome)
            answered = answered or (not causes and any(outcome.edition for outcome in outcomes if isinstance(outcome, Found)))
        if answered and not silent:
            self._bell.answered()
        now = time.monotonic()
        rung = [self._bell.ring(cause, len(of), now, *_answer(of[0])) for cause, of in silent.items()]
        return [alarm for alarm in rung if alarm is not None]

    def renew_lock(self) -> None:
        """In the child of a fork."""
        self._bell.renew_lock()

    def raise_alarm(self, alarm: Alarm) -> object:
        """Tell the caller; what comes back may be awaitable."""
        return self._alarm(alarm)

    def _unknown(self, reason: str, edition: int | None, signal: str) -> Unknown:
        return Unknown(allowed=self._policy.allows_unknown, edition=edition, signal=signal, reason=reason)


def reason_of(failure: Failure) -> str:
    """The reason of the unknown that a failure becomes: the node's code for one signal, else the cause."""
    return failure.code if failure.item is not None and failure.code else failure.cause.value


def _silence(outcome: Outcome) -> str | None:
    """Why nothing can be matched: a failure, or a node that has nothing to match with. None where it lies in the signal."""
    if isinstance(outcome, Failure):
        return outcome.cause.value if outcome.item is None else None
    return outcome.reason if outcome.verdict == "unknown" and outcome.reason in SILENT else None


def _answer(outcome: Outcome) -> tuple[int | None, str | None]:
    """Status and code of what came back, where anything did."""
    return (outcome.status, outcome.code) if isinstance(outcome, Failure) else (200, outcome.reason)


def pendings(questions: Sequence[Question], verdicts: Sequence[Verdict]) -> list[Pending]:
    """What is worth asking again later."""
    pairs = zip(questions, verdicts, strict=True)
    return [Pending(question, verdict) for question, verdict in pairs if isinstance(verdict, Unknown) and verdict.passing]


def log_alarm(alarm: Alarm) -> None:
    """Where no callback was given: a line in the log, without anything of a question."""
    LOG.error(
        "matching does not work: %s; questions without an answer: %d; status %s, code %s",
        alarm.cause,
        alarm.questions,
        alarm.status,
        alarm.code,
    )


def _listed(found: Found) -> Listed:
    return Listed(
        edition=found.edition,
        signal=found.signal,
        list=found.list or "",
        entry=found.entry or 0,
        distance=found.distance or 0,
        labels=found.labels,
    )


class Sheet:
    """Questions laid out as signals, those that no node could read set aside; outcomes put back in their places."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = questions
        self._faults = [signal.fault() for question in questions for signal in question.signals]
        everything = [signal for question in questions for signal in question.signals]
        self.signals = [signal for signal, fault in zip(everything, self._faults, strict=True) if fault is None]

    def outcomes(self, answered: Sequence[Outcome]) -> list[list[Outcome]]:
        """For each question the outcomes of its signals."""
        rest = iter(answered)
        flat = [next(rest) if fault is None else _unreadable(fault) for fault in self._faults]
        whole = iter(flat)
        return [[next(whole) for _ in question.signals] for question in self.questions]


def _unreadable(fault: str) -> Found:
    return Found("unknown", None, None, reason=fault)

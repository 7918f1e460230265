"""What the node knows right now: one reference to the edition in force, and how the last attempt to renew it went.

The edition is replaced by replacing the reference; a request takes the reference once and uses that edition to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vigil.base.clock import text_of
from vigil.edge.enforced import Enforced


class Concern(StrEnum):
    """Reasons in ``/readyz``; those of a failed pull carry the code of the refusal as ``detail``."""

    NO_EDITION = "no_edition"
    DRAINING = "draining"
    EDITION_HARD_EXPIRED = "edition_hard_expired"
    EDITION_EXPIRED = "edition_expired"
    EDITION_REFUSED = "edition_refused"
    EDITION_UNREACHABLE = "edition_unreachable"
    LIST_MISSING = "list_missing"
    SIGNAL_IGNORED = "signal_ignored"
    HELP_LINE_MISSING = "help_line_missing"
    COUNTS_UNSENT = "counts_unsent"
    EVENTS_UNHEARD = "events_unheard"


FATAL = frozenset({Concern.NO_EDITION, Concern.DRAINING, Concern.EDITION_HARD_EXPIRED})


@dataclass(frozen=True, slots=True)
class Failure:
    """A renewal that did not work: the concern, the stable code behind it, and since when."""

    concern: Concern
    code: str
    since: datetime


class State:
    """Shared by the request loop, which reads, and one puller thread, which writes."""

    def __init__(self) -> None:
        self.enforced: Enforced | None = None
        self.pulled_at: datetime | None = None
        self.failure: Failure | None = None
        self.draining = False
        self.counts_code: str | None = None
        self.events_code: str | None = None
        self.refusals: dict[str, int] = {}

    def succeeded(self, now: datetime) -> None:
        """The source was reached and what it holds is in force."""
        self.pulled_at, self.failure = now, None

    def failed(self, concern: Concern, code: str, now: datetime) -> bool:
        """Note a failure; True where it is a new one, so that the log says it once."""
        self.refusals[code] = self.refusals.get(code, 0) + 1
        before = self.failure
        if before is not None and (before.concern, before.code) == (concern, code):
            return False
        self.failure = Failure(concern, code, now)
        return True


@dataclass(frozen=True, slots=True)
class Readiness:
    """``ready``: traffic may be sent here. ``reasons``: what an operator should look at, also while ready."""

    ready: bool
    edition: int | None
    issued_at: datetime | None
    age_seconds: int | None
    reasons: tuple[tuple[Concern, str], ...]

    def as_dict(self) -> dict[str, object]:
        """The body of ``/readyz``."""
        status = "not_ready" if not self.ready else "degraded" if self.reasons else "ready"
        return {
            "status": status,
            "edition": self.edition,
            "issued_at": text_of(self.issued_at) if self.issued_at else None,
            "age_seconds": self.age_seconds,
            "reasons": [{"code": concern.value, "detail": detail} for concern, detail in self.reasons],
        }


def readiness(state: State, now: datetime, languages_without_help: list[str]) -> Readiness:
    """Whether traffic may come, and every reason for concern. Pure."""
    edition = state.enforced
    found = [
        *_of_edition(edition, now),
        *_of_renewal(state),
        *((Concern.HELP_LINE_MISSING, language) for language in languages_without_help),
    ]
    ready = not any(concern in FATAL for concern, _ in found)
    if edition is None:
        return Readiness(ready, None, None, None, tuple(found))
    age = max(0, int((now - edition.issued_at).total_seconds()))
    return Readiness(ready, edition.number, edition.issued_at, age, tuple(found))


def _of_edition(edition: Enforced | None, now: datetime) -> list[tuple[Concern, str]]:
    if edition is None:
        return [(Concern.NO_EDITION, "")]
    found: list[tuple[Concern, str]] = []
    if now >= edition.hard_until:
        found.append((Concern.EDITION_HARD_EXPIRED, text_of(edition.hard_until)))
    elif now >= edition.valid_until:
        found.append((Concern.EDITION_EXPIRED, text_of(edition.valid_until)))
    found.extend((Concern.LIST_MISSING, name) for name in edition.missing_lists)
    found.extend((Concern.SIGNAL_IGNORED, name) for name in edition.ignored_signals)
    return found


def _of_renewal(state: State) -> list[tuple[Concern, str]]:
    found: list[tuple[Concern, str]] = []
    if state.draining:
        found.append((Concern.DRAINING, ""))
    if state.failure is not None:
        found.append((state.failure.concern, state.failure.code))
    if state.counts_code is not None:
        found.append((Concern.COUNTS_UNSENT, state.counts_code))
    if state.events_code is not None:
        found.append((Concern.EVENTS_UNHEARD, state.events_code))
    return found

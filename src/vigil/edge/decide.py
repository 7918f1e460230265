"""The decision: a question, an edition and the time in; a verdict out. Pure: no network, disk, clock or counter.

What the edition cannot answer is ``unknown`` with a reason, never silently ``not_listed``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from vigil.edge.enforced import Enforced, Hit, Unsure
from vigil.edge.questions import URL, HashQuestion, HostQuestion, MediaQuestion, NameQuestion, Question, UrlQuestion
from vigil.match.verdict import Outcome, Verdict

NO_EDITION: Final = "no_edition"
EDITION_EXPIRED: Final = "edition_expired"
ENTRY_STALE: Final = "entry_stale"
MEDIA: Final = "media"
# A tuple once made: a union written out in each call costs every answer a microsecond.
OF_ADDRESSES: Final = (UrlQuestion, HostQuestion, NameQuestion)
WEIGHTS: Final = {Outcome.NOT_LISTED: 0, Outcome.UNKNOWN: 1, Outcome.LISTED: 2}
STRENGTH: Final = ("sha256", "sha1", "md5")


def decide(question: Question, edition: Enforced | None, now: datetime) -> Verdict:
    """The verdict on ``question`` by ``edition`` at ``now``."""
    signal = signal_of(question)
    if edition is None:
        return Verdict(Outcome.UNKNOWN, None, signal, reason=NO_EDITION)
    if edition.stopped(now):
        return Verdict(Outcome.UNKNOWN, edition.number, signal, reason=EDITION_EXPIRED)
    if isinstance(question, OF_ADDRESSES):
        return _on_url(question, edition, now)
    if isinstance(question, HashQuestion):
        return _verdict(question.algorithm, edition, edition.hash_hit(question, now))
    return _on_media(question, edition, now)


def signal_of(question: Question) -> str:
    """The ``signal`` of a verdict on ``question``."""
    if isinstance(question, OF_ADDRESSES):
        return URL
    return question.algorithm if isinstance(question, HashQuestion) else MEDIA


def strongest(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several readings of one request: a listed one, else one that is unknown, else the first. Raises ValueError for none."""
    return max(verdicts, key=_weight)


def _weight(verdict: Verdict) -> int:
    return WEIGHTS[verdict.verdict]


def _on_url(question: UrlQuestion | HostQuestion | NameQuestion, edition: Enforced, now: datetime) -> Verdict:
    found: Hit | Unsure | None
    if isinstance(question, NameQuestion):
        found = edition.name_hit(question.name, now)
    elif isinstance(question, HostQuestion):
        found = edition.host_hit(question.authority, now)
    else:
        found = edition.url_hit(question.address, now)
    if isinstance(found, Hit) and found.host_level and edition.hosts_stopped(now):
        return Verdict(Outcome.UNKNOWN, edition.number, URL, reason=ENTRY_STALE)
    return _verdict(URL, edition, found)


def _on_media(question: MediaQuestion, edition: Enforced, now: datetime) -> Verdict:
    """Strongest evidence first; a signal that is missing makes the answer unknown only where no other one hits."""
    reasons = list(question.reasons)
    for part in sorted(question.hashes, key=_strength):
        verdict = _verdict(part.algorithm, edition, edition.hash_hit(part, now))
        if verdict.verdict is Outcome.LISTED:
            return verdict
        if verdict.reason is not None:
            reasons.append(verdict.reason)
    if reasons:
        return Verdict(Outcome.UNKNOWN, edition.number, MEDIA, reason=reasons[0])
    return Verdict(Outcome.NOT_LISTED, edition.number, MEDIA)


def _strength(question: HashQuestion) -> int:
    return STRENGTH.index(question.algorithm) if question.algorithm in STRENGTH else len(STRENGTH)


def _verdict(signal: str, edition: Enforced, found: Hit | Unsure | None) -> Verdict:
    if found is None:
        return Verdict(Outcome.NOT_LISTED, edition.number, signal)
    if isinstance(found, Unsure):
        return Verdict(Outcome.UNKNOWN, edition.number, signal, reason=found.reason)
    return Verdict(
        Outcome.LISTED,
        edition.number,
        signal,
        list=found.list,
        entry=found.entry,
        distance=found.distance,
        labels=found.labels,
    )

"""The answer to "is this on a list?", the same shape at every door.

``unknown`` is an answer of its own: it stands where a signal could not be computed, with the reason. It is
never turned into ``listed`` or ``not_listed``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    LISTED = "listed"
    NOT_LISTED = "not_listed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    ``list``      name of the list, for ``listed``.
    ``entry``     number of the entry on that list: a number, never its content.
    ``edition``   number of the edition that was asked; None where none was loaded.
    ``signal``    what matched or was asked: ``url``, ``md5``, ``sha1``, ``sha256``, ``pdq`` …
    ``distance``  Hamming distance in bits for perceptual hashes; 0 for exact matches; None otherwise.
    ``labels``    labels of the entry, and notes such as ``second_pass``.
    ``reason``    stable code, for ``unknown`` only.
    """

    verdict: Outcome
    edition: int | None
    signal: str | None = None
    list: str | None = None
    entry: int | None = None
    distance: int | None = None
    labels: tuple[str, ...] = ()
    reason: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Members in the order of the contract; ``reason`` only where there is one."""
        document: dict[str, object] = {
            "verdict": self.verdict.value,
            "list": self.list,
            "entry": self.entry,
            "edition": self.edition,
            "signal": self.signal,
            "distance": self.distance,
            "labels": list(self.labels),
        }
        if self.reason is not None:
            document["reason"] = self.reason
        return document

"""Rate limits that need nobody's identity: one token bucket for each thing the public can do, for the whole door.

The arithmetic is pure and handed the time. The state is a database row (:mod:`.models.bucket`), so that several
processes of one door share it and a restart does not refill it. The price of knowing nobody: one flooder can fill a
bucket for all. That is why the rates lie far above the busiest hotline's traffic, why every answer is kept for 24 hours,
and why the page that refuses says when to try again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from vigil.base.limits import Limit


class Act(StrEnum):
    """What the public can do that costs something."""

    DRAFT = "draft"
    SUBMIT = "submit"
    STATUS = "status"
    APPEAL = "appeal"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``burst`` at once, refilled by ``per_second`` tokens a second."""

    burst: float
    per_second: float


RATES: Final[dict[Act, Rate]] = {
    Act.DRAFT: Rate(burst=300, per_second=2),
    Act.SUBMIT: Rate(burst=300, per_second=1),
    Act.STATUS: Rate(burst=300, per_second=5),
    Act.APPEAL: Rate(burst=60, per_second=0.2),
}

DRAFTS_ALIVE: Final = Limit(50_000, "drafts", "begun reports must not fill the disk before they expire")
DRAFT_LIFE: Final = timedelta(hours=24)
ADDRESS_CHARACTERS: Final = Limit(64 * 1024, "characters", "the longest address that is looked at; see URL_BYTES")
WORDS_CHARACTERS: Final = Limit(10_000, "characters", "some pages of text; more would bury the case")
NOTES_CHARACTERS: Final = Limit(64 * 1024, "characters", "a referring address and the steps to get there")
CONTACT_CHARACTERS: Final = Limit(300, "characters", "an address or a number, no letter")
CONTACT_LIFE: Final = timedelta(days=365)
"""The longest that a reporter's contact is kept while a case goes on; it goes sooner once the case is concluded."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """``tokens`` left at the instant ``at``."""

    tokens: float
    at: datetime


def full(rate: Rate, now: datetime) -> Bucket:
    """A bucket nobody has taken from yet."""
    return Bucket(rate.burst, now)


def take(bucket: Bucket, rate: Rate, now: datetime) -> tuple[Bucket, timedelta]:
    """Take one token: the bucket afterwards, and how long to wait (zero where one was there).

    A clock that goes backwards adds nothing and takes nothing away; when it comes forward again the same seconds refill
    twice, which is better than a door that stays shut until the clock has caught up.
    """
    passed = max(0.0, (now - bucket.at).total_seconds())
    tokens = min(rate.burst, bucket.tokens + passed * rate.per_second)
    if tokens >= 1:
        return Bucket(tokens - 1, now), timedelta(0)
    return Bucket(tokens, now), timedelta(seconds=(1 - tokens) / rate.per_second)

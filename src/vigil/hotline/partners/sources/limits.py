"""Bounds on what a source may make us do."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from vigil.base.limits import Limit

ANSWER_BYTES: Final = Limit(128 * 1024 * 1024, "bytes", "one page is held in memory while it is read")
UNPACKED_BYTES: Final = Limit(256 * 1024 * 1024, "bytes", "a small packed answer may unpack into gigabytes")
UNPACKED_RATIO: Final = Limit(200, "times", "text packs about ten times; a bomb packs a thousand times")
FILE_BYTES: Final = Limit(2 * 1024**3, "bytes", "a file of a partner must not fill the memory of the worker")
RECORD_BYTES: Final = Limit(256 * 1024, "bytes", "one enormous record must not displace thousands of small ones")
LINE_BYTES: Final = Limit(64 * 1024, "bytes", "a file without line ends must not be read as one line")
KEY_LENGTH: Final = Limit(180, "characters", "the name of a record goes into an index")
LABELS_LENGTH: Final = Limit(400, "characters", "labels are shown in tables")
FINGERPRINTS: Final = Limit(64, "fingerprints", "one record must not flood the index of fingerprints")
PAGE_RECORDS: Final = Limit(50_000, "records", "a page is kept in one transaction")
SET_ASIDE_BYTES: Final = Limit(64 * 1024, "bytes", "what is set aside is kept for a person to look at, not in full")
SET_ASIDE: Final = Limit(20_000, "records", "a source that sends nothing but rubbish must not fill the database")
DEPTH: Final = Limit(40, "levels", "deeply nested documents exhaust the stack of a reader")
REDIRECTS: Final = Limit(3, "redirects", "a loop of redirects must end")
ATTEMPTS: Final = Limit(4, "attempts", "a request that fails is repeated, but not for ever")
LONGEST_WAIT: Final = Limit(60, "seconds", "a source that asks for more patience is asked again in a later run")
REFUSED_IN_A_ROW: Final = Limit(64, "answers", "a source that sends nothing but bombs is left to a later run")
GAPS_A_RUN: Final = Limit(200, "gaps", "a source that is damaged everywhere is left to a later run")
PAGES_A_RUN: Final = Limit(200_000, "pages", "paging that never ends must end")
STUCK_RUNS: Final = Limit(3, "runs", "a place in a feed at which that many runs ended is gone round")
FUTURE: Final = timedelta(minutes=10)
"""How far the clock of a source may be ahead of ours before its records are set aside."""
CLAIM: Final = timedelta(minutes=5)
"""How long a run may be silent before another worker takes the source."""
LARGE_REMOVAL_SHARE: Final = 10
"""Per cent of a source's entries that may vanish in a full fetch without a person agreeing."""
LARGE_REMOVAL_LEAST: Final = 100
"""Fewer vanished entries than this never wait for a person."""

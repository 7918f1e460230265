"""What one scan may cost, and what one hostile item may."""

from __future__ import annotations

from typing import Final

from vigil.base.limits import Limit

TASK_ITEMS: Final = Limit(64, "items", "what is done again after a kill, and what one worker takes at a time")
MEMBERS: Final = Limit(5_000_000, "members", "an archive may claim more than anybody could look at")
RATIO: Final = Limit(200, "times", "a member that unpacks to more of its packed size is a bomb, not a picture")
ARCHIVE_BYTES: Final = Limit(1024**4, "bytes", "what all members of one archive may unpack to together")
LINE_BYTES: Final = Limit(64 * 1024, "bytes", "one address of a list")
ATTEMPTS: Final = Limit(3, "attempts", "items whose worker died that often are unknown, so that one file cannot stop a scan")
AHEAD: Final = Limit(4, "items", "read ahead of the decoder by one worker")
S3_PAGE: Final = Limit(1000, "keys", "one page of a listing")

"""Bounds on a stranger's edition, beside those of :mod:`vigil.base.limits`."""

from __future__ import annotations

from typing import Final

from vigil.base.limits import Limit

MANIFEST_BYTES: Final = Limit(4 * 1024 * 1024, "bytes", "edition.json is read whole before anything else is believed")
ROWS: Final = Limit(200_000_000, "rows", "a file that claims more would not fit the memory of any node")
ROW_GROUP_ROWS: Final = Limit(131_072, "rows", "fixed, so that equal entries give equal bytes; read piece by piece")
ROW_GROUP_BYTES: Final = Limit(64 * 1024 * 1024, "bytes", "a small file may claim to unpack into gigabytes")
FOOTER_BYTES: Final = Limit(16 * 1024 * 1024, "bytes", "a Parquet footer is parsed before its contents are checked")
LISTS: Final = Limit(1024, "lists", "the number of a list is kept in two bytes, and nobody needs more")
LABELS: Final = Limit(32, "labels per entry", "labels are for people; a flood of them hides something")
LABEL_SETS: Final = Limit(65_536, "different sets of labels", "kept once each, in memory")
NAME_BYTES: Final = Limit(64, "bytes", "names of lists, labels and algorithms are short")
VALUE_BYTES: Final = Limit(1024, "bytes", "the longest hash value known to us has 144")
JURISDICTIONS: Final = Limit(300, "jurisdictions per list", "more than there are")
SOURCE_BYTES: Final = Limit(512 * 1024 * 1024, "bytes", "a source file of entries is read whole")
SOURCE_LINE_BYTES: Final = Limit(256 * 1024, "bytes", "one entry, address included")
DELTAS: Final = Limit(48, "deltas", "a node that was off for longer fetches the whole edition")
DELTA_BYTES: Final = Limit(64 * 1024 * 1024, "bytes", "a delta is read whole; a larger one saves nothing")
DELTA_ROWS: Final = Limit(2_000_000, "rows", "a delta that changes more is no delta")
DIGEST_KEYS: Final = Limit(16, "keys", "one in use and those of the last 48 hours; more means something is wrong")
PARTNERS: Final = Limit(5000, "partners", "each has keys and a copy of its own in every edition")
EXTRA_BYTES: Final = Limit(32 * 1024 * 1024, "bytes", "a list of words is read whole; 100,000 words take a third of it")
EXTRA_FILES: Final = Limit(64, "further files", "one for each list of words of a partner's copy")

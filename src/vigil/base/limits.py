"""Bounds on what strangers may make us do. Each has a unit and names the attack or the accident it stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound: ``value`` in ``unit``, and the ``reason`` why there is one."""

    value: int
    unit: str
    reason: str


URL_BYTES: Final = Limit(64 * 1024, "bytes", "a long address must be neither a way round a list nor a way to stall a node")
CANONICAL_URL_BYTES: Final = Limit(3 * 64 * 1024, "bytes", "escaping may triple an address; beyond that it is refused")
MEDIA_BYTES: Final = Limit(64 * 1024 * 1024, "bytes", "an upload is held in memory while it is hashed")
MEDIA_PIXELS: Final = Limit(100_000_000, "pixels", "a small file may claim to unpack into gigabytes")
FORM_BYTES: Final = Limit(256 * 1024, "bytes", "a pasted novel must not fill the desk's memory")
FORM_FIELDS: Final = Limit(60, "fields", "no form of ours has as many")
JSON_BODY_BYTES: Final = Limit(4 * 1024 * 1024, "bytes", "a batch is bounded before it is parsed")
BATCH_ITEMS: Final = Limit(1000, "items", "one request must not keep a worker busy for long")
METADATA_BYTES: Final = Limit(5_000_000, "bytes", "a host of editions must not fill the disk of a node")
EDITION_FILE_BYTES: Final = Limit(4 * 1024**3, "bytes", "the largest file of an edition that a node will fetch")
